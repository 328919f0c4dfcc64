//! Requests become columns, the tally and the ledger. The only folder that knows polars.

pub mod batch;
mod sums;
pub mod tally;
pub mod completeness;
mod day_file;
pub mod ledger;
pub mod group;
pub mod counting;
pub mod query;
mod spent;
pub mod rolling;

#[cfg(test)]
pub(crate) mod sample;
