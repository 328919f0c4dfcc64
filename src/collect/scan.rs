//! A look at the disk: files found under the sources' patterns become logs to follow, go on being the logs they were,
//! or are left alone as copies. Known logs are settled first, so that a new file is held against their present state.
//! This file never gives out lines.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::Start;
use super::arrival::Arrivals;
use super::content::{Content, Survey, is_unfinished, last_line_end};
use super::find::{Findings, Found, cannot};
use super::follow::{Log, Place};
use super::heads::Heads;
use super::judge::{Common, Verdict, is_archive_of, judge};
use super::ladder::Ladder;
use super::log::{ANCHOR_BYTES_MAX, FileKey, Fingerprint, LogId, LogMark, Stamp};
use super::rotation::{base_name, default_service, file_name};
use super::tail::{Known, Problem, Tail};
use crate::day::Now;

/// A gz cannot be shorter: header and trailer. Nor does a zst of any line have fewer bytes.
const PACKED_BYTES_MIN: u64 = 18;
/// File systems keep coarse time.
const COARSE: TimeDelta = TimeDelta::seconds(1);
/// EMFILE on every system this runs on.
const TOO_MANY_OPEN_FILES: i32 = 24;

/// A file that is not read for now.
pub(super) struct Pending {
    stamp: Stamp,
    why: Why,
}

enum Why {
    /// It holds nothing that this log does not, which was followed then, or was not.
    Held { by: LogId, followed: bool, common: Common },
    /// A compressed file that is not whole.
    Unfinished,
}

impl Tail {
    /// Look at the disk: new, renamed, rotated, truncated and vanished logs.
    pub fn scan(&mut self, now: Now) {
        self.begin_look(now);
        let findings = self.find();
        let mut present = HashSet::new();
        let mut strangers = Vec::new();
        for log in self.followed.values_mut() {
            log.seen = false;
        }
        for found in findings {
            let key = FileKey::of(&found.metadata);
            // A second name of the same file: a hard link, a symlink, another pattern.
            if !present.insert(key) {
                continue;
            }
            let followed = self.files.get(&key).copied();
            if !followed.is_some_and(|id| self.look_again(id, &found)) {
                strangers.push((key, found));
            }
        }
        self.look_at_unseen();
        self.pending.retain(|key, _| present.contains(key));
        // Logs that were known before go first: a copy of one is then held against it, not against its mark alone.
        // And logs go before what may be their archives.
        strangers.sort_by_key(|(key, found)| (self.past.of_file(*key).is_empty(), !has_live_name(&found.path)));
        for (key, found) in strangers {
            if self.unpacked > self.unpacked_bytes_max {
                self.is_unsettled = true;
                break;
            }
            let (source, path) = (found.source, found.path.to_string_lossy().into_owned());
            if let Err(error) = self.meet(key, found) {
                self.make_room_after(&error);
                self.problems.push(Problem { source, path, what: cannot("be read", &error), keeps_unread: true });
            }
        }
        self.close_idle();
        self.settle_missing(now);
        if !self.is_unsettled {
            self.past.forget_oldest();
        }
        self.look_at_journals(now);
        self.is_first_scan = false;
    }

    fn look_at_journals(&mut self, now: Now) {
        self.journals.look(now, self.readings.detect, &mut self.losses);
        self.is_unsettled |= self.journals.are_behind();
        self.directories.extend(self.journals.directories());
    }

    fn find(&mut self) -> Vec<Found> {
        let mut findings = Findings::default();
        for pattern in &self.patterns {
            pattern.find(&mut findings);
        }
        self.problems = findings.problems;
        self.directories = findings.directories;
        findings.files
    }

    /// A file that holds a followed log. `false` if that log was empty so far: what it is, its first content tells.
    fn look_again(&mut self, id: LogId, found: &Found) -> bool {
        let Some(log) = self.followed.get_mut(&id) else { return false };
        let stamp = Stamp::of(&found.metadata);
        if log.is_unknown() && stamp.size > 0 {
            self.drop_log(id);
            return false;
        }
        log.seen = true;
        log.quiet_since = None;
        log.mark.open = log.has_unread() || is_live(&found.path, &stamp, self.now.wall);
        // A second name does not take the place of the one it has: that one tells its archives.
        if log.path != found.path && !is_name_of(&log.path, &log.mark) {
            log.path.clone_from(&found.path);
            log.mark.path = found.path.to_string_lossy().into_owned();
        }
        if log.stamp == Some(stamp) {
            log.arrivals.look(log.len, self.now.wall);
        } else {
            let is_grown = !log.is_archive() || log.stamp.is_none_or(|before| !before.same_content(&stamp));
            log.stamp = Some(stamp);
            if is_grown {
                self.check(id);
            }
        }
        true
    }

