//! One Parquet file a day and host; its footer says which bytes are in it. A commit adds a tally to its
//! days' files, each in one step: a reader sees the file as it was or as it is, never between.
//! This file never changes another host's files, and never overwrites what it cannot read.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use xxhash_rust::xxh3::xxh3_64;

pub use super::completeness::{Completeness, Reason};
pub use super::day_file::Footer;
use super::day_file::{ReadError, encode, read_footer, read_tally};
use super::tally::Tally;
use crate::collect::log::{LogId, LogMark};
use crate::day::Day;

/// Bytes of a host's name that go into its file's name; file systems allow 255 for the whole.
const HOST_BYTES_MAX: usize = 128;
/// Unreadable files kept a day and host. A disk that damages more needs a human, not another copy.
const CORRUPT_MAX: u32 = 99;

/// One host's view of the ledger under a state directory.
#[derive(Clone, Debug)]
pub struct Ledger {
    state_dir: PathBuf,
    host: String,
}

/// What a commit did: the days that are on disk, and the first that failed, with the reason.
///
/// A day is in both when its file is in place but the directory could not be made durable: its rows must
/// not be added again, and no state that relies on them should be written before a later commit succeeds.
#[derive(Debug)]
pub struct Committed {
    pub written: BTreeMap<Day, Written>,
    pub failed: Option<(Day, anyhow::Error)>,
}

/// What a commit made of a day's file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// How many the file holds now.
    pub requests: u64,
    /// The file that was there made no sense: it is kept under another name, and the day says so.
    pub set_aside: Option<Reason>,
}

/// A day file's path in three steps, so that commits and tests say it once.
struct DayPath {
    folder: PathBuf,
    file: PathBuf,
    temporary: PathBuf,
}

/// What was there before a commit.
enum Old {
    None,
    File(Box<(Footer, Tally)>),
    /// It makes no sense, and why; it is kept under this name before another takes its place.
    Unreadable {
        what: String,
        aside: PathBuf,
    },
}

impl Ledger {
    /// The ledger under this state directory; nothing is created before the first commit.
    pub fn new(state_dir: &Path, host: &str) -> Ledger {
        Ledger { state_dir: state_dir.to_owned(), host: host.to_owned() }
    }

    /// Whose files it writes.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Add the tally's rows to their days' files, each with these marks (and the older marks that it had
    /// for other logs). `at_least` adds to what the file says: at_least stays at_least.
    ///
    /// Each day is written in one step. One that fails keeps no other from being saved; the first failure is told.
    pub fn commit(
        &self,
        tally: &Tally,
        marks: &BTreeMap<Day, Vec<LogMark>>,
        at_least: &BTreeMap<Day, Completeness>,
    ) -> Committed {
        let mut days = tally.days();
        days.extend(marks.keys().chain(at_least.keys()));
        let mut done = Committed { written: BTreeMap::new(), failed: None };
        for day in days {
            let marks = marks.get(&day).map_or(&[][..], Vec::as_slice);
            let reasons = at_least.get(&day).map_or(&[][..], Completeness::reasons);
            let synced = self.replace(day, tally, marks, reasons).and_then(|written| {
                done.written.insert(day, written);
                self.sync(day)
            });
            if let Err(error) = synced {
                done.failed.get_or_insert((day, error));
            }
        }
        done
    }

    /// The footers of all day files here, of whichever host: a host that changed its name goes on where it was.
    /// A file that cannot be understood tells of no marks and makes its day `at_least`; it holds back no start,
    /// and the next commit to its day sets it aside.
    pub fn footers(&self) -> anyhow::Result<Vec<Footer>> {
        let mut footers = Vec::new();
        for (day, host, path) in self.files()? {
            match read_footer(&path) {
                Ok(footer) => footers.push(footer),
                Err(ReadError::Corrupt(what)) => {
                    tracing::warn!(path = %path.display(), "day file is unreadable: {what}");
                    let mut footer = empty_footer(&host, day);
                    footer.completeness.add([unreadable(&path, day, &what)]);
                    footers.push(footer);
                }
                Err(error) => return Err(cannot_read(&path, error)),
            }
        }
        Ok(footers)
    }

