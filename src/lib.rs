//! daycap collects the request logs of API clients, counts them per day exactly, forecasts whether the
//! day stays under its quota, and publishes the answer.

pub mod day;
pub mod quota;
pub mod collect;
pub mod count;
pub mod forecast;
pub mod publish;