    /// A followed log's file has changed: was it truncated, is there more to read?
    pub(super) fn check(&mut self, id: LogId) {
        let Some(log) = self.followed.get_mut(&id) else { return };
        if log.is_archive() {
            // Rewritten or added to: which, is told by comparing it as if it were met for the first time.
            return self.retire(id);
        }
        self.open_within_bounds(id);
        let Some(log) = self.followed.get_mut(&id) else { return };
        let holds = log.still_holds();
        if let Ok(true) = holds {
            log.arrivals.look(log.len, self.now.wall);
        }
        match holds {
            Ok(true) if log.has_unread() => self.enqueue(id),
            Ok(true) => log.trouble = None,
            Ok(false) => self.begin_again(id),
            Err(error) => {
                log.stamp = None;
                log.trouble = Some(cannot("be read", &error));
            }
        }
    }

    /// Logs no longer found under any name are read on through their open file, until nothing comes any more.
    fn look_at_unseen(&mut self) {
        let unseen: Vec<LogId> = self.followed.values().filter(|log| !log.seen).map(|log| log.mark.id).collect();
        for id in unseen {
            let Some(log) = self.followed.get_mut(&id) else { continue };
            let Some(metadata) = log.file.as_ref().and_then(|file| file.metadata().ok()) else {
                self.retire(id);
                self.miss(id, "vanished while it was closed");
                continue;
            };
            let stamp = Stamp::of(&metadata);
            if log.is_unknown() && stamp.size > 0 {
                self.begin_again(id);
                continue;
            }
            if log.stamp != Some(stamp) {
                log.stamp = Some(stamp);
                log.quiet_since = None;
                self.check(id);
                continue;
            }
            let quiet_since = *log.quiet_since.get_or_insert(self.now.uptime);
            let is_over = self.now.uptime.saturating_sub(quiet_since) >= self.quiet_max;
            let is_deleted = std::os::unix::fs::MetadataExt::nlink(&metadata) == 0;
            if is_deleted && !log.queued && is_over {
                if log.has_unread() && !log.is_over {
                    log.is_over = true;
                    self.enqueue(id);
                    continue;
                }
                // All of it was read, unless it never could be.
                log.mark.open = log.has_unread();
                self.retire(id);
                self.miss(id, "was deleted before its lines could be read");
            }
        }
    }