    /// Every day file of every host, in order of day, then host (as its file is named).
    pub fn files(&self) -> anyhow::Result<Vec<(Day, String, PathBuf)>> {
        let mut files = Vec::new();
        for (day, folder) in self.folders()? {
            for path in entries(&folder)? {
                if let Some(host) = host_of(&path) {
                    files.push((day, host, path));
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// Where this host's file of a day is, or would be.
    pub fn file(&self, day: Day) -> PathBuf {
        self.path(day).file
    }

    /// Forget this host's days before `day`, with what was set aside in them; gives the days forgotten.
    pub fn remove_before(&self, day: Day) -> anyhow::Result<Vec<Day>> {
        let mut removed = Vec::new();
        for (old, folder) in self.folders()?.into_iter().filter(|(old, _)| *old < day) {
            if self.remove_from(&folder)? {
                removed.push(old);
            }
        }
        Ok(removed)
    }

    /// Remove this host's files from a day's folder, and the folder when that leaves it empty.
    fn remove_from(&self, folder: &Path) -> anyhow::Result<bool> {
        let file = self.file_name();
        let mut removed = false;
        for path in entries(folder)? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name == file || name.starts_with(&format!("{file}.corrupt-")) || name == temporary_name(&file) {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
                removed |= name == file;
            }
        }
        match fs::remove_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(removed),
            gone => gone.map(|()| removed).with_context(|| format!("cannot remove {}", folder.display())),
        }
    }

    /// Everything of one day, up to and with the rename.
    fn replace(&self, day: Day, tally: &Tally, marks: &[LogMark], reasons: &[Reason]) -> anyhow::Result<Written> {
        let path = self.path(day);
        let mut footer = empty_footer(&self.host, day);
        let mut rows = Tally::default();
        let (mut before, mut kept_as, mut set_aside) = (None, None, None);
        match self.readable(&path)? {
            Old::None => {}
            Old::Unreadable { what, aside } => {
                let what = format!("the day's file was unreadable ({what}) and is kept as {}", aside.display());
                let reason = Reason::of_day(day, what);
                footer.completeness.add([reason.clone()]);
                (kept_as, set_aside) = (Some(aside), Some(reason));
            }
            Old::File(file) => {
                (footer, rows) = *file;
                before = Some(footer.clone());
            }
        }
        rows.add_day(tally, day);
        let requests = rows.requests();
        footer.requests = Some(requests);
        footer.marks = union(footer.marks, marks);
        footer.completeness.add(reasons.iter().cloned());
        // Each row holds at least one request, so that equal footers are equal rows.
        if before.as_ref() == Some(&footer) {
            return Ok(Written { requests, set_aside });
        }
        fs::create_dir_all(&path.folder).with_context(|| format!("cannot create {}", path.folder.display()))?;
        let bytes = encode(&mut rows.ledger_rows(&self.host), &footer)?;
        write_durably(&path.temporary, &bytes).with_context(|| format!("cannot write {}", path.temporary.display()))?;
        if let Some(aside) = kept_as {
            // Only now, so that a commit that failed or died before finds the same file and gives the same reason.
            keep(&path.file, &aside).with_context(|| format!("cannot keep {}", aside.display()))?;
        }
        fs::rename(&path.temporary, &path.file)
            .with_context(|| format!("cannot put {} in place", path.file.display()))?;
        Ok(Written { requests, set_aside })
    }

    /// The day's file; one that makes no sense comes with a free name to keep it under.
    fn readable(&self, path: &DayPath) -> anyhow::Result<Old> {
        match read_tally(&path.file) {
            Ok(file) => Ok(Old::File(Box::new(file))),
            Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(Old::None),
            Err(ReadError::Corrupt(what)) => {
                let aside =
                    free_name(&path.file).with_context(|| format!("{} is unreadable: {what}", path.file.display()))?;
                Ok(Old::Unreadable { what, aside })
            }
            Err(error) => Err(cannot_read(&path.file, error)),
        }
    }

    fn usage(&self) -> PathBuf {
        self.state_dir.join("usage")
    }

    fn path(&self, day: Day) -> DayPath {
        let folder = self.usage().join(format!("date={day}"));
        let name = self.file_name();
        DayPath { file: folder.join(&name), temporary: folder.join(temporary_name(&name)), folder }
    }

    fn file_name(&self) -> String {
        format!("{}.parquet", file_stem(&self.host))
    }

    /// Make a day's rename durable, and the folders it lies in, which this or an earlier commit created.
    fn sync(&self, day: Day) -> anyhow::Result<()> {
        sync_folder(&self.path(day).folder)?;
        sync_folder(&self.usage())?;
        sync_folder(&self.state_dir)
    }

    /// The folders of days, in order.
    fn folders(&self) -> anyhow::Result<Vec<(Day, PathBuf)>> {
        let mut folders = Vec::new();
        for path in entries(&self.usage())? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if let Some(Ok(day)) = name.strip_prefix("date=").map(str::parse::<Day>) {
                folders.push((day, path));
            }
        }
        folders.sort();
        Ok(folders)
    }
}

/// The footer of a file that is not there, or cannot be read.
fn empty_footer(host: &str, day: Day) -> Footer {
    let host = host.to_owned();
    Footer { host, day, requests: None, marks: Vec::new(), completeness: Completeness::Exact }
}

/// Why the counts of a day are not there.
pub(super) fn unreadable(path: &Path, day: Day, what: &str) -> Reason {
    Reason::of_day(day, format!("{} is unreadable: {what}", path.display()))
}

fn cannot_read(path: &Path, error: ReadError) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("cannot read {}", path.display()))
}

