//! Forecasts and counts become what people and machines read.

pub mod snapshot;
#[doc(hidden)]
pub mod example;
pub mod message;
pub mod alert;
pub mod trouble;
pub mod deliver;
pub mod text;
pub mod metrics;
pub mod web;
pub mod status;
pub mod report;
pub mod summary;
