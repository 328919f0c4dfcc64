//! OpenTelemetry's own JSON: log records and client spans, many in a line.

use super::Context;
use super::rows::Outcome;

pub struct OtlpLines {}

impl OtlpLines {
    pub fn new() -> OtlpLines {
        OtlpLines {}
    }

    /// Each request that a line reports, or why it reports none.
    pub fn line(&mut self, _line: &[u8], _context: &mut Context, each: &mut dyn FnMut(Outcome, &mut Context)) {
        let _ = each;
    }
}