/// The first `.corrupt-N` that is free.
fn free_name(path: &Path) -> anyhow::Result<PathBuf> {
    let mut names = (1..=CORRUPT_MAX).map(|number| PathBuf::from(format!("{}.corrupt-{number}", path.display())));
    names.find(|name| !name.exists()).with_context(|| format!("{CORRUPT_MAX} like it are kept already; remove some"))
}

/// A second name for a file's bytes, or a copy where the file system has no second names.
fn keep(path: &Path, aside: &Path) -> io::Result<()> {
    fs::hard_link(path, aside).or_else(|_| fs::copy(path, aside).map(drop))
}

/// All logs' marks; of two for the same log the newer.
fn union(old: Vec<LogMark>, new: &[LogMark]) -> Vec<LogMark> {
    let mut marks: BTreeMap<LogId, LogMark> = old.into_iter().map(|mark| (mark.id, mark)).collect();
    for mark in new {
        // A day's last arrivals stay its last, whatever else is added to it.
        let arrived = marks.get(&mark.id).map_or(0, |old| old.arrived).max(mark.arrived);
        marks.insert(mark.id, LogMark { arrived, ..mark.clone() });
    }
    marks.into_values().collect()
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Make names in a folder durable.
fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.with_context(|| format!("cannot make {} durable", folder.display()))
}

/// A folder's entries; none where there is no folder.
fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()),
    };
    listed.with_context(|| format!("cannot list {}", folder.display()))
}

/// The host that a day file's name tells; `None` for every other file.
fn host_of(path: &Path) -> Option<String> {
    let host = path.file_name()?.to_str()?.strip_suffix(".parquet")?;
    (!host.starts_with('.')).then(|| host.to_owned())
}

/// Hidden, and with an ending that no reader of `*.parquet` matches.
fn temporary_name(file_name: &str) -> String {
    format!(".{file_name}.tmp")
}

