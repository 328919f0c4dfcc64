//! Stories of whole forecasts, and what holds for every one of them. Nothing here looks inside.

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
    let today = Today {
        weekday: 2,
        bins,
        holes: Holes::NONE,
        elapsed_minutes: hours * 60.0,
        day_minutes: 1_440.0,
        clock_change_minutes: 0.0,
    };
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
    let wild = |age: u32| PastDay { bins: vec![if age.is_multiple_of(3) { 1 } else { 40 }; BINS], ..office_day(age) };
    let now = today(vec![10; 40], 10.0, 4_000);
    let days: Vec<_> = (1..=20).map(wild).collect();
    assert_eq!(forecast(&days, &now).confidence, Confidence::Low);
    let calm: Vec<_> = (1..=13).map(office_day).collect();
    assert_eq!(forecast(&calm, &now).confidence, Confidence::Low);
}

/// A curve of a day with a quiet night and a busy noon, a little different each day.
fn busy_day(age: u32) -> PastDay {
    let wave = |bin: usize| 20 + 6 * (48 - bin.abs_diff(48)) as u64;
    let bins = (0..BINS).map(|bin| wave(bin) * (95 + u64::from(age * 7 % 11)) / 100).collect();
    PastDay { age, weekday: (35 - age) % 7, bins, holes: Holes::NONE }
}

fn busy_days() -> Vec<PastDay> {
    (1..=28).map(busy_day).collect()
}

/// The first hours of a busy day on a Monday, and its limit.
fn busy_morning(hours: usize, limit: u64) -> (Today, Running) {
    let (today, running) = today(busy_day(7).bins[..hours * 4].to_vec(), hours as f64, limit);
    (Today { weekday: 0, ..today }, running)
}

/// How far the median is off a total, as a share of it.
fn off_by(forecast: &Forecast, total: u64) -> f64 {
    (forecast.p50 as f64 - total as f64).abs() / total as f64
}

#[test]
fn an_outage_today_is_skipped_and_not_extrapolated() {
    let days = busy_days();
    let whole: u64 = busy_day(7).bins.iter().sum();
    let (mut now, mut running) = busy_morning(12, 100_000);
    let lost: u64 = now.bins[28..44].iter().sum();
    now.bins[28..44].fill(0);
    running.used -= lost;
    assert!(off_by(&super::forecast(&days, &now, &running), whole - lost) < 0.03);
    // Without the days that tell what is usual, nothing is known of an outage.
    assert!(off_by(&super::forecast(&days[..2], &now, &running), whole - lost) > 0.03);
}

#[test]
fn bins_of_today_that_collection_missed_are_skipped_and_nothing_is_added_for_them() {
    let days = busy_days();
    let (now, running) = busy_morning(12, 100_000);
    let asked = |running: &Running, now: &Today| super::forecast(&days, now, running).p50 - running.used;
    let mut missed = now.clone();
    let lost: u64 = missed.bins[20..24].iter().sum();
    missed.bins[20..24].fill(0);
    missed.holes = (20..24).fold(Holes::NONE, Holes::with);
    let less = Running { used: running.used - lost, ..running.clone() };
    assert!(asked(&less, &missed).abs_diff(asked(&running, &now)) < asked(&running, &now) / 50);
}

#[test]
fn a_history_with_outages_forecasts_like_one_without() {
    let clean = busy_days();
    let mut holed = clean.clone();
    for day in holed.iter_mut().step_by(5) {
        day.bins[28..52].fill(0);
    }
    let now = busy_morning(6, 100_000);
    let (with, without) = (forecast(&holed, &now), forecast(&clean, &now));
    assert!(off_by(&with, without.p50) < 0.02, "{with:?} {without:?}");
    assert_eq!(with.history_days, 28);
}

#[test]
fn a_past_day_with_a_hole_counts_as_one_whole_day_and_with_many_as_none() {
    let with_holes = |holes: usize| PastDay { holes: (0..holes).fold(Holes::NONE, Holes::with), ..busy_day(1) };
    let days = |holes| forecast(&[with_holes(holes), busy_day(2)], &busy_morning(6, 100_000)).history_days;
    assert_eq!([days(0), days(48), days(49)], [2, 2, 1]);
}

#[test]
fn an_hourly_burst_is_forecast_alike_at_any_minute_of_the_hour() {
    let bins = |hours: usize| (0..hours * 4).map(|bin| if bin % 4 == 0 { 1_000 } else { 0 }).collect::<Vec<u64>>();
    let days: Vec<_> = (1..=14).map(|age| PastDay { bins: bins(24), ..office_day(age) }).collect();
    for minutes in [5.0, 15.0, 30.0, 50.0] {
        let (now, running) = today(bins(10), 9.0, 30_000);
        let now = Today { bins: now.bins[..37].to_vec(), elapsed_minutes: 540.0 + minutes, ..now };
        let running = Running { left_minutes: 900.0 - minutes, ..running };
        let forecast = super::forecast(&days, &now, &running);
        assert!(off_by(&forecast, 24_000) < 0.005, "at {minutes}: {forecast:?}");
    }
}

