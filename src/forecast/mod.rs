//! Counts become a forecast: how past days went and how today has gone so far say where today ends, how
//! sure that is, and when the limit is reached. Pure arithmetic; the only folder with floats.
//! Nothing here reads a clock or does IO: time is a field of [`Today`].

mod ahead;
pub mod bins;
mod blend;
mod clock;
mod confidence;
mod curve;
mod experience;
mod experts;
mod holes;
mod horizon;
mod level;
mod look;
mod memory;
mod morning;
mod outage;
mod past;
mod path;
mod repair;
mod replay;
mod shape;
mod spread;
mod window;

use serde::{Deserialize, Serialize};

pub use experience::Experience;
pub use holes::Holes;

/// Days of history a forecast rests on: four weeks.
pub const HISTORY_DAYS: u32 = 28;
/// Bins of a quarter of an hour: finer bins gain nothing, coarser ones lose at the day's edges.
pub const BIN_MINUTES: u32 = 15;

/// A day that is over, from one reset to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct PastDay {
    /// Days before today: yesterday is 1.
    pub age: u32,
    /// 0 Monday to 6 Sunday.
    pub weekday: u32,
    /// Units a bin, by the local wall clock.
    pub bins: Vec<u64>,
    /// Bins of which collection knows that counts are missing.
    pub holes: Holes,
}

/// The day that is running. All windows are forecast by days: traffic has a daily shape, whatever a provider's window.
#[derive(Clone, Debug, PartialEq)]
pub struct Today {
    pub weekday: u32,
    /// Units a bin so far, by minutes since the day's start.
    pub bins: Vec<u64>,
    pub holes: Holes,
    pub elapsed_minutes: f64,
    /// 1440, but for days on which clocks change.
    pub day_minutes: f64,
}

/// The window that the limit holds for, as it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    pub limit: u64,
    /// Units that count against the limit now.
    pub used: u64,
    /// Until the window ends; of a rolling one its length, after which nothing that is used now still counts.
    pub left_minutes: f64,
    /// Of a rolling window: the units that leave it, a bin each from now on. Empty for all others.
    pub leaving: Vec<u64>,
}

/// How much history a forecast rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// No whole day yet: pace alone.
    Learning,
    /// Less than two weeks of history, or a client whose days differ wildly: the probability ranks days, but
    /// is not a frequency.
    Low,
    Normal,
}

/// Where the window's total is heading. Units of the quota.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    /// That the total passes the limit, 0 to 1.
    pub exceed_probability: f64,
    /// Minutes from now until the limit is reached, if the median forecast reaches it in this window.
    /// `None` also once it has been reached.
    pub exhaustion_minutes: Option<f64>,
    /// The same if more comes than in nine of ten cases.
    pub exhaustion_earliest_minutes: Option<f64>,
    /// The same if less comes than in nine of ten cases; `None` where the limit is not reached then.
    pub exhaustion_latest_minutes: Option<f64>,
    /// What may be spent a minute until the window ends without passing the limit.
    pub sustainable_per_minute: f64,
    /// Whole past days that it rests on.
    pub history_days: u32,
    pub confidence: Confidence,
}

/// `history` holds at most one entry an age, in any order, and may be empty. Whoever forecasts more than once a day
/// keeps the [`Experience`].
pub fn forecast(history: &[PastDay], today: &Today, running: &Running) -> Forecast {
    Experience::of(history, today.weekday).forecast(today, running)
}

/// A count as a float: beyond 2^53 its last digits are lost, which no forecast is good enough to miss.
fn real(count: u64) -> f64 {
    count as f64
}

