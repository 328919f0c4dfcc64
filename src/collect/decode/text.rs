//! Messages of HTTP clients, behind any prefix.

use super::fields::{Fields, Verdict};

/// Read a line.
pub fn read<'a>(_line: &'a [u8], _fields: &mut Fields<'a>) -> Verdict {
    Verdict::Malformed
}