#[test]
fn a_step_overnight_is_followed_by_noon_and_learnt_in_three_days() {
    let day = |age: u32, times: u64| PastDay { bins: vec![100 * times; BINS], ..busy_day(age) };
    let history = |days_since: u32| -> Vec<_> {
        (1..=14 + days_since).map(|age| day(age, if age <= days_since { 2 } else { 1 })).collect()
    };
    let at = |days_since, hours: usize| {
        let (now, running) = today(vec![200; hours * 4], hours as f64, 100_000);
        off_by(&super::forecast(&history(days_since), &now, &running), 19_200)
    };
    assert!(at(0, 12) < 0.10, "{}", at(0, 12));
    assert!(at(3, 2) < 0.20, "{}", at(3, 2));
}

#[test]
fn a_saturday_is_forecast_as_saturdays_are() {
    let day = |age: u32| {
        let weekday = (35 + 5 - age) % 7;
        PastDay { weekday, bins: vec![if weekday >= 5 { 10 } else { 100 }; BINS], ..busy_day(age) }
    };
    let history: Vec<_> = (1..=28).map(day).collect();
    let (now, running) = today(vec![10; 36], 9.0, 100_000);
    let saturday = super::forecast(&history, &Today { weekday: 5, ..now }, &running);
    assert!(off_by(&saturday, 960) < 0.10, "{saturday:?}");
}

#[test]
fn a_cold_start_is_wide_and_does_not_cry_wolf() {
    let first = forecast(&[], &today(vec![300, 300], 0.5, 10_000));
    // Its pace alone would make 28,800.
    assert!(first.p50 < 10_000 && first.p10 < first.p50 / 2 && first.p90 > 10_000, "{first:?}");
    assert_eq!((first.confidence, first.history_days), (Confidence::Learning, 0));
}

#[test]
fn one_day_of_history_is_worth_more_than_the_pace() {
    let forecast = forecast(&[busy_day(1)], &busy_morning(9, 100_000));
    assert!(off_by(&forecast, busy_day(7).bins.iter().sum()) < 0.10, "{forecast:?}");
}

#[test]
fn a_burst_that_no_past_day_has_seen_is_believed_within_the_hour() {
    // A client that runs by the clock: each day has been exactly like the one before.
    let days: Vec<_> = (1..=28).map(|age| PastDay { bins: vec![100; BINS], ..office_day(age) }).collect();
    let mut bins = vec![100; 40];
    bins.extend([2_000; 4]);
    let forecast = forecast(&days, &today(bins, 11.0, 13_000));
    assert!(forecast.exceed_probability > 0.9, "{forecast:?}");
    assert!(forecast.exhaustion_minutes.expect("soon") < 120.0, "{forecast:?}");
}

/// 23, 24 and 25 hours of the same pace by the clock, at noon of each.
#[test]
fn days_of_23_and_25_hours_are_forecast_by_their_own_length() {
    let days: Vec<_> = (1..=28).map(|age| PastDay { bins: vec![100; BINS], ..office_day(age) }).collect();
    for (day, noon) in [(23_usize, 11_usize), (24, 12), (25, 13)] {
        for hours in [1, 2, 3, 4, noon] {
            let now = Today {
                weekday: 2,
                bins: vec![100; hours * 4],
                holes: Holes::NONE,
                elapsed_minutes: hours as f64 * 60.0,
                day_minutes: day as f64 * 60.0,
                clock_change_minutes: if day == 25 { 180.0 } else { 120.0 },
            };
            let left_minutes = now.day_minutes - now.elapsed_minutes;
            let running = Running { limit: 50_000, used: hours as u64 * 400, left_minutes, leaving: Vec::new() };
            let forecast = super::forecast(&days, &now, &running);
            assert!(off_by(&forecast, day as u64 * 400) < 0.002, "{day} h at {hours}: {forecast:?}");
        }
    }
}

/// What a window ends with whose client makes 100 units a quarter of an hour, always.
#[test]
fn each_kind_of_window_is_forecast_to_its_own_end() {
    let days: Vec<_> = (1..=28).map(|age| PastDay { bins: vec![100; BINS], ..office_day(age) }).collect();
    let now = today(vec![100; 40], 10.0, 1).0;
    let ends_with = |used: u64, left_minutes: f64| {
        super::forecast(&days, &now, &Running { limit: 1_000_000, used, left_minutes, leaving: Vec::new() })
    };
    for (used, left_minutes, total) in [
        (200, 30.0, 400),
        (0, 60.0, 400),
        (4_000, 840.0, 9_600),
        (1_600, 1_200.0, 9_600),
        (4_000, 840.0 + 30.0 * 1_440.0, 9_600 * 31),
    ] {
        let forecast = ends_with(used, left_minutes);
        assert!(off_by(&forecast, total) < 0.002, "{left_minutes} left: {forecast:?}");
    }
    let leaving = vec![100; BINS];
    let rolling = Running { limit: 9_700, used: 9_600, left_minutes: 1_440.0, leaving };
    let rolling = super::forecast(&days, &now, &rolling);
    assert!(off_by(&rolling, 9_600) < 0.01, "{rolling:?}");
    assert!((rolling.sustainable_per_minute - 100.0 / 15.0).abs() < 0.1, "{rolling:?}");
}

