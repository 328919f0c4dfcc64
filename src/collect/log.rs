//! Which log is this? Identity and marks.

use serde::{Deserialize, Serialize};

use super::Format;

/// One generation of a file's content, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LogId(pub u64);

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
    pub offset: u64,
    /// The bytes just before `offset`, at most 4 KiB.
    pub anchor: Fingerprint,
    pub format: Option<Format>,
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
