//! Past days become figures: how far daycap's forecasts and alerts would have been right, beside what simpler methods
//! would have said. Each day is forecast from what was known at each of its hours alone.
//! Nothing here writes, and nothing here is part of how daycap counts or warns.

pub mod counts;
pub mod ledger;
pub mod evidence;
pub mod fired;
pub mod replay;
pub mod rivals;
pub mod score;
pub mod series;
pub mod tell;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use evidence::Evidence;
use score::Score;
use series::Series;

use crate::publish::alert::Alerting;

/// Beyond these, a backtest is over before more threads are started.
const WORKERS_MAX: usize = 16;

/// What the replay of some series has shown.
#[derive(Clone, Debug)]
pub struct Backtest {
    /// In the order given.
    pub series: Vec<Judged>,
    /// Each figure the median of the series'.
    pub median: Score,
    /// All days of all series as one.
    pub pooled: Score,
}

#[derive(Clone, Debug)]
pub struct Judged {
    pub name: String,
    pub score: Score,
}

/// Replay the series, with so many days of history for each forecast, on all cores.
pub fn backtest(all: &[Series], history: u32) -> Backtest {
    let judged = on_all_cores(all, |series| judge(series, history));
    let mut pooled = Evidence::default();
    let mut series = Vec::with_capacity(judged.len());
    for (one, evidence) in judged {
        pooled.merge(evidence);
        series.push(one);
    }
    let scores: Vec<Score> = series.iter().map(|judged| judged.score.clone()).collect();
    Backtest { series, median: Score::middle(&scores), pooled: Score::of(&pooled, None, None) }
}

/// What would have fired, series by series.
pub fn alerts(all: &[Series], history: u32, alerting: &Alerting) -> Vec<fired::Alerts> {
    on_all_cores(all, |series| fired::alerts(series, history, alerting.of(&series.name)))
}

fn judge(series: &Series, history: u32) -> (Judged, Evidence) {
    let limit = series.limit_units();
    let history_days = replay::choose(series, history).history_days;
    let mut evidence = Evidence::default();
    replay::each_day(series, history, |day, before| evidence.add(&replay::replay(series, limit, day, before)));
    let score = Score::of(&evidence, Some(history_days), Some(limit));
    (Judged { name: series.name.clone(), score }, evidence)
}

/// What `make` makes of each, in their order.
fn on_all_cores<T: Sync, M: Send>(all: &[T], make: impl Fn(&T) -> M + Sync) -> Vec<M> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut made = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(one) = all.get(place) else { return made };
            made.push((place, make(one)));
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX).min(all.len());
    let mut made: Vec<(usize, M)> = thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let join = |worker: thread::ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        running.into_iter().flat_map(join).collect()
    });
    made.sort_unstable_by_key(|(place, _)| *place);
    made.into_iter().map(|(_, made)| made).collect()
}