#[test]
fn a_month_is_less_sure_the_longer_it_still_is() {
    let now = busy_morning(10, 1).0;
    let width = |days: f64| {
        let running = Running { limit: 1, used: 0, left_minutes: days * 1_440.0, leaving: Vec::new() };
        let forecast = super::forecast(&busy_days(), &now, &running);
        (forecast.p90 - forecast.p10) as f64 / forecast.p50 as f64
    };
    assert!(width(7.0) < width(30.0));
}

#[test]
fn experience_answers_as_the_one_shot_does_as_often_as_it_is_asked() {
    let (now, running) = busy_morning(10, 30_000);
    let experience = Experience::of(&busy_days(), now.weekday);
    let once = super::forecast(&busy_days(), &now, &running);
    assert_eq!([experience.forecast(&now, &running), experience.forecast(&now, &running)], [once.clone(), once]);
}

fn counts() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(0), 6 => 0..400_u64, 1 => 0..1_u64 << 50]
}

fn past_day() -> impl Strategy<Value = PastDay> {
    (0..7_u32, prop::collection::vec(counts(), 0..104), prop::bool::weighted(0.9)).prop_map(|(weekday, bins, whole)| {
        let holes = if whole { Holes::NONE } else { Holes::ALL };
        PastDay { age: 0, weekday, bins, holes }
    })
}

fn any_history() -> impl Strategy<Value = Vec<PastDay>> {
    prop::collection::vec(past_day(), 0..30).prop_map(|mut days| {
        for (age, day) in (1..).zip(&mut days) {
            day.age = age;
        }
        days
    })
}

/// Some bins of which collection knows that counts are missing.
fn any_holes() -> impl Strategy<Value = Holes> {
    let some =
        prop::collection::vec(0..100_usize, 0..30).prop_map(|bins| bins.into_iter().fold(Holes::NONE, Holes::with));
    prop_oneof![6 => Just(Holes::NONE), 3 => some, 1 => Just(Holes::ALL)]
}

/// A day that is running, and any kind of window in it.
fn any_today() -> impl Strategy<Value = (Today, Running)> {
    let length = prop::sample::select(vec![0.0, 1_380.0, 1_410.0, 1_440.0, 1_470.0, 1_500.0]);
    let elapsed = prop_oneof![1 => Just(0.0), 1 => Just(1.0), 4 => 0.0..1.0];
    let limit = prop_oneof![1 => Just(1), 6 => 1..100_000_u64, 1 => Just(u64::MAX)];
    let change = prop::sample::select(vec![0.0, 120.0, 180.0, 1_440.0]);
    let day = (0..7_u32, prop::collection::vec(counts(), 0..101), any_holes(), elapsed, length, change);
    (day, limit, any_left(), any_leaving()).prop_map(
        |((weekday, bins, holes, elapsed, day_minutes, change), limit, left, leaving)| {
            let elapsed_minutes = elapsed * day_minutes;
            let of_today = bins.iter().sum();
            let today = Today { weekday, bins, holes, elapsed_minutes, day_minutes, clock_change_minutes: change };
            let left_minutes = left.unwrap_or(day_minutes - elapsed_minutes);
            let running = match leaving {
                Some(leaving) => Running { limit, used: leaving.iter().sum(), left_minutes: 1_440.0, leaving },
                None => Running { limit, used: of_today, left_minutes, leaving: Vec::new() },
            };
            (today, running)
        },
    )
}

/// Until the day's end, of an hour, of some days, of a month.
fn any_left() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![3 => Just(None), 1 => (0.0..60.0).prop_map(Some), 1 => (0.0..46_000.0).prop_map(Some)]
}

fn any_leaving() -> impl Strategy<Value = Option<Vec<u64>>> {
    prop::option::weighted(0.3, prop::collection::vec(counts(), 96))
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
        let lost = Today { elapsed_minutes: f64::NAN, day_minutes: f64::NAN, clock_change_minutes: f64::NAN, ..today.0 };
        let running = Running { left_minutes: f64::NAN, ..today.1 };
        prop_assert!(super::forecast(&history, &lost, &running).exceed_probability.is_finite());
    }
}
