//! The time of one forecast with 28 days of history: it has to be cheap enough to be made anew at every look.
//! This file never checks what the forecast says.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use daycap::forecast::{Holes, PastDay, Running, Today, forecast};

/// A month of days that rise and fall, each a little different.
fn history() -> Vec<PastDay> {
    let bin = |age: u32, bin: u32| u64::from((48 - bin.abs_diff(48)) * (10 + (age * 7 + bin * 3) % 5));
    (1..=28)
        .map(|age| PastDay {
            age,
            weekday: (35 - age) % 7,
            bins: (0..96).map(|at| bin(age, at)).collect(),
            holes: Holes::NONE,
        })
        .collect()
}

fn one_forecast(criterion: &mut Criterion) {
    let history = history();
    let today = Today {
        weekday: 0,
        bins: history[6].bins[..40].to_vec(),
        holes: Holes::NONE,
        elapsed_minutes: 600.0,
        day_minutes: 1_440.0,
        clock_change_minutes: 0.0,
    };
    let running = Running { limit: 40_000, used: today.bins.iter().sum(), left_minutes: 840.0, leaving: Vec::new() };
    criterion.bench_function("forecast/28_days", |bench| {
        bench.iter(|| forecast(black_box(&history), black_box(&today), black_box(&running)));
    });
}

criterion_group!(benches, one_forecast);
criterion_main!(benches);
