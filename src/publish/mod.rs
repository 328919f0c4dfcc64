//! Forecasts and counts become what people and machines read.

pub mod snapshot;
pub mod server;
#[doc(hidden)]
pub mod example;
pub mod message;
pub mod alert;
pub mod trouble;
pub mod history;
pub mod deliver;
pub mod text;
pub mod window;
pub mod metrics;
pub mod web;
pub mod status;
pub mod report;
pub mod quota_day;
pub mod summary;
