//! Which log is this? A file's identity is its device, inode and birth time; the content decides the rest,
//! by the hash of its first bytes (the head) and of those just before the mark (the anchor).
//! This file never opens a file.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::UNIX_EPOCH;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::Format;
use super::ladder::Ladder;

/// Enough for two logs with time stamps to differ, little enough to read at every look at a new file.
pub const HEAD_BYTES_MAX: usize = 1024;
/// About a dozen request lines: that many equal lines at the same offset are a copy, not a coincidence.
pub const ANCHOR_BYTES_MAX: usize = 4096;

/// Which file on this host: what stays through a rename. The birth time tells a reused inode from its
/// former owner (ext4 hands an inode out again within a millisecond).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey {
    pub device: u64,
    pub inode: u64,
    pub born_ns: Option<u64>,
}

impl FileKey {
    pub fn of(metadata: &Metadata) -> FileKey {
        // `created` is statx's birth time; file systems without one say so by an error.
        let born = metadata.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        let born_ns = born.and_then(|age| u64::try_from(age.as_nanos()).ok());
        FileKey { device: metadata.dev(), inode: metadata.ino(), born_ns }
    }

    /// Whether this may be the same file after a restart: a reboot or a remount can give its device another number.
    pub fn is_after_remount(&self, before: &FileKey) -> bool {
        let is_born_alike = self.born_ns == before.born_ns;
        self.inode == before.inode && is_born_alike && (self.device == before.device || self.born_ns.is_some())
    }
}

/// What changes whenever a file's content does. Equal stamps do not prove equal content (a clock tick is
/// coarse), so they only save looking; nothing is read without comparing the anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether the content changed after this instant.
    pub fn is_newer_than(&self, instant: DateTime<Utc>) -> bool {
        self.modified.0 > instant.timestamp()
    }

    /// Whether only the file's names or rights differ.
    pub fn same_content(&self, other: &Stamp) -> bool {
        self.size == other.size && self.modified == other.modified
    }
}

/// One generation of a file's content, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LogId(pub u64);

impl LogId {
    /// The id of a log first seen in this file with this head: the same on every run, and never one that is
    /// `taken` (the file's earlier generations, before it was truncated).
    pub fn new(file: FileKey, head: &Fingerprint, taken: impl Fn(LogId) -> bool) -> LogId {
        let mut generation = 0u64;
        loop {
            let mut hash = Xxh3::new();
            for word in [file.device, file.inode, file.born_ns.unwrap_or(0), head.hash, u64::from(head.len), generation]
            {
                hash.update(&word.to_le_bytes());
            }
            let id = LogId(hash.digest());
            if !taken(id) {
                return id;
            }
            generation += 1;
        }
    }
}

impl LogId {
    /// The id of what a journal source reads from one chain of journal files.
    pub fn of_journal(matching: &str, chain: u128) -> LogId {
        let mut hash = Xxh3::new();
        hash.update(matching.as_bytes());
        hash.update(&chain.to_le_bytes());
        LogId(hash.digest())
    }
}

impl LogId {
    /// The id of a stream that began then.
    pub fn of_stream(began_ns: i64) -> LogId {
        LogId(xxh3_64(&began_ns.to_le_bytes()))
    }
}

impl From<LogId> for String {
    fn from(id: LogId) -> String {
        format!("{:016x}", id.0)
    }
}

impl TryFrom<String> for LogId {
    type Error = String;

    fn try_from(text: String) -> Result<LogId, String> {
        u64::from_str_radix(&text, 16).map(LogId).map_err(|_| format!("{text:?} is not a log id"))
    }
}

/// The hash of a run of bytes, and how many they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    pub len: u32,
    #[serde(with = "hex")]
    pub hash: u64,
}

impl Fingerprint {
    /// `bytes` is a head or an anchor.
    pub fn of(bytes: &[u8]) -> Fingerprint {
        let len = u32::try_from(bytes.len()).expect("heads and anchors are at most 4 KiB");
        Fingerprint { len, hash: xxh3_64(bytes) }
    }

