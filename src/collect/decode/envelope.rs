//! What collectors put around a line is taken off again, from outside to inside.

use crate::collect::{Envelope, Format};

/// The layers around a log's lines.
pub struct Envelopes {
    layers: Vec<Envelope>,
}

impl Envelopes {
    pub fn of(format: Format) -> Envelopes {
        Envelopes { layers: format.envelopes().collect() }
    }

    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

/// What is in the envelope; `None` where the line has none of this kind.
pub fn peel<'a>(_envelope: Envelope, _line: &'a [u8], _scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    None
}
