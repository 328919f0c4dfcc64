//! Random histories of logs against the whole of daycap: real files, the real tail, engine, commits, ledger and starts,
//! on made-up time. Each line has a label of its own, so the question is never whether sums agree: it is, for each
//! line, whether it counts once.
//!
//! [`history`] says what may happen, [`world`] lets it happen to files, [`run`] is daycap, [`play`] plays one on the
//! other and judges, [`shrink`] makes a failing history small. Tests at the end play more than a hundred thousand
//! operations; `DAYCAP_MODEL_OPERATIONS=10000000` plays as many as it says, from `DAYCAP_MODEL_SEED` on.
//! `tests/seeded_bugs.rs` proves that all this finds the bugs that tailers have.

mod history;
mod play;
mod run;
mod shrink;
mod world;

mod tests;
