//! A file that was never seen: is it a copy of a log that is known (rotated by copying, moved between file
//! systems, compressed), or a log of its own?
//! This file never reads lines, and changes nothing.

use std::io;
use std::path::Path;

use super::content::{Content, Survey, last_line_end};
use super::follow::Log;
use super::ladder::Ladder;
use super::log::{FileKey, Fingerprint, HEAD_BYTES_MAX, LogId, LogMark};
use super::rotation::{base_name, file_name};
use super::tail::Known;

pub(super) enum Verdict {
    /// Nothing known begins like this.
    New,
    /// It holds a log whose own file is gone or was truncated: go on in it, beyond the mark.
    Copy(LogId),
    /// It holds nothing that this log does not hold, or did: leave it, at least as long as that log stays where it is.
    /// Should it go its own way later, it does so from this mark.
    Held { by: LogId, common: Common },
    /// It begins as a followed log does, and goes on by itself: a log of its own, from here on.
    Fork(Common),
    /// It, or what it is compared with, is changing: look again at the next scan.
    Wait,
}

/// A line end up to which two logs hold the same.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) offset: u64,
    pub(super) head: Fingerprint,
    pub(super) anchor: Fingerprint,
    pub(super) ladder: Ladder,
}

impl Common {
    fn up_to(mark: &LogMark) -> Common {
        Common { offset: mark.offset, head: mark.head, anchor: mark.anchor, ladder: mark.ladder.clone() }
    }

    /// The last line end of a content that is part of the log's.
    fn within(content: &Content, survey: &Survey, mark: &LogMark) -> io::Result<Common> {
        let (offset, head, anchor) = last_line_end(content, survey, u64::MAX)?;
        let mut ladder = mark.ladder.clone();
        ladder.cut(offset);
        ladder.leap(offset, &anchor);
        Ok(Common { offset, head, anchor, ladder })
    }
}

/// What a file is held against.
enum Rival<'a> {
    Followed(&'a mut Log),
    Past(&'a Known),
}

impl Rival<'_> {
    fn mark(&self) -> &LogMark {
        match self {
            Rival::Followed(log) => &log.mark,
            Rival::Past(known) => &known.mark,
        }
    }

    /// Up to where the contents are compared.
    fn reach(&self) -> u64 {
        match self {
            Rival::Followed(log) => log.len,
            Rival::Past(known) => known.mark.offset,
        }
    }
}

/// Hold `content` against every log with the same head: first those followed, then those whose file is gone,
/// the furthest read first.
pub(super) fn judge<'a>(
    path: &Path,
    content: &Content,
    head: &[u8],
    followed: impl Iterator<Item = &'a mut Log>,
    past: impl Iterator<Item = &'a Known>,
) -> io::Result<(Verdict, Survey)> {
    if head.is_empty() {
        // An empty log is part of any other.
        return Ok((Verdict::New, content.survey(&[])?));
    }
    let mut prefixes = Prefixes::of(head);
    let mut begins_alike = |mark: &LogMark| {
        let is_begun = head.len() < mark.head.len as usize && is_archive_of(path, mark);
        is_begun || prefixes.include(&mark.head)
    };
    let mut rivals: Vec<Rival> = followed.filter(|log| begins_alike(&log.mark)).map(Rival::Followed).collect();
    // What this very file held before is no copy of it: that it was cut shorter is told by its ladder.
    let file = FileKey::of(&content.metadata);
    let mut gone: Vec<&Known> =
        past.filter(|known| !file.is_after_remount(&known.mark.file()) && begins_alike(&known.mark)).collect();
    gone.sort_by_key(|known| std::cmp::Reverse(known.mark.offset));
    rivals.extend(gone.into_iter().map(Rival::Past));

    for rival in &mut rivals {
        if let Rival::Followed(log) = rival
            && !log.still_holds()?
        {
            // It was truncated since this scan looked at it; the next one will know.
            return Ok((Verdict::Wait, content.survey(&[])?));
        }
    }
    let mut ends: Vec<u64> = rivals.iter().map(Rival::reach).collect();
    ends.extend(rivals.iter().flat_map(|rival| rival.mark().ladder.offsets()));
    let survey = content.survey(&ends)?;
    let mut verdict = Verdict::New;
    let (windows, mut rungs) = survey.windows.split_at(rivals.len());
    for (window, rival) in windows.iter().zip(&mut rivals) {
        let (of_rival, rest) = rungs.split_at(rival.mark().ladder.offsets().count());
        rungs = rest;
        match compare(path, content, rival, &survey, *window, of_rival)? {
            Verdict::New => {}
            // Without a whole line, much is equal by chance; another log may know it better.
            Verdict::Held { common, by } if common.offset == 0 => verdict = Verdict::Held { common, by },
            settled => return Ok((settled, survey)),
        }
    }
    Ok((verdict, survey))
}

