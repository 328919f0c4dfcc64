//! The time of one forecast with 28 days of history: it has to be cheap enough to be made anew at every look.
//! This file never checks what the forecast says.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use daycap::forecast::{PastDay, Today, forecast};

/// A month of days that rise and fall, each a little different.
fn history() -> Vec<PastDay> {
    let bin = |age: u32, bin: u32| u64::from((48 - bin.abs_diff(48)) * (10 + (age * 7 + bin * 3) % 5));
    (1..=28)
        .map(|age| PastDay {
            age,
            weekday: (35 - age) % 7,
            bins: (0..96).map(|at| bin(age, at)).collect(),
            whole: true,
        })
        .collect()
}

fn one_forecast(criterion: &mut Criterion) {
    let history = history();
    let today = Today {
        weekday: 0,
        bins: history[6].bins[..40].to_vec(),
        elapsed_minutes: 600.0,
        window_minutes: 1_440.0,
        limit: 40_000,
    };
    criterion.bench_function("forecast/28_days", |bench| {
        bench.iter(|| forecast(black_box(&history), black_box(&today)));
    });
}

criterion_group!(benches, one_forecast);
criterion_main!(benches);
