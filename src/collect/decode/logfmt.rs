//! logfmt: `key=value key="a value"`, behind any prefix that tells the time.

use std::sync::Arc;

use super::field::Aliases;
use super::fields::{Fields, Verdict};

/// Reads logfmt by the aliases of a source.
pub struct Logfmt {
    aliases: Arc<Aliases>,
}

impl Logfmt {
    pub fn new(aliases: Arc<Aliases>) -> Logfmt {
        Logfmt { aliases }
    }

    /// Read a line.
    pub fn read<'a>(&self, _line: &'a [u8], _fields: &mut Fields<'a>) -> Verdict {
        let _ = &self.aliases;
        Verdict::Malformed
    }
}
