//! A file that was never seen: is it a copy of a log that is known (rotated by copying, moved between file
//! systems, compressed), or a log of its own?
//! This file never reads lines, and changes nothing.

use std::io;
use std::path::Path;

use super::content::{Content, Survey};
use super::follow::Log;
use super::log::{Fingerprint, HEAD_BYTES_MAX, LogId, LogMark};
use super::rotation::{base_name, file_name};
use super::tail::Known;

pub(super) enum Verdict {
    /// Nothing known begins like this.
    New,
    /// It holds a log whose own file is gone or was truncated: go on in it, beyond the mark.
    Copy(LogId),
    /// It holds nothing that this followed log does not hold: leave it, at least until that log's file is gone.
    /// Should it go its own way later, it does so from this mark.
    Held { by: LogId, common: Option<Common> },
    /// It begins as a followed log does, and goes on by itself: a log of its own, from here on.
    Fork(Common),
    /// It, or what it is compared with, is changing: look again at the next scan.
    Wait,
}

/// A line end up to which two logs hold the same.
#[derive(Clone, Copy)]
pub(super) struct Common {
    pub(super) offset: u64,
    pub(super) head: Fingerprint,
    pub(super) anchor: Fingerprint,
}

impl Common {
    fn up_to(mark: &LogMark) -> Common {
        Common { offset: mark.offset, head: mark.head, anchor: mark.anchor }
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
    followed: impl Iterator<Item = &'a mut Log>,
    past: impl Iterator<Item = &'a Known>,
) -> io::Result<(Verdict, Survey)> {
    let head = content.head()?;
    let mut prefixes = Prefixes::of(&head);
    let mut rivals: Vec<Rival> = followed.filter(|log| prefixes.include(&log.mark.head)).map(Rival::Followed).collect();
    let mut gone: Vec<&Known> =
        past.filter(|known| known.mark.offset > 0 && prefixes.include(&known.mark.head)).collect();
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
    let ends: Vec<u64> = rivals.iter().map(Rival::reach).collect();
    let survey = content.survey(&ends)?;
    for (index, rival) in rivals.iter_mut().enumerate() {
        let verdict = compare(path, rival, &survey, survey.windows[index])?;
        if !matches!(verdict, Verdict::New) {
            return Ok((verdict, survey));
        }
    }
    Ok((Verdict::New, survey))
}

/// `window` is the file's, where the rival ends.
fn compare(path: &Path, rival: &mut Rival, survey: &Survey, window: Option<Fingerprint>) -> io::Result<Verdict> {
    let common = survey.len.min(rival.reach());
    let is_long = common >= HEAD_BYTES_MAX as u64;
    if !is_long && !is_archive_of(path, rival.mark()) {
        return Ok(Verdict::New);
    }
    match rival {
        Rival::Past(known) if window == Some(known.mark.anchor) => Ok(Verdict::Copy(known.mark.id)),
        Rival::Past(_) => Ok(Verdict::New),
        Rival::Followed(log) if survey.len <= log.len => {
            let is_same = log.window(common)? == Some(survey.end);
            let whole = (survey.len >= log.mark.offset).then(|| Common::up_to(&log.mark));
            Ok(if is_same { Verdict::Held { by: log.mark.id, common: whole } } else { Verdict::New })
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

/// Short contents may be equal by chance (a first line "started"), so below 1 KiB the name must speak for a copy, too:
/// a rotated name of the same log, or the same name in another directory.
fn is_archive_of(path: &Path, mark: &LogMark) -> bool {
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
