//! `<state>/state.json`: all marks, what was already said, what is still to be delivered or summarised. Written after
//! the ledger, so that it never claims a line that no day file holds. This file never counts and never
//! decides what a mark means.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::collect::log::LogMark;
use crate::collect::observed::Observation;
use crate::day::{Day, Minute};
use crate::outbox::{self, Outbox};
use crate::publish::{alert, trouble};
use crate::silence::Habit;

const VERSION: u32 = 1;

/// What must survive a restart beside the ledger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub marks: Vec<LogMark>,
    pub alerts: alert::Memory,
    /// Days with counts that no summary tells yet.
    pub unsummarised: BTreeSet<Day>,
    /// By source name: the newest request seen.
    pub last_request: BTreeMap<String, Minute>,
    /// When this was saved: what happened to logs before, its marks know.
    #[serde(default)]
    pub saved: Option<DateTime<Utc>>,
    /// By source name: how long it uses to be silent.
    #[serde(default)]
    pub habits: BTreeMap<String, Habit>,
    #[serde(default)]
    pub troubles: trouble::Memory,
    /// The newest days, and how many requests the file of each host held when it was last written: a file that is
    /// gone, or was replaced by an older one, must not look like a day without requests.
    #[serde(default)]
    pub held: Held,
    /// By quota name: the last that servers said of it. Unlike counts, no ledger has it.
    #[serde(default)]
    pub observed: BTreeMap<String, Observation>,
    /// Messages that have not arrived yet.
    #[serde(default, deserialize_with = "outbox::lenient")]
    pub outbox: Outbox,
}

/// By day and host: how many requests a file held when it was last written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Held(BTreeMap<Day, BTreeMap<String, u64>>);

/// Days of which is known how many requests their files held: the forecast's history and the month before it.
const HELD_DAYS_MAX: usize = 60;

impl Held {
    /// The day's file of this host holds so many now.
    pub fn note(&mut self, day: Day, host: &str, requests: u64) {
        self.0.entry(day).or_default().insert(host.to_owned(), requests);
        while self.0.len() > HELD_DAYS_MAX {
            self.0.pop_first();
        }
    }

    pub fn files(&self) -> impl Iterator<Item = (Day, &str, u64)> {
        self.0.iter().flat_map(|(day, hosts)| hosts.iter().map(|(host, requests)| (*day, host.as_str(), *requests)))
    }

    /// No file of a day before this one is kept.
    pub fn forget_before(&mut self, day: Day) {
        self.0 = self.0.split_off(&day);
    }
}

/// What was found at start.
#[derive(Debug, PartialEq)]
pub enum Loaded {
    /// No state was ever written here.
    Fresh,
    Good(State),
    /// The current file cannot be used; the one before it is good, and older.
    Previous(State, String),
    /// No file can be used. The ledger's footers still tell what is counted.
    Lost(String),
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    version: u32,
    /// xxh3 of `state`'s text, 16 hex digits.
    checksum: String,
    state: Box<RawValue>,
}

fn current(dir: &Path) -> PathBuf {
    dir.join("state.json")
}

fn previous(dir: &Path) -> PathBuf {
    dir.join("state.previous.json")
}

