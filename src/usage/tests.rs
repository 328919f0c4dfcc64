//! Usage as a daemon has it, against what a restart makes of the same requests. These tests never run a daemon.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::collect::{Reading, Start};
use crate::count::ledger::{Ledger, Reason};
use crate::count::query;
use crate::count::sample::{Sample, any_samples, decoded};
use crate::count::tally::Tally;
use crate::day::Calendar;
use crate::quota::{CostRule, Costs, Match, Pattern, Window};

fn usage(matching: &[(Column, &str)], now: Minute) -> Usage {
    let matching = Match(matching.iter().map(|(column, value)| (*column, (*value).into())).collect());
    let limit = std::num::NonZeroU64::MIN;
    let quota = Quota {
        name: "prod".to_owned(),
        limit,
        window: Window::day(chrono_tz::Tz::UTC),
        matching,
        costs: Costs::default(),
        burst: None,
        within: None,
    };
    Usage::new(quota, Spent::default(), now)
}

fn series() -> Series {
    Series {
        service: "a".into(),
        key: "k".into(),
        api: "x".into(),
        method: "GET".into(),
        operation: "/".into(),
        status: None,
        duration: None,
    }
}

#[test]
fn minutes_are_bounded_by_their_number_and_the_oldest_go() {
    let now = Minute(30_000_000);
    let mut usage = usage(&[], now);
    let series = series();
    let count = u32::try_from(MINUTES_MAX).expect("fits") + 500;
    let rows: Vec<_> = (0..count).map(|age| (Minute(now.0 - age), &series, 1, 1)).collect();
    usage.add(&rows, "app-1");
    assert_eq!(usage.minutes.len(), MINUTES_MAX);
    assert!(usage.minutes.contains_key(&now) && !usage.minutes.contains_key(&Minute(now.0 - count + 1)));
    let oldest = usage.minutes.keys().next().expect("some");
    assert!(*oldest <= history_span(&usage.quota, now).start, "history is missing");
}

#[test]
fn a_source_feeds_a_quota_unless_its_configuration_says_otherwise() {
    let source = |key: Option<&str>| Source {
        name: "a.log".to_owned(),
        paths: vec!["a.log".to_owned()],
        journal: None,
        reading: Reading { key: key.map(std::sync::Arc::from), ..Reading::unsettled(chrono_tz::Tz::UTC) },
        start: Start::Beginning,
    };
    let of_prod = usage(&[(Column::Key, "prod"), (Column::Host, "app-1")], Minute(30_000_000));
    assert!(of_prod.may_be_fed_by(&source(None), "app-1"), "its lines may say so");
    assert!(of_prod.may_be_fed_by(&source(Some("prod")), "app-1"));
    assert!(!of_prod.may_be_fed_by(&source(Some("test")), "app-1"));
    assert!(!of_prod.may_be_fed_by(&source(None), "app-2"));
}

/// What the forecast is told of a window of this kind, with one request an hour ago and one 23 hours ago.
fn running(kind: WindowKind, now: &str) -> Running {
    let now: DateTime<Utc> = now.parse().expect("an instant");
    let mut usage = usage(&[], Minute::at(now));
    usage.quota.window = Window { kind, calendar: Calendar::new(Tz::Europe__Berlin, 180) };
    usage.calls = (kind == WindowKind::FirstCall).then(Calls::default);
    let series = series();
    let rows = [1, 23].map(|hours| (Minute::at(now - TimeDelta::hours(hours)), &series, 1, 1));
    usage.add(&rows, "app-1");
    usage.enter(Minute::at(now));
    usage.running(now, usage.used())
}

#[test]
fn the_forecast_is_told_how_long_each_window_runs_and_what_leaves_it() {
    let told = |kind, now| {
        let running = running(kind, now);
        (running.used, running.left_minutes, running.leaving.iter().position(|units| *units > 0))
    };
    let noon = "2026-11-22T11:00:30Z";
    assert_eq!(told(WindowKind::Day, noon), (1, 15.0 * 60.0 - 0.5, None));
    assert_eq!(told(WindowKind::Day, "2026-10-24T11:00:00Z"), (1, 15.0 * 60.0, None), "of 25 hours");
    assert_eq!(told(WindowKind::Month { first_day: 1 }, noon), (2, (8.0 * 24.0 + 15.0) * 60.0 - 0.5, None));
    assert_eq!(told(WindowKind::Hour, noon), (0, 59.5, None));
    assert_eq!(told(WindowKind::FirstCall, noon), (2, 59.5, None));
    assert_eq!(told(WindowKind::AnyDay, noon), (2, 1_440.0, Some(3)));
}

