//! daycap collects the request logs of API clients, counts them per day exactly, forecasts whether the
//! day stays under its quota, and publishes the answer.
//!
//! The folders are the flow of data: [`collect`] turns bytes on disk into requests, [`count`] sums them
//! into the ledger, [`forecast`] tells where the day is heading, [`publish`] tells people and machines.
//! [`day`] and [`quota`] are the words they share. A stage knows only the stages before it.
//!
//! Around them: [`harvest`] runs one pass from bytes to counts, [`engine`] holds all state and answers
//! each event with effects, [`daemon`] waits and performs them; [`resume`] makes an engine of what is on
//! disk, [`outbox`] keeps messages until they have arrived, [`commit`] puts its counts there, [`verify`] counts them once more. [`commands`] are what a user can ask for.

pub mod day;
pub mod quota;

pub mod collect;
pub mod count;
pub mod forecast;
pub mod publish;

pub mod silence;
pub mod doubt;
pub mod keep;
pub mod harvest;
pub mod raw;
pub mod observed;
pub mod usage;
pub mod state;
pub mod sources;
pub mod twins;
pub mod outbox;
pub mod commit;
pub mod resume;
pub mod summarise;
pub mod engine;
pub mod daemon;
pub mod verify;
pub mod backtest;

pub mod config;
pub mod cli;
pub mod commands;

#[cfg(test)]
mod model;