/// A host's name as a file's: other characters than letters, digits, `-`, `_` and inner dots become `_`, and
/// a hash keeps two hosts apart that would then look the same.
fn file_stem(host: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let stem: String = host.chars().map(|c| if fits(c) { c } else { '_' }).take(HOST_BYTES_MAX).collect();
    let stem = stem.trim_start_matches('.');
    if stem == host && !host.is_empty() { host.to_owned() } else { format!("{stem}_{:016x}", xxh3_64(host.as_bytes())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::log::Fingerprint;
    use crate::count::batch;
    use crate::count::day_file::read_day;
    use crate::count::sample::{Sample, any_samples, decoded, sample};
    use polars::prelude::Column;
    use proptest::prelude::*;

    const DAY: &str = "2026-11-22";

    struct Fixture {
        dir: tempfile::TempDir,
        ledger: Ledger,
    }

    fn fixture() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(dir.path(), "web-1");
        Fixture { dir, ledger }
    }

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn tally(samples: &[Sample]) -> Tally {
        let mut tally = Tally::default();
        tally.add(&mut decoded(samples));
        tally
    }

    fn one_request() -> Tally {
        tally(&[sample("2026-11-22T10:00:00Z", "/a", 200, 1)])
    }

    fn mark(id: u64, offset: u64) -> LogMark {
        let (head, anchor) = (Fingerprint::default(), Fingerprint::default());
        let path = "/var/log/app.log".to_owned();
        LogMark {
            id: LogId(id),
            path,
            device: 1,
            inode: 2,
            born_ns: None,
            head,
            begun: 0,
            offset,
            anchor,
            ladder: Default::default(),
            open: false,
            missing_since: None,
            format: None,
            cursor: None,
            backlog: 0,
            arrived: 0,
        }
    }

    fn doubt(what: &str) -> BTreeMap<Day, Completeness> {
        let mut completeness = Completeness::Exact;
        completeness.add([Reason::of_day(day(DAY), what.to_owned())]);
        BTreeMap::from([(day(DAY), completeness)])
    }

    fn days(written: &BTreeMap<Day, Written>) -> Vec<Day> {
        written.keys().copied().collect()
    }

    impl Fixture {
        /// Commit without marks; it must succeed.
        fn commit(&self, tally: &Tally) {
            let committed = self.ledger.commit(tally, &BTreeMap::new(), &BTreeMap::new());
            assert!(committed.failed.is_none(), "{:?}", committed.failed);
        }

        fn file(&self, day: &str) -> PathBuf {
            self.dir.path().join(format!("usage/date={day}/web-1.parquet"))
        }

        fn requests(&self, day: &str) -> u64 {
            let tally = Tally::of_ledger_rows(&read_day(&self.file(day), None).unwrap().rows).unwrap();
            tally.rows().iter().map(|(_, _, requests, _)| requests).sum()
        }

        fn names(&self, day: &str) -> Vec<String> {
            let listed = entries(&self.dir.path().join(format!("usage/date={day}"))).unwrap();
            let mut names: Vec<_> =
                listed.iter().map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        }

        /// The footer of the one day there is.
        fn footer(&self) -> Footer {
            let footers = self.ledger.footers().unwrap();
            assert_eq!(footers.len(), 1);
            footers[0].clone()
        }
    }

    #[test]
    fn nothing_is_created_before_the_first_commit() {
        let fixture = fixture();
        assert!(fixture.ledger.files().unwrap().is_empty());
        assert!(fixture.ledger.footers().unwrap().is_empty());
        assert_eq!(entries(fixture.dir.path()).unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn commits_add_up_in_their_days_files() {
        let fixture = fixture();
        fixture.commit(&tally(&[
            sample("2026-11-22T10:00:00Z", "/a", 200, 1),
            sample("2026-11-23T10:00:00Z", "/a", 200, 1),
        ]));
        fixture.commit(&one_request());
        assert_eq!((fixture.requests(DAY), fixture.requests("2026-11-23")), (2, 1));
        let files: Vec<_> =
            fixture.ledger.files().unwrap().into_iter().map(|(day, host, _)| (day.to_string(), host)).collect();
        assert_eq!(files, [(DAY.to_owned(), "web-1".to_owned()), ("2026-11-23".to_owned(), "web-1".to_owned())]);
        assert_eq!(fixture.names(DAY), ["web-1.parquet"], "no temporary file stays");
    }

    #[test]
    fn a_newer_mark_replaces_its_logs_older_and_other_logs_keep_theirs() {
        let fixture = fixture();
        let commit = |marks: Vec<LogMark>| {
            fixture.ledger.commit(&Tally::default(), &BTreeMap::from([(day(DAY), marks)]), &BTreeMap::new())
        };
        let written = commit(vec![mark(1, 10), mark(2, 20)]).written;
        assert_eq!(days(&written), [day(DAY)], "a day of marks alone is written");
        commit(vec![mark(2, 25), mark(3, 30)]);
        let footer = fixture.footer();
        assert_eq!(footer.marks, [mark(1, 10), mark(2, 25), mark(3, 30)]);
        assert_eq!((footer.host.as_str(), footer.day, footer.requests), ("web-1", day(DAY), Some(0)));
    }

    #[test]
    fn at_least_stays_with_each_reason_once() {
        let fixture = fixture();
        for what in ["lost", "cut", "lost"] {
            fixture.ledger.commit(&one_request(), &BTreeMap::new(), &doubt(what));
        }
        fixture.commit(&one_request());
        let reasons = ["lost", "cut"].map(|what| Reason::of_day(day(DAY), what.to_owned())).to_vec();
        assert_eq!(fixture.footer().completeness, Completeness::AtLeast { reasons });
    }

    #[test]
    fn a_day_of_which_only_a_loss_is_known_has_a_file_that_says_so() {
        let fixture = fixture();
        let committed = fixture.ledger.commit(&Tally::default(), &BTreeMap::new(), &doubt("lost"));
        assert_eq!(days(&committed.written), [day(DAY)]);
        assert_eq!(fixture.requests(DAY), 0);
        assert!(!fixture.footer().completeness.is_exact());
        fixture.commit(&one_request());
        assert_eq!(fixture.requests(DAY), 1);
        assert!(!fixture.footer().completeness.is_exact());
    }

    #[test]
    fn a_crash_before_the_rename_leaves_the_old_file_and_the_next_commit_works() {
        let fixture = fixture();
        fixture.commit(&one_request());
        let left = fixture.file(DAY).with_file_name(".web-1.parquet.tmp");
        fs::write(&left, b"half a file").unwrap();
        assert_eq!(fixture.ledger.files().unwrap().len(), 1);
        fixture.commit(&one_request());
        assert_eq!(fixture.requests(DAY), 2);
        assert!(!left.exists());
    }

    #[test]
    fn a_day_that_fails_shows_nothing_and_keeps_no_other_from_being_saved() {
        let fixture = fixture();
        let blocked = fixture.dir.path().join("usage/date=2026-11-23");
        fs::create_dir_all(blocked.parent().unwrap()).unwrap();
        fs::write(&blocked, b"in the way").unwrap();
        let at = |day: u32| {
            sample(["2026-11-22T10:00:00Z", "2026-11-23T10:00:00Z", "2026-11-24T10:00:00Z"][day as usize], "/a", 200, 1)
        };
        let mut tally = tally(&[at(0), at(1), at(2)]);
        let committed = fixture.ledger.commit(&tally, &BTreeMap::new(), &BTreeMap::new());
        let (failed, error) = committed.failed.unwrap();
        assert_eq!((days(&committed.written), failed), (vec![day(DAY), day("2026-11-24")], day("2026-11-23")));
        assert!(format!("{error:#}").contains("date=2026-11-23"), "{error:#}");

        fs::remove_file(&blocked).unwrap();
        tally.take_days(&committed.written.into_keys().collect());
        fixture.commit(&tally);
        for day in [DAY, "2026-11-23", "2026-11-24"] {
            assert_eq!(fixture.requests(day), 1);
        }
    }

    #[test]
    fn an_unreadable_file_is_set_aside_and_the_day_says_so() {
        let fixture = fixture();
        for round in 1..=2 {
            fixture.commit(&one_request());
            fs::write(fixture.file(DAY), b"not parquet").unwrap();
            assert_ne!(fixture.footer().completeness, Completeness::Exact, "it holds back no start, and is told");
            let committed = fixture.ledger.commit(&one_request(), &BTreeMap::new(), &BTreeMap::new());
            assert!(committed.written[&day(DAY)].set_aside.is_some(), "who runs is told at once");
            assert_eq!(fixture.requests(DAY), 1);
            let aside = fixture.file(DAY).with_file_name(format!("web-1.parquet.corrupt-{round}"));
            assert_eq!(fs::read(&aside).unwrap(), b"not parquet");
            let Completeness::AtLeast { reasons } = fixture.footer().completeness.clone() else {
                panic!("the day must be at_least");
            };
            assert!(reasons[0].what.contains(&aside.display().to_string()), "{reasons:?}");
            assert_eq!(fixture.ledger.files().unwrap().len(), 1);
        }
    }

    /// Found by the fuzz target `footer`: such a file was added to, which took the whole program down.
    #[test]
    fn a_file_whose_rows_lost_their_values_is_set_aside_too() {
        let fixture = fixture();
        fixture.commit(&one_request());
        for column in [batch::REQUESTS, batch::DURATION_MS] {
            let mut rows = one_request().ledger_rows("web-1");
            let nothing = Column::full_null(column.into(), 1, rows.column(column).unwrap().dtype());
            rows.with_column(nothing).unwrap();
            fs::write(fixture.file(DAY), encode(&mut rows, &fixture.footer()).unwrap()).unwrap();
            fixture.commit(&one_request());
            assert_eq!(fixture.requests(DAY), 1);
            assert_ne!(fixture.footer().completeness, Completeness::Exact);
        }
        assert_eq!(fixture.names(DAY), ["web-1.parquet", "web-1.parquet.corrupt-1", "web-1.parquet.corrupt-2"]);
    }

    #[test]
    fn a_commit_that_fails_on_an_unreadable_file_forgets_no_reason() {
        let fixture = fixture();
        fixture.commit(&one_request());
        fs::write(fixture.file(DAY), b"not parquet").unwrap();
        let blocked = fixture.file(DAY).with_file_name(".web-1.parquet.tmp");
        fs::create_dir(&blocked).unwrap();
        assert!(fixture.ledger.commit(&one_request(), &BTreeMap::new(), &BTreeMap::new()).failed.is_some());
        fs::remove_dir(&blocked).unwrap();
        fixture.commit(&one_request());
        assert_ne!(fixture.footer().completeness, Completeness::Exact);
        assert_eq!(fixture.names(DAY), ["web-1.parquet", "web-1.parquet.corrupt-1"]);
    }

    #[test]
    fn a_file_that_a_newer_version_wrote_is_left_alone() {
        let fixture = fixture();
        let bytes = super::super::day_file::of_a_newer_version(&mut one_request().ledger_rows("web-1"));
        fs::create_dir_all(fixture.file(DAY).parent().unwrap()).unwrap();
        fs::write(fixture.file(DAY), &bytes).unwrap();
        let error = fixture.ledger.commit(&one_request(), &BTreeMap::new(), &BTreeMap::new()).failed.unwrap().1;
        assert!(format!("{error:#}").contains("a newer daycap wrote"), "{error:#}");
        assert_eq!(fs::read(fixture.file(DAY)).unwrap(), bytes);
    }

    #[test]
    fn a_file_of_an_older_version_is_added_to_and_keeps_its_reasons() {
        let fixture = fixture();
        let bytes = super::super::day_file::of_version_1(&mut one_request().ledger_rows("web-1"), day(DAY));
        fs::create_dir_all(fixture.file(DAY).parent().unwrap()).unwrap();
        fs::write(fixture.file(DAY), bytes).unwrap();
        fixture.commit(&one_request());
        assert_eq!((fixture.requests(DAY), fixture.footer().requests), (2, Some(2)));
        assert_eq!(fixture.footer().completeness.reasons(), [Reason::of_day(day(DAY), "cut".to_owned())]);
    }

    #[test]
    fn a_commit_that_changes_nothing_writes_nothing() {
        let fixture = fixture();
        let marks = BTreeMap::from([(day(DAY), vec![mark(1, 10)])]);
        fixture.ledger.commit(&one_request(), &marks, &BTreeMap::new());
        fs::set_permissions(fixture.file(DAY), std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
        let written = fixture.ledger.commit(&Tally::default(), &marks, &BTreeMap::new()).written;
        assert_eq!(days(&written), [day(DAY)]);
        assert_eq!(written[&day(DAY)].requests, 1);
        assert!(fs::metadata(fixture.file(DAY)).unwrap().permissions().readonly(), "the same file is still there");
    }

    #[test]
    fn old_days_of_this_host_are_forgotten_and_others_stay() {
        let fixture = fixture();
        fixture.commit(&tally(&[
            sample("2026-11-20T10:00:00Z", "/a", 200, 1),
            sample("2026-11-21T10:00:00Z", "/a", 200, 1),
        ]));
        fixture.commit(&one_request());
        let other = fixture.file("2026-11-21").with_file_name("web-2.parquet");
        fs::copy(fixture.file("2026-11-21"), &other).unwrap();
        assert_eq!(fixture.ledger.remove_before(day(DAY)).unwrap(), [day("2026-11-20"), day("2026-11-21")]);
        let left: Vec<_> =
            fixture.ledger.files().unwrap().into_iter().map(|(day, host, _)| format!("{day} {host}")).collect();
        assert_eq!(left, ["2026-11-21 web-2", "2026-11-22 web-1"]);
        assert!(!fixture.dir.path().join("usage/date=2026-11-20").exists());
    }

    #[test]
    fn any_host_name_makes_a_file_name_of_its_own() {
        assert_eq!(file_stem("web-1.example"), "web-1.example");
        let odd = ["a/b", "a_b", "../x", ".hidden", "", "größe", &"x".repeat(300)].map(file_stem);
        for (at, stem) in odd.iter().enumerate() {
            assert!(!stem.is_empty() && !stem.starts_with('.') && !stem.contains('/') && stem.len() < 200, "{stem}");
            assert!(!odd[..at].contains(stem));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn commits_in_any_split_give_the_file_of_one(samples in any_samples(), chunk in 1_usize..30) {
            let (parts, whole) = (fixture(), fixture());
            for samples in samples.chunks(chunk) {
                parts.commit(&tally(samples));
            }
            whole.commit(&tally(&samples));
            let rows = |(_, _, path): &(Day, String, PathBuf)| read_day(path, None).unwrap().rows;
            let (parts, whole) = (parts.ledger.files().unwrap(), whole.ledger.files().unwrap());
            prop_assert_eq!(parts.len(), whole.len());
            prop_assert!(parts.iter().zip(&whole).all(|(part, whole)| rows(part).equals_missing(&rows(whole))));
        }

        /// Whatever happens to a file's bytes, a commit ends in an answer, and what it could not read is kept.
        #[test]
        fn damage_is_never_overwritten(samples in any_samples(), at in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<bool>()) {
            prop_assume!(!samples.is_empty());
            let fixture = fixture();
            fixture.commit(&tally(&samples));
            let (_, _, path) = fixture.ledger.files().unwrap().remove(0);
            let mut bytes = fs::read(&path).unwrap();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
            fs::write(&path, &bytes).unwrap();
            let unreadable = matches!(read_day(&path, None), Err(ReadError::Corrupt(_)));
            let committed = fixture.ledger.commit(&tally(&samples), &BTreeMap::new(), &BTreeMap::new());
            let kept = PathBuf::from(format!("{}.corrupt-1", path.display()));
            if committed.failed.is_none() && unreadable {
                prop_assert_eq!(fs::read(kept).unwrap(), bytes);
            }
        }
    }
}