    /// A file that holds no followed log.
    fn meet(&mut self, key: FileKey, found: Found) -> io::Result<()> {
        let stamp = Stamp::of(&found.metadata);
        let is_packed = found.path.extension().is_some_and(|extension| extension == "gz" || extension == "zst");
        let is_barely_begun = is_packed && stamp.size < PACKED_BYTES_MIN;
        if is_barely_begun || self.is_still_pending(key, stamp, &found) {
            return Ok(());
        }
        let content = match Content::open(&found.path) {
            Ok(content) if FileKey::of(&content.metadata) == key => content,
            // It was renamed or deleted since it was listed: the next scan sees where it went.
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let stamp = content.stamp();
        if content.packing.is_some() {
            self.unpacked += stamp.size;
        }
        match self.settle_stranger(key, found, content) {
            Err(error) if is_unfinished(&error) => {
                self.pending.insert(key, Pending { stamp, why: Why::Unfinished });
                Ok(())
            }
            settled => settled,
        }
    }

    fn is_still_pending(&mut self, key: FileKey, stamp: Stamp, found: &Found) -> bool {
        match self.pending.get(&key) {
            Some(pending) if pending.stamp == stamp => match pending.why {
                Why::Held { by, followed: true, .. } => self.followed.contains_key(&by),
                Why::Held { by, followed: false, .. } => self.past.contains(by),
                Why::Unfinished => {
                    let what = "is not a whole compressed file: still being written, or damaged (`gzip -t` or \
                                `zstd -t` tells); it is read once it is whole";
                    let path = found.path.to_string_lossy().into_owned();
                    self.problems.push(Problem {
                        source: found.source,
                        path,
                        what: what.to_owned(),
                        keeps_unread: true,
                    });
                    true
                }
            },
            Some(_) | None => false,
        }
    }

    fn settle_stranger(&mut self, key: FileKey, found: Found, content: Content) -> io::Result<()> {
        if let Some((id, survey)) = self.recognise(key, &content)? {
            if survey.windows.first() == Some(&None) {
                let what = "was cut while its lines were to be read again; what was written since may be taken for \
                            lines that are counted";
                self.lose(found.source, &found.path, what);
            }
            self.go_on(id, found, content, &survey)?;
            self.pending.remove(&key);
            return Ok(());
        }
        let (verdict, survey) = self.judge(&found.path, &content)?;
        let before = self.pending.remove(&key);
        match verdict {
            Verdict::Copy(id) => self.go_on(id, found, content, &survey)?,
            Verdict::Held { by, common } => {
                let followed = self.followed.contains_key(&by);
                self.pending.insert(key, Pending { stamp: content.stamp(), why: Why::Held { by, followed, common } });
            }
            Verdict::Fork(common) => self.begin(found, content, &survey, Some(common))?,
            Verdict::Wait => {}
            Verdict::New => {
                let parted = match before {
                    Some(Pending { why: Why::Held { common, .. }, .. }) => Some(common),
                    Some(Pending { why: Why::Unfinished, .. }) | None => {
                        self.what_still_stands(key, &found, &content)?
                    }
                };
                self.begin(found, content, &survey, parted)?;
            }
        }
        Ok(())
    }

    fn judge(&mut self, path: &Path, content: &Content) -> io::Result<(Verdict, Survey)> {
        let known = || self.followed.values().map(|log| &log.mark).chain(self.past.iter().map(|known| &known.mark));
        let heads = self.heads.get_or_insert_with(|| {
            let mut heads = Heads::default();
            known().for_each(|mark| heads.add(mark));
            heads
        });
        let head = content.head()?;
        let alike = heads.alike(path, &head);
        // Out of the map and back, so that each can be looked at.
        let mut followed: Vec<Log> = alike.iter().filter_map(|id| self.followed.remove(id)).collect();
        let past = alike.iter().filter_map(|id| self.past.get(*id));
        let judged = judge(path, content, &head, followed.iter_mut(), past);
        self.followed.extend(followed.into_iter().map(|log| (log.mark.id, log)));
        judged
    }

    /// The log that this very file held when it was last seen, if its content still is that log's. One that it holds up
    /// to the mark goes before one that it is too short for.
    fn recognise(&self, key: FileKey, content: &Content) -> io::Result<Option<(LogId, Survey)>> {
        let mut shorter = None;
        for known in self.past.of_file(key) {
            if let Some(survey) = goes_on(known, content)? {
                let is_whole = survey.windows.first().is_none_or(Option::is_some);
                if is_whole {
                    return Ok(Some((known.mark.id, survey)));
                }
                shorter.get_or_insert((known.mark.id, survey));
            }
        }
        Ok(shorter)
    }

    /// A file that was cut shorter, or an archive of one, and may have grown since: up to which line end it still is a log
    /// that is known. Where that cannot be told to the line, lines that may be new are left out rather than counted
    /// twice, and that is said.
    fn what_still_stands(&mut self, key: FileKey, found: &Found, content: &Content) -> io::Result<Option<Common>> {
        let head = content.head()?;
        let is_before = |mark: &&LogMark| mark.file() != key && is_archive_of(&found.path, mark);
        let alike = self.heads.as_ref().map(|heads| heads.alike(&found.path, &head)).unwrap_or_default();
        let mark_of = |id: &LogId| {
            let followed = self.followed.get(id).map(|log| &log.mark);
            followed.or_else(|| self.past.get(*id).map(|known| &known.mark))
        };
        let before = self.past.of_file(key).into_iter().map(|known| &known.mark);
        let marks: Vec<&LogMark> = before.chain(alike.iter().filter_map(mark_of).filter(is_before)).collect();
        let Some((common, is_doubtful)) = furthest_common(&marks, content, &head)? else { return Ok(None) };
        if is_doubtful {
            let what = "was cut so far back that some of what was written since cannot be told from what was counted; \
                        that is left out";
            self.lose(found.source, &found.path, what);
        }
        Ok(Some(common))
    }

    /// Follow a log whose file was gone, in the file that has turned up.
    fn go_on(&mut self, id: LogId, found: Found, content: Content, survey: &Survey) -> io::Result<()> {
        let Some(known) = self.past.take(id) else { return Ok(()) };
        let (resume, has_anchor) = (known.resume, known.mark.anchor.len > 0);
        let arrivals = self.arrivals(&known, survey, self.looked_before);
        let mut log = Log::new(known, place(found), content, survey, arrivals);
        if !has_anchor || resume < log.known().mark.offset {
            // What precedes the place to resume at was not kept; from here on it is.
            if let Err(error) = log.take_anchor() {
                self.past.add(log.known());
                return Err(error);
            }
        }
        self.follow(log);
        Ok(())
    }

    /// Follow a log that was never seen.
    fn begin(&mut self, found: Found, content: Content, survey: &Survey, common: Option<Common>) -> io::Result<()> {
        let key = FileKey::of(&content.metadata);
        let head = Fingerprint::of(&content.head()?);
        let id = LogId::new(key, &head, |id| self.followed.contains_key(&id) || self.past.contains(id));
        let from = match common {
            Some(common) => common,
            None if self.starts_at_end(&found, key) => {
                let (offset, head, anchor) = last_line_end(&content, survey, u64::MAX)?;
                Common { offset, head, anchor, ladder: Ladder::from_offset(offset) }
            }
            None => Common { offset: 0, head, anchor: Fingerprint::default(), ladder: Ladder::from_offset(0) },
        };
        let mark = LogMark {
            id,
            path: String::new(),
            device: key.device,
            inode: key.inode,
            born_ns: key.born_ns,
            head: from.head,
            begun: from.offset,
            offset: from.offset,
            anchor: from.anchor,
            ladder: from.ladder,
            open: is_live(&found.path, &content.stamp(), self.now.wall),
            missing_since: None,
            format: None,
            count_from: Default::default(),
            cursor: None,
            backlog: 0,
            arrived: 0,
        };
        let watched = self.looked_before.filter(|_| self.is_made_while_watched(&content, key));
        let known = Known { resume: mark.offset, mark };
        let arrivals = self.arrivals(&known, survey, watched);
        let place = place(found);
        self.follow(Log::new(known, place, content, survey, arrivals));
        Ok(())
    }

    /// What is to be read is of the past, or has come since that look.
    fn arrivals(&self, known: &Known, survey: &Survey, looked: Option<DateTime<Utc>>) -> Arrivals {
        let mut arrivals = Arrivals::new(known.resume, known.mark.backlog, looked);
        arrivals.look(survey.len, self.now.wall);
        arrivals
    }

    /// Whether a log that was never seen has come since the look before: in a first scan it may only be new to the
    /// configuration, so that its birth must tell.
    fn is_made_while_watched(&self, content: &Content, key: FileKey) -> bool {
        let is_written_since =
            || self.looked_before.is_some_and(|looked| content.stamp().is_newer_than(looked - COARSE));
        if self.is_first_scan { self.is_born_since_last_look(key) } else { is_written_since() }
    }

    /// `start = "end"` is for logs that were there before daycap. A log that turns up later is read whole, and so is one
    /// whose earlier generations are known, or that was made since daycap last looked: while it was not running.
    fn starts_at_end(&self, found: &Found, file: FileKey) -> bool {
        self.is_first_scan
            && self.sources[found.source].start == Start::End
            && !self.is_born_since_last_look(file)
            && !self.known_bases.contains(&base_path(&found.path))
    }

    fn is_born_since_last_look(&self, file: FileKey) -> bool {
        let born = file.born_ns.and_then(|born| i64::try_from(born).ok()).map(DateTime::<Utc>::from_timestamp_nanos);
        self.looked_before.zip(born).is_some_and(|(looked, born)| born > looked - COARSE)
    }

    fn follow(&mut self, log: Log) {
        let id = log.mark.id;
        let has_unread = log.has_unread();
        self.files.insert(log.mark.file(), id);
        if let Some(heads) = &mut self.heads {
            heads.add(&log.mark);
        }
        self.followed.insert(id, log);
        self.note_opened();
        if has_unread {
            self.enqueue(id);
        }
    }

    /// The file was truncated, or written over: what was read of it stays known as a past log, and its present content
    /// is met like a stranger's.
    pub(super) fn begin_again(&mut self, id: LogId) {
        let Some(log) = self.followed.get(&id) else { return };
        let (source, path, key) = (log.source, log.path.clone(), log.mark.file());
        let content = log.file.as_ref().and_then(|file| Content::of(file.try_clone().ok()?).ok());
        if let Some(log) = self.followed.get_mut(&id) {
            log.mark.open |= has_live_name(&log.path);
        }
        self.retire(id);
        // This can be long after the scan that made it.
        self.heads = None;
        self.miss(id, "was truncated, and no copy of what it held is there");
        let Some(content) = content else { return };
        let found = Found { source, path, metadata: content.metadata.clone(), rotated: false };
        if let Err(error) = self.settle_stranger(key, found, content) {
            // The next scan meets the file as a stranger.
            tracing::debug!(%error, "a truncated log could not be read again at once");
        }
    }

    /// Let go of a log's file, and keep its mark.
    fn retire(&mut self, id: LogId) {
        let known = self.drop_log(id).map(|log| log.known());
        // Of a log that was empty there is nothing to know again.
        if let Some(known) = known.filter(|known| known.mark.offset > 0 || known.mark.head.len > 0) {
            self.past.add(known);
        }
    }

    fn drop_log(&mut self, id: LogId) -> Option<Log> {
        let log = self.followed.remove(&id)?;
        self.files.remove(&log.mark.file());
        Some(log)
    }

    pub(super) fn make_room_after(&mut self, error: &io::Error) {
        if error.raw_os_error() == Some(TOO_MANY_OPEN_FILES) {
            self.open_files_max = (self.open_files_max / 2).max(1);
            self.close_idle();
        }
    }

    pub(super) fn note_opened(&mut self) {
        self.opened += 1;
        if self.opened > self.open_files_max {
            self.close_idle();
        }
    }

    /// Close the files that were not read for longest, down to three quarters of the bound so that this is rare. Those
    /// that could not be opened again by their path go last.
    fn close_idle(&mut self) {
        let mut open: Vec<_> = self.followed.values_mut().filter(|log| log.file.is_some()).collect();
        self.opened = open.len();
        if open.len() <= self.open_files_max {
            return;
        }
        open.sort_by_key(|log| (!log.seen, log.last_turn));
        let excess = open.len() - self.open_files_max * 3 / 4;
        for log in open.into_iter().take(excess) {
            log.close();
            self.opened -= 1;
        }
    }
}

/// The survey of a file that still holds what is known of a log.
fn goes_on(known: &Known, content: &Content) -> io::Result<Option<Survey>> {
    let mark = &known.mark;
    if !mark.head.begins(&content.head()?) {
        return Ok(None);
    }
    if let Some(packing) = content.packing
        && known.resume == mark.offset
        && packing.says_length(&content.file, mark.offset)?
    {
        // Unpacking years of archives only to find nothing new in them would make every start slow.
        return Ok(Some(Survey { len: mark.offset, windows: Vec::new(), end: mark.anchor }));
    }
    let survey = content.survey(&[mark.offset])?;
    let is_same = match survey.windows[0] {
        Some(window) => mark.anchor.len == 0 || window == mark.anchor,
        // Shorter than what was read once: only good if that is to be read again anyway.
        None => known.resume < mark.offset && known.resume <= survey.len,
    };
    Ok(is_same.then_some(survey))
}

/// The furthest line end up to which a content is what was read of one of these logs; and whether lines before it may be
/// new.
fn furthest_common(marks: &[&LogMark], content: &Content, head: &[u8]) -> io::Result<Option<(Common, bool)>> {
    let offsets: Vec<u64> = marks.iter().flat_map(|mark| mark.ladder.offsets()).collect();
    if offsets.is_empty() {
        return Ok(None);
    }
    let survey = content.survey(&offsets)?;
    let mut windows = survey.windows.as_slice();
    let footholds = marks.iter().filter_map(|mark| {
        let (of_mark, rest) = windows.split_at(mark.ladder.offsets().count());
        windows = rest;
        let foothold = mark.ladder.foothold(of_mark)?;
        // Windows up to 4 KiB reach back to the first byte.
        let is_prefix = foothold.offset <= ANCHOR_BYTES_MAX as u64 || mark.head.begins(head);
        is_prefix.then_some((*mark, foothold))
    });
    let Some((mark, foothold)) = footholds.max_by_key(|(_, foothold)| foothold.offset) else { return Ok(None) };
    let (end, head, anchor) = last_line_end(content, &survey, foothold.doubtful_to.unwrap_or(foothold.offset))?;
    let mut ladder = mark.ladder.clone();
    ladder.cut(foothold.offset);
    ladder.leap(end, &anchor);
    Ok(Some((Common { offset: end, head, anchor, ladder }, end > foothold.offset)))
}

/// Whether more may be written to the log: it has the name that its writer knows, and was written to within a day.
fn is_live(path: &Path, stamp: &Stamp, now: DateTime<Utc>) -> bool {
    has_live_name(path) && stamp.is_newer_than(now - TimeDelta::days(1))
}

fn is_name_of(path: &Path, mark: &LogMark) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| FileKey::of(&metadata) == mark.file())
}

fn has_live_name(path: &Path) -> bool {
    let name = file_name(path);
    base_name(&name) == name
}

fn place(found: Found) -> Place {
    let default_service = Arc::from(default_service(&found.path));
    Place { source: found.source, path: found.path, default_service }
}

/// The path that a log and its rotated generations share.
pub(super) fn base_path(path: &Path) -> PathBuf {
    path.with_file_name(base_name(&file_name(path)))
}
