//! notify as a hint to look sooner.
