//! Forecasts and counts become what people and machines read.

pub mod snapshot;
pub mod alert;
pub mod deliver;
pub mod metrics;
pub mod web;
pub mod report;
pub mod summary;