/// `window` is the file's, where the rival ends; `rungs` are its windows where the rival's ladder has rungs.
fn compare(
    path: &Path,
    content: &Content,
    rival: &mut Rival,
    survey: &Survey,
    window: Option<Fingerprint>,
    rungs: &[Option<Fingerprint>],
) -> io::Result<Verdict> {
    let common = survey.len.min(rival.reach());
    let is_long = common >= HEAD_BYTES_MAX as u64;
    if !is_long && !is_archive_of(path, rival.mark()) {
        return Ok(Verdict::New);
    }
    match rival {
        Rival::Past(known) if known.mark.offset == 0 || window == Some(known.mark.anchor) => {
            Ok(Verdict::Copy(known.mark.id))
        }
        Rival::Past(known) => {
            // Part of a copy: it was interrupted, or has yet to grow.
            let is_part = is_archive_of(path, &known.mark) && is_part_of(&known.mark.ladder, rungs, survey.len);
            let held = || Common::within(content, survey, &known.mark);
            Ok(if is_part { Verdict::Held { by: known.mark.id, common: held()? } } else { Verdict::New })
        }
        Rival::Followed(log) if survey.len <= log.len => {
            let is_same = log.window(common)? == Some(survey.end);
            let held = || Common::within(content, survey, &log.mark);
            Ok(if is_same { Verdict::Held { by: log.mark.id, common: held()? } } else { Verdict::New })
        }
        Rival::Followed(log) => {
            let reach = log.len;
            if window.is_none() || log.window(reach)? != window || !is_long {
                return Ok(Verdict::New);
            }
            // What the followed log has yet to read, it will count itself; and if it grew since its length was
            // taken, this may be its copy, made just now.
            let is_settled = !log.queued && log.still_holds()? && log.len == reach;
            Ok(if is_settled { Verdict::Fork(Common::up_to(&log.mark)) } else { Verdict::Wait })
        }
    }
}

/// Whether every rung that a content of this length reaches holds.
fn is_part_of(ladder: &Ladder, rungs: &[Option<Fingerprint>], len: u64) -> bool {
    let reached = ladder.offsets().take_while(|offset| *offset <= len).last();
    reached.is_some() && ladder.foothold(rungs).map(|foothold| foothold.offset) == reached
}

/// Short contents may be equal by chance (a first line "started"), so below 1 KiB the name must speak for a copy, too:
/// a rotated name of the same log, or the same name in another directory.
pub(super) fn is_archive_of(path: &Path, mark: &LogMark) -> bool {
    let (name, other) = (file_name(path), file_name(Path::new(&mark.path)));
    let is_elsewhere = path.parent() != Path::new(&mark.path).parent();
    base_name(&name) == base_name(&other) && (is_elsewhere || base_name(&name) != name)
}

/// Whether heads of any length are prefixes of one head, each length hashed once.
struct Prefixes<'a> {
    head: &'a [u8],
    hashes: Vec<Option<Fingerprint>>,
}

impl<'a> Prefixes<'a> {
    fn of(head: &'a [u8]) -> Prefixes<'a> {
        Prefixes { head, hashes: vec![None; head.len() + 1] }
    }

    /// An empty head proves nothing.
    fn include(&mut self, head: &Fingerprint) -> bool {
        let len = head.len as usize;
        if len == 0 || len > self.head.len() {
            return false;
        }
        *self.hashes[len].get_or_insert_with(|| Fingerprint::of(&self.head[..len])) == *head
    }
}