    /// Whether `bytes` begins with the run that this is the hash of.
    pub fn begins(&self, bytes: &[u8]) -> bool {
        bytes.get(..self.len as usize).is_some_and(|run| self.len == 0 || xxh3_64(run) == self.hash)
    }
}

/// Up to this byte of this log is counted, and how to know the log again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogMark {
    pub id: LogId,
    /// Where it was last seen; a label, never a key.
    pub path: String,
    pub device: u64,
    pub inode: u64,
    /// Birth time in ns since 1970, where the file system tells.
    pub born_ns: Option<u64>,
    /// The content's first bytes, at most 1 KiB.
    pub head: Fingerprint,
    /// Where counting it began: 0, but for a log entered at its end, or one that parted from another.
    #[serde(default)]
    pub begun: u64,
    pub offset: u64,
    /// The bytes just before `offset`, at most 4 KiB.
    pub anchor: Fingerprint,
    /// Line ends before `offset`, to know what is left after a truncation.
    #[serde(default)]
    pub ladder: Ladder,
    /// Whether more may be written to it, or is written and not read: should it vanish unseen, lines may be lost.
    #[serde(default)]
    pub open: bool,
    /// Set while an archive of it is waited for: when its content was last known to be whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<DateTime<Utc>>,
    pub format: Option<Format>,
    /// Only of a journal, whose `offset` is an entry's number: the cursor of the last entry before it, empty where
    /// nothing is read yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Lines that start below this and state no time were there before anybody looked; 0 once they are read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub backlog: u64,
    /// Only in a day's footer: lines that start below this and state no time are counted, in that day or before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub arrived: u64,
}

fn is_zero(offset: &u64) -> bool {
    *offset == 0
}

impl LogMark {
    pub fn file(&self) -> FileKey {
        FileKey { device: self.device, inode: self.inode, born_ns: self.born_ns }
    }
}

/// 64 bits as 16 hex digits: JSON readers that keep numbers as floats would round them.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{value:016x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map_err(|_| D::Error::custom(format!("{text:?} is not a hash")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileKey = FileKey { device: 1, inode: 2, born_ns: Some(3) };

    #[test]
    fn the_same_file_and_head_get_the_same_id() {
        let head = Fingerprint::of(b"first line\n");
        assert_eq!(LogId::new(FILE, &head, |_| false), LogId::new(FILE, &head, |_| false));
    }

    #[test]
    fn a_later_generation_of_a_file_never_gets_a_taken_id() {
        let head = Fingerprint::of(b"first line\n");
        let first = LogId::new(FILE, &head, |_| false);
        let second = LogId::new(FILE, &head, |id| id == first);
        assert_ne!(first, second);
        assert_ne!(LogId::new(FILE, &head, |id| id == first || id == second), second);
    }

    #[test]
    fn a_reused_inode_is_another_file() {
        let head = Fingerprint::default();
        let reused = FileKey { born_ns: Some(4), ..FILE };
        assert_ne!(LogId::new(FILE, &head, |_| false), LogId::new(reused, &head, |_| false));
    }

    #[test]
    fn a_mark_survives_json() {
        let mark = LogMark {
            id: LogId(u64::MAX),
            path: "app.log".into(),
            device: 1,
            inode: u64::MAX,
            born_ns: None,
            head: Fingerprint::of(b"a\n"),
            offset: 2,
            begun: 0,
            anchor: Fingerprint::of(b"a\n"),
            ladder: Ladder::from_offset(0),
            open: true,
            missing_since: None,
            format: Some(Format::JSON),
            cursor: None,
            backlog: 0,
            arrived: 0,
        };
        let text = serde_json::to_string(&mark).unwrap();
        assert!(text.contains(r#""id":"ffffffffffffffff""#), "{text}");
        assert_eq!(serde_json::from_str::<LogMark>(&text).unwrap(), mark);
    }
}