/// Write the state so that a crash at any point leaves the old one or the new one.
pub fn save(dir: &Path, state: &State) -> anyhow::Result<()> {
    let body = serde_json::value::to_raw_value(state)?;
    let envelope = Envelope { version: VERSION, checksum: checksum(body.get()), state: body };
    let temporary = dir.join(".state.json.tmp");
    write_durably(&temporary, &serde_json::to_vec(&envelope)?)
        .with_context(|| format!("cannot write {}", temporary.display()))?;
    keep_previous(dir)?;
    fs::rename(&temporary, current(dir)).with_context(|| format!("cannot replace {}", current(dir).display()))?;
    File::open(dir)?.sync_all().with_context(|| format!("cannot sync {}", dir.display()))
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A second name for the current file, so that replacing it keeps the one before.
fn keep_previous(dir: &Path) -> anyhow::Result<()> {
    let (now, kept) = (current(dir), previous(dir));
    // File systems without hard links get a copy.
    let keep = || fs::hard_link(&now, &kept).or_else(|_| fs::copy(&now, &kept).map(drop));
    for result in [fs::remove_file(&kept), keep()] {
        match result {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot keep {} as {}", now.display(), kept.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn checksum(text: &str) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
}

/// Read the state; a bad file is never taken for empty.
pub fn load(dir: &Path) -> anyhow::Result<Loaded> {
    let bad = match read(&current(dir)) {
        Ok(Some(state)) => return Ok(Loaded::Good(state)),
        Ok(None) => format!("{} is missing", current(dir).display()),
        Err(error) => format!("{error:#}"),
    };
    match read(&previous(dir)) {
        Ok(Some(state)) => Ok(Loaded::Previous(state, bad)),
        Ok(None) if !dir.join("usage").exists() && !current(dir).exists() => Ok(Loaded::Fresh),
        Ok(None) => Ok(Loaded::Lost(bad)),
        Err(error) => Ok(Loaded::Lost(format!("{bad}; {error:#}"))),
    }
}

fn read(path: &Path) -> anyhow::Result<Option<State>> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let envelope: Envelope =
        serde_json::from_slice(&bytes).with_context(|| format!("{} is not a daycap state", path.display()))?;
    anyhow::ensure!(
        envelope.version == VERSION,
        "{} has version {}; this daycap reads version {VERSION}",
        path.display(),
        envelope.version
    );
    anyhow::ensure!(
        envelope.checksum == checksum(envelope.state.get()),
        "{} is corrupt: its checksum differs",
        path.display()
    );
    serde_json::from_str(envelope.state.get())
        .map(Some)
        .with_context(|| format!("{} cannot be understood", path.display()))
}

/// Give a bad state file a name of its own, so that the next save does not overwrite the evidence. For
/// the holder of the lock only.
pub fn set_bad_aside(dir: &Path) -> anyhow::Result<Option<PathBuf>> {
    if read(&current(dir)).is_ok() {
        return Ok(None);
    }
    // A thousand corrupt states are a machine to look at, not to go on with.
    for number in 1..1000 {
        let aside = dir.join(format!("state.json.corrupt-{number}"));
        if !aside.exists() {
            fs::rename(current(dir), &aside)
                .with_context(|| format!("cannot move {} aside", current(dir).display()))?;
            return Ok(Some(aside));
        }
    }
    anyhow::bail!("{} and 999 earlier ones are corrupt; look at the disk, then remove them", current(dir).display())
}

/// Held while a process may write this state directory.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Take the directory's lock, or say who holds it.
pub fn lock(dir: &Path) -> anyhow::Result<Result<Lock, String>> {
    fs::create_dir_all(dir).with_context(|| {
        format!("cannot make the state directory {}; give another with --state or state.dir", dir.display())
    })?;
    let path = dir.join("lock");
    let mut file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            file.set_len(0)?;
            write!(file, "{}", std::process::id())?;
            Ok(Ok(Lock { _file: file }))
        }
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let holder = fs::read_to_string(&path).unwrap_or_default();
            Ok(Err(format!("state directory {} is in use by process {}", dir.display(), holder.trim())))
        }
        Err(error) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(minute: u32) -> State {
        State { last_request: BTreeMap::from([("a".to_owned(), Minute(minute))]), ..State::default() }
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(load(dir.path()).expect("loads"), Loaded::Fresh);
        save(dir.path(), &state(7)).expect("saves");
        assert_eq!(load(dir.path()).expect("loads"), Loaded::Good(state(7)));
    }

    #[test]
    fn a_flipped_bit_is_noticed_and_the_state_before_it_used() {
        let dir = tempfile::tempdir().expect("a directory");
        save(dir.path(), &state(7)).expect("saves");
        save(dir.path(), &state(8)).expect("saves");
        let text = fs::read_to_string(current(dir.path())).expect("reads");
        fs::write(current(dir.path()), text.replace("{\"a\":8}", "{\"a\":9}")).expect("writes");
        let Loaded::Previous(found, why) = load(dir.path()).expect("loads") else { panic!("not the previous one") };
        assert_eq!(found, state(7));
        assert!(why.contains("checksum differs"), "{why}");
        let aside = set_bad_aside(dir.path()).expect("moves").expect("was bad");
        assert_eq!(aside, dir.path().join("state.json.corrupt-1"));
        assert_eq!(set_bad_aside(dir.path()).expect("moves"), None);
    }

    #[test]
    fn a_state_that_is_cut_or_flipped_anywhere_is_never_fresh_and_never_another() {
        let dir = tempfile::tempdir().expect("a directory");
        save(dir.path(), &state(7)).expect("saves");
        save(dir.path(), &state(8)).expect("saves");
        let whole = fs::read(current(dir.path())).expect("reads");
        let damaged = (0..whole.len()).flat_map(|at| {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            [whole[..at].to_vec(), flipped]
        });
        for bytes in damaged {
            fs::write(current(dir.path()), &bytes).expect("writes");
            match load(dir.path()).expect("loads") {
                Loaded::Previous(found, _) => assert_eq!(found, state(7)),
                other => panic!("{other:?} of {:?}", String::from_utf8_lossy(&bytes)),
            }
        }
        let kept = fs::read(previous(dir.path())).expect("reads");
        for length in 0..kept.len() {
            fs::write(previous(dir.path()), &kept[..length]).expect("writes");
            fs::write(current(dir.path()), &whole[..length]).expect("writes");
            assert!(matches!(load(dir.path()).expect("loads"), Loaded::Lost(_)), "{length} bytes");
        }
    }

    /// As daycap 0.1.0 wrote it; another version's is no state, and not fresh either.
    #[test]
    fn an_older_state_is_read_and_an_unknown_version_is_not_taken_for_empty() {
        let dir = tempfile::tempdir().expect("a directory");
        let body = r#"{"marks":[],"alerts":{"said":{}},"unsummarised":["2026-11-22"],"last_request":{"a":7}}"#;
        let write = |version: u32| {
            let text = format!(r#"{{"version":{version},"checksum":"{}","state":{body}}}"#, checksum(body));
            fs::write(current(dir.path()), text).expect("writes");
            load(dir.path()).expect("loads")
        };
        let day = "2026-11-22".parse().expect("a day");
        assert_eq!(write(1), Loaded::Good(State { unsummarised: BTreeSet::from([day]), ..state(7) }));
        for version in [0, 2] {
            assert!(matches!(write(version), Loaded::Lost(why) if why.contains("reads version 1")), "{version}");
        }
    }

    #[test]
    fn messages_of_another_version_do_not_cost_the_marks() {
        let dir = tempfile::tempdir().expect("a directory");
        save(dir.path(), &state(7)).expect("saves");
        let text = fs::read_to_string(current(dir.path())).expect("reads");
        let start = text.find("\"state\":").expect("a state") + "\"state\":".len();
        let body = text[start..text.len() - 1].replace("\"desks\":{}", "\"desks\":{\"ops\":[\"of tomorrow\"]}");
        let text = format!(r#"{{"version":1,"checksum":"{}","state":{body}}}"#, checksum(&body));
        fs::write(current(dir.path()), text).expect("writes");
        let Loaded::Good(found) = load(dir.path()).expect("loads") else { panic!("not good") };
        assert_eq!(found.last_request, state(7).last_request);
        assert_ne!(found.outbox, Outbox::default(), "it is to be said");
    }

    #[test]
    fn only_the_newest_days_files_are_known_by_their_requests() {
        let mut held = Held::default();
        let first: Day = "2026-01-01".parse().expect("a day");
        for age in 0..100 {
            held.note(first.plus(age), "app-1", 5);
            held.note(first.plus(age), "app-1", 6);
        }
        assert_eq!(held.files().count(), HELD_DAYS_MAX);
        assert_eq!(held.files().last(), Some((first.plus(99), "app-1", 6)));
        held.forget_before(first.plus(98));
        assert_eq!(held.files().count(), 2);
    }

    #[test]
    fn a_lost_state_beside_a_ledger_is_not_a_fresh_start() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("usage")).expect("a directory");
        assert!(matches!(load(dir.path()).expect("loads"), Loaded::Lost(_)));
        fs::write(current(dir.path()), "garbage").expect("writes");
        assert!(matches!(load(dir.path()).expect("loads"), Loaded::Lost(why) if why.contains("not a daycap state")));
    }

    #[test]
    fn a_second_lock_names_the_holder() {
        let dir = tempfile::tempdir().expect("a directory");
        let held = lock(dir.path()).expect("locks").expect("is free");
        let refused = lock(dir.path()).expect("answers").expect_err("is held");
        assert!(refused.ends_with(&format!("in use by process {}", std::process::id())), "{refused}");
        drop(held);
        assert!(lock(dir.path()).expect("answers").is_ok());
    }
}