/// What a status says, but for alerts, which remember what was.
fn told(usage: &mut Usage, now: Minute, incomplete: &Incomplete) -> serde_json::Value {
    let mut status = serde_json::to_value(usage.status(now.start(), incomplete)).expect("plain data");
    status["alerts"].take();
    status
}

fn any_window() -> impl Strategy<Value = Window> {
    let kind = prop::sample::select(vec![
        WindowKind::Day,
        WindowKind::Month { first_day: 31 },
        WindowKind::Hour,
        WindowKind::Rolling,
        WindowKind::FirstCall,
        WindowKind::AnyDay,
    ]);
    let calendar = prop::sample::select(vec![
        Calendar::from(Tz::UTC),
        Calendar::new(Tz::Asia__Kathmandu, 187),
        Calendar::new(Tz::America__Los_Angeles, 1_400),
    ]);
    (kind, calendar).prop_map(|(kind, calendar)| Window { kind, calendar })
}

fn any_rules() -> impl Strategy<Value = (Match, Costs)> {
    let pattern = |column, pattern: &str| Match(vec![(column, pattern.into())]);
    let matches = vec![
        Match::default(),
        pattern(Column::Operation, "/orders*"),
        Match(vec![(Column::Service, Pattern(vec!["web".into(), "other".into()])), (Column::Host, "app-*".into())]),
    ];
    let rule = |matching, units| CostRule { matching, units };
    let costs = vec![
        Costs::default(),
        Costs(vec![rule(pattern(Column::Status, "4xx"), 0), rule(pattern(Column::Service, "worker"), 3)]),
        Costs(vec![rule(pattern(Column::Operation, "*/:id"), 100), rule(Match::default(), 2)]),
    ];
    (prop::sample::select(matches), prop::sample::select(costs))
}

/// Requests over twenty days, in the order in which their lines were read.
fn any_history() -> impl Strategy<Value = Vec<Sample>> {
    let minutes = prop::collection::vec(29_000_000_u32..29_029_000, 60);
    (any_samples(), minutes).prop_map(|(samples, minutes)| {
        let at = |(sample, minute)| Sample { minute: Minute(minute), ..sample };
        samples.into_iter().zip(minutes).map(at).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// What is counted as it comes, late lines too, and what the ledger gives at a start, are the same to the last unit.
    #[test]
    fn a_restart_changes_nothing(
        samples in any_history(),
        window in any_window(),
        (matching, costs) in any_rules(),
        chunk in 1_usize..20,
        now in 29_014_000_u32..29_030_000,
    ) {
        let limit = std::num::NonZeroU64::new(100).expect("a limit");
        let burst = Some("1/m".parse().expect("a burst"));
        let quota = Quota { name: "prod".to_owned(), limit, window, matching, costs, burst, within: None };
        let now = Minute(now);
        let dir = tempfile::tempdir().expect("a directory");
        let ledger = Ledger::new(dir.path(), "app-1");
        let asked = |now| query::spent(&ledger, history_span(&quota, now), &quota.matching, &quota.costs, recent(&quota, now));
        let reason = Reason::between(Minute(29_015_000).start(), Minute(29_015_100).start(), "a loss".to_owned());
        let mut lost = Completeness::Exact;
        lost.add([reason.clone()]);
        let incomplete: Incomplete = reason.days(9).map(|day| (day, lost.clone())).collect();

        let mut live = Usage::new(quota.clone(), Spent::default(), Minute(now.0 - 3_000));
        let mut tally = Tally::default();
        for (nth, samples) in (0_u32..).zip(samples.chunks(chunk)) {
            let mut of_chunk = Tally::default();
            of_chunk.add(&mut decoded(samples));
            live.add(&of_chunk.rows(), "app-1");
            live.status(Minute(now.0 - 3_000 + 40 * nth).start(), &incomplete);
            tally.merge(of_chunk);
        }
        assert!(ledger.commit(&tally, &BTreeMap::new(), &BTreeMap::new()).failed.is_none());
        let mut again = Usage::new(quota.clone(), asked(now).expect("reads"), now);
        prop_assert_eq!(told(&mut live, now, &incomplete), told(&mut again, now, &incomplete));
    }
}