/// A float as a count, rounded; Rust's cast holds what a u64 cannot say at its bounds.
fn count(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::curve::BINS;
    use super::*;
    use proptest::prelude::*;

    /// Working hours only: nothing before 8, busiest at noon, nothing after 18 h.
    fn office_day(age: u32) -> PastDay {
        let bins = (0..BINS).map(|bin| if (32..72).contains(&bin) { 250 } else { 0 }).collect();
        PastDay { age, weekday: 2, bins, holes: Holes::NONE }
    }

    /// A calendar day so far, and its limit.
    fn today(bins: Vec<u64>, hours: f64, limit: u64) -> (Today, Running) {
        let used = bins.iter().sum();
        let today = Today { weekday: 2, bins, holes: Holes::NONE, elapsed_minutes: hours * 60.0, day_minutes: 1_440.0 };
        (today, Running { limit, used, left_minutes: 1_440.0 - hours * 60.0, leaving: Vec::new() })
    }

    fn forecast(history: &[PastDay], (today, running): &(Today, Running)) -> Forecast {
        super::forecast(history, today, running)
    }

    #[test]
    fn an_even_pace_without_history_projects_to_the_even_total() {
        let forecast = forecast(&[], &today(vec![250; 48], 12.0, 40_000));
        assert_eq!((forecast.p50, forecast.confidence), (24_000, Confidence::Learning));
    }

    #[test]
    fn a_day_like_all_past_days_forecasts_the_usual_total_though_its_morning_is_empty() {
        let history: Vec<_> = (1..=14).map(office_day).collect();
        let at_eight = forecast(&history, &today(vec![0; 32], 8.0, 12_000));
        assert!((9_900..=10_100).contains(&at_eight.p50), "{at_eight:?}");
        let mut bins = vec![0; 32];
        bins.extend([250; 4]);
        let at_nine = forecast(&history, &today(bins, 9.0, 12_000));
        assert!((9_900..=10_100).contains(&at_nine.p50), "{at_nine:?}");
        assert!(at_nine.exceed_probability < 0.2, "{at_nine:?}");
        assert_eq!((at_nine.exhaustion_minutes, at_nine.confidence), (None, Confidence::Normal));
    }

    #[test]
    fn a_busy_morning_runs_out_in_the_afternoon() {
        let history: Vec<_> = (1..=14).map(office_day).collect();
        let mut bins = vec![0; 32];
        bins.extend([1_000; 8]);
        let forecast = forecast(&history, &today(bins, 10.0, 12_000));
        let hours = forecast.exhaustion_minutes.expect("it runs out") / 60.0;
        assert!((0.5..3.0).contains(&hours), "{forecast:?}");
        assert!(forecast.exceed_probability > 0.9, "{forecast:?}");
    }

    #[test]
    fn days_that_are_not_whole_say_nothing() {
        let broken = PastDay { holes: Holes::ALL, ..office_day(1) };
        let now = today(vec![100; 40], 10.0, 40_000);
        assert_eq!(forecast(&[broken], &now), forecast(&[], &now));
    }

    #[test]
    fn the_order_of_history_does_not_matter() {
        let days: Vec<_> = (1..=9).map(|age| PastDay { bins: vec![u64::from(age); BINS], ..office_day(age) }).collect();
        let turned: Vec<_> = days.iter().rev().cloned().collect();
        let now = today(vec![3; 40], 10.0, 500);
        assert_eq!(forecast(&days, &now), forecast(&turned, &now));
    }

    #[test]
    fn a_passed_limit_is_certain_and_has_nothing_left_to_run_out() {
        let forecast = forecast(&[office_day(1)], &today(vec![100; 40], 10.0, 3_999));
        assert_eq!((forecast.exceed_probability, forecast.exhaustion_minutes), (1.0, None));
        assert_eq!(forecast.sustainable_per_minute, 0.0);
    }

    #[test]
    fn a_window_that_is_over_is_known() {
        let forecast = forecast(&[office_day(1)], &today(vec![100; 96], 24.0, 9_600));
        assert_eq!((forecast.p10, forecast.p50, forecast.p90, forecast.exceed_probability), (9_600, 9_600, 9_600, 0.0));
    }

    #[test]
    fn what_may_be_spent_a_minute_is_what_is_left_over_the_time_left() {
        let forecast = forecast(&[], &today(vec![100; 40], 10.0, 40_000));
        assert_eq!(forecast.sustainable_per_minute, 36_000.0 / 840.0);
    }

    #[test]
    fn clients_that_differ_wildly_are_of_low_confidence() {
        let wild =
            |age: u32| PastDay { bins: vec![if age.is_multiple_of(3) { 1 } else { 40 }; BINS], ..office_day(age) };
        let now = today(vec![10; 40], 10.0, 4_000);
        let days: Vec<_> = (1..=20).map(wild).collect();
        assert_eq!(forecast(&days, &now).confidence, Confidence::Low);
        let calm: Vec<_> = (1..=13).map(office_day).collect();
        assert_eq!(forecast(&calm, &now).confidence, Confidence::Low);
    }

    fn counts() -> impl Strategy<Value = u64> {
        prop_oneof![3 => Just(0), 6 => 0..400_u64, 1 => 0..1_u64 << 50]
    }

    fn past_day() -> impl Strategy<Value = PastDay> {
        (0..7_u32, prop::collection::vec(counts(), 0..104), prop::bool::weighted(0.9)).prop_map(
            |(weekday, bins, whole)| {
                let holes = if whole { Holes::NONE } else { Holes::ALL };
                PastDay { age: 0, weekday, bins, holes }
            },
        )
    }

    fn any_history() -> impl Strategy<Value = Vec<PastDay>> {
        prop::collection::vec(past_day(), 0..30).prop_map(|mut days| {
            for (age, day) in (1..).zip(&mut days) {
                day.age = age;
            }
            days
        })
    }

    fn any_today() -> impl Strategy<Value = (Today, Running)> {
        let window = prop::sample::select(vec![0.0, 1_380.0, 1_410.0, 1_440.0, 1_500.0]);
        let elapsed = prop_oneof![1 => Just(0.0), 1 => Just(1.0), 4 => 0.0..1.0];
        let limit = prop_oneof![1 => Just(1), 6 => 1..100_000_u64, 1 => Just(u64::MAX)];
        (0..7_u32, prop::collection::vec(counts(), 0..101), elapsed, window, limit).prop_map(
            |(weekday, bins, elapsed, day_minutes, limit)| {
                let elapsed_minutes = elapsed * day_minutes;
                let used = bins.iter().sum();
                let left_minutes = day_minutes - elapsed_minutes;
                (
                    Today { weekday, bins, holes: Holes::NONE, elapsed_minutes, day_minutes },
                    Running { limit, used, left_minutes, leaving: Vec::new() },
                )
            },
        )
    }

    proptest! {
        // A history is thousands of numbers: half the usual cases keep the tests quick.
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn every_forecast_is_ordered_finite_and_no_less_than_used(history in any_history(), today in any_today()) {
            let forecast = forecast(&history, &today);
            let Running { used, limit, left_minutes, .. } = today.1;
            prop_assert!(used <= forecast.p10 && forecast.p10 <= forecast.p50 && forecast.p50 <= forecast.p90);
            prop_assert!((0.0..=1.0).contains(&forecast.exceed_probability));
            prop_assert!(forecast.sustainable_per_minute.is_finite() && forecast.sustainable_per_minute >= 0.0);
            if used > limit {
                prop_assert_eq!(forecast.exceed_probability, 1.0);
            }
            if used >= limit {
                prop_assert_eq!(forecast.exhaustion_minutes, None);
                prop_assert_eq!(forecast.sustainable_per_minute, 0.0);
            }
            if let Some(minutes) = forecast.exhaustion_minutes {
                prop_assert!((0.0..=left_minutes).contains(&minutes));
                prop_assert!(forecast.p50 >= limit);
            }
        }

        #[test]
        fn a_higher_limit_is_never_likelier_passed(history in any_history(), today in any_today(), more in 1..50_000_u64) {
            let higher = Running { limit: today.1.limit.saturating_add(more), ..today.1.clone() };
            let (low, high) = (forecast(&history, &today), super::forecast(&history, &today.0, &higher));
            prop_assert!(high.exceed_probability <= low.exceed_probability + 1e-9);
        }

        #[test]
        fn a_time_that_is_not_a_number_is_survived(history in any_history(), today in any_today()) {
            let lost = Today { elapsed_minutes: f64::NAN, day_minutes: f64::NAN, ..today.0 };
            let running = Running { left_minutes: f64::NAN, ..today.1 };
            prop_assert!(super::forecast(&history, &lost, &running).exceed_probability.is_finite());
        }
    }
}
