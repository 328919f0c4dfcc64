//! What may happen between a read and its second check, for tests: an act becomes due at the thread's next read.
//! This file never is part of the program.

use std::cell::RefCell;

thread_local! {
    static INTERRUPTION: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// Do this, once, at the next read.
pub(crate) fn at_next_read(act: impl FnOnce() + 'static) {
    INTERRUPTION.set(Some(Box::new(act)));
}

/// The read is done, its second check is not.
pub(super) fn interrupt() {
    if let Some(act) = INTERRUPTION.take() {
        act();
    }
}
