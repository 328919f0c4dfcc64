//! The time of one forecast with 28 days of history: it has to be cheap enough to be made anew at every look.
//! This file never checks what the forecast says.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use daycap::forecast::{Experience, Holes, PastDay, Running, Today, forecast};

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

/// Monday at ten.
fn today(history: &[PastDay]) -> Today {
    Today {
        weekday: 0,
        bins: history[6].bins[..40].to_vec(),
        holes: Holes::NONE,
        elapsed_minutes: 600.0,
        day_minutes: 1_440.0,
        clock_change_minutes: 0.0,
    }
}

/// A window of each kind, as it stands then.
fn windows(history: &[PastDay], today: &Today) -> [(&'static str, Running); 4] {
    let used = today.bins.iter().sum();
    let leaving: Vec<u64> = history[0].bins[40..].iter().chain(&today.bins).copied().collect();
    let fixed = |limit, used, left_minutes| Running { limit, used, left_minutes, leaving: Vec::new() };
    let rolling = Running { limit: 60_000, used: leaving.iter().sum(), left_minutes: 1_440.0, leaving };
    [
        ("day", fixed(40_000, used, 840.0)),
        ("hour", fixed(4_000, 500, 30.0)),
        ("rolling", rolling),
        ("month", fixed(2_000_000, used, 840.0 + 29.0 * 1_440.0)),
    ]
}

fn forecasts(criterion: &mut Criterion) {
    let history = history();
    let today = today(&history);
    let windows = windows(&history, &today);
    // As a summary makes it, of nothing but counts.
    criterion.bench_function("forecast/28_days", |bench| {
        bench.iter(|| forecast(black_box(&history), black_box(&today), black_box(&windows[0].1)));
    });
    // As the daemon makes it: what past days teach is computed once a day.
    let experience = Experience::of(&history, today.weekday);
    for (kind, running) in &windows {
        criterion.bench_function(&format!("forecast/with_experience/{kind}"), |bench| {
            bench.iter(|| experience.forecast(black_box(&today), black_box(running)));
        });
    }
}

criterion_group!(benches, forecasts);
criterion_main!(benches);
