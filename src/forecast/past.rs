//! A past day, whole or made whole, as the forecast looks at it.
//! This file never decides what of a day can be believed; `repair.rs` has.

use super::curve::{BINS, Curve};
use super::memory::{BRIEF, NIMBLE, SHAPE, STEADY};

pub struct Day {
    /// Days before today.
    pub age: f64,
    pub weekday: u32,
    pub counted: Curve,
    pub total: f64,
    /// `ln(1 + total)`: asked for by every later day.
    pub log_total: f64,
    /// What each memory keeps of it today; an earlier day kept more of all days by one factor, which no mean sees.
    pub fresh: Fresh,
}

#[derive(Clone, Copy)]
pub struct Fresh {
    pub steady: f64,
    pub nimble: f64,
    pub brief: f64,
    pub shape: f64,
}

impl Fresh {
    pub fn at(age: f64) -> Fresh {
        Fresh {
            steady: STEADY.freshness(age),
            nimble: NIMBLE.freshness(age),
            brief: BRIEF.freshness(age),
            shape: SHAPE.freshness(age),
        }
    }
}

impl Day {
    pub fn of(age: u32, weekday: u32, bins: &[f64; BINS]) -> Day {
        let counted = Curve::of(bins);
        let (age, total) = (f64::from(age), counted.total());
        Day { age, weekday, counted, total, log_total: total.ln_1p(), fresh: Fresh::at(age) }
    }
}
