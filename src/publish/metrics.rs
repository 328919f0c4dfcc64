//! A snapshot becomes the Prometheus text format. The registry is made anew for every scrape, so a gauge
//! is what the ledger says now, a restart included, and nothing global exists.
//! This file never keeps anything between two scrapes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use prometheus::{GaugeVec, IntCounterVec, Opts, Registry, TextEncoder};

use super::server::ServerTruth;
use super::snapshot::{QuotaStatus, RequestCounts, RequestLabels, Snapshot, SourceStatus};
use crate::collect::request::{NONE, OTHER};
use crate::count::ledger::Completeness;

/// The content type of [`render`]'s text.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;
/// A longer label value is cut.
pub const LABEL_BYTES_MAX: usize = 128;

/// All metrics of this snapshot, in order of name, then of labels.
pub fn render(snapshot: &Snapshot) -> String {
    gather(snapshot).expect("every name, help and label set is written in this file, once")
}

fn gather(snapshot: &Snapshot) -> prometheus::Result<String> {
    let scrape = Scrape { registry: Registry::new() };
    quotas(&scrape, &snapshot.quotas)?;
    windows(&scrape, &snapshot.quotas)?;
    forecasts(&scrape, &snapshot.quotas)?;
    servers(&scrape, &snapshot.quotas)?;
    sources(&scrape, &snapshot.sources)?;
    activity(&scrape, snapshot)?;
    TextEncoder::new().encode_to_string(&scrape.registry.gather())
}

fn quotas(scrape: &Scrape, quotas: &[QuotaStatus]) -> prometheus::Result<()> {
    let each = |value: fn(&QuotaStatus) -> f64| quotas.iter().map(move |quota| ([quota.name.as_str()], value(quota)));
    scrape.gauge(
        "daycap_quota_limit",
        "Units that the quota allows in a window.",
        ["quota"],
        each(|quota| float(quota.limit)),
    )?;
    scrape.gauge(
        "daycap_quota_used",
        "Units used in the current window, from the ledger; zero again after a reset.",
        ["quota"],
        each(|quota| float(quota.used)),
    )?;
    scrape.gauge(
        "daycap_quota_remaining",
        "Units left in the current window; zero once the limit is reached.",
        ["quota"],
        each(|quota| float(quota.remaining)),
    )?;
    scrape.gauge(
        "daycap_quota_window_start_timestamp_seconds",
        "When the current window began, in seconds since 1970.",
        ["quota"],
        each(|quota| seconds(quota.window_start)),
    )?;
    scrape.gauge(
        "daycap_quota_reset_timestamp_seconds",
        "When the current window ends and the count goes back to zero, in seconds since 1970.",
        ["quota"],
        each(|quota| seconds(quota.resets_at)),
    )?;
    scrape.gauge(
        "daycap_day_exact",
        "1 if the current window's count is all there was, 0 if it is a lower bound.",
        ["quota"],
        each(|quota| exact(&quota.completeness)),
    )?;
    alerts(scrape, quotas)
}

/// Only what holds has a series, so that an alert ends where its series does.
fn alerts(scrape: &Scrape, quotas: &[QuotaStatus]) -> prometheus::Result<()> {
    let holding =
        quotas.iter().flat_map(|quota| quota.alerts.iter().map(|level| (quota.name.as_str(), level.to_string())));
    let holding: Vec<_> = holding.collect();
    scrape.gauge(
        "daycap_alert_firing",
        "1 for each level that holds for the quota now, by daycap's own thresholds; absent for those that do not.",
        ["quota", "level"],
        holding.iter().map(|(quota, level)| ([*quota, level.as_str()], 1.0)),
    )
}

/// What only some quotas have: a rolling window, a burst limit.
fn windows(scrape: &Scrape, quotas: &[QuotaStatus]) -> prometheus::Result<()> {
    let some = |value: fn(&QuotaStatus) -> Option<f64>| {
        quotas.iter().filter_map(move |quota| Some(([quota.name.as_str()], value(quota)?)))
    };
    let gauge = |name, help, value: fn(&QuotaStatus) -> Option<f64>| scrape.gauge(name, help, ["quota"], some(value));
    gauge(
        "daycap_quota_calendar_day_used",
        "Units used on the zone's calendar day, where the provider does not say when its day begins.",
        |quota| Some(float(quota.calendar_day?.used)),
    )?;
    gauge(
        "daycap_quota_worst_rolling_used",
        "Units used in the fullest 24 hours that ended within the last 24, of rolling windows.",
        |quota| Some(float(quota.worst?.used)),
    )?;
    gauge(
        "daycap_quota_burst_limit_requests_per_minute",
        "Requests that the burst limit allows a minute; of a limit a second, sixty times that.",
        |quota| Some(float(quota.burst.as_ref()?.limit_per_minute)),
    )?;
    gauge(
        "daycap_quota_busiest_minute_requests",
        "Requests in the current window's busiest minute, where there is a burst limit.",
        |quota| Some(quota.burst.as_ref()?.busiest.map_or(0.0, |busiest| float(busiest.requests))),
    )?;
    gauge(
        "daycap_quota_busiest_minute_timestamp_seconds",
        "When the current window's busiest minute began, in seconds since 1970; absent before its first request.",
        |quota| Some(seconds(quota.burst.as_ref()?.busiest?.start)),
    )?;
    gauge(
        "daycap_quota_above_burst_seconds",
        "Length of the current window's minutes that had more requests than the burst limit allows.",
        |quota| Some(60.0 * float(quota.burst.as_ref()?.minutes_above)),
    )
}

fn forecasts(scrape: &Scrape, quotas: &[QuotaStatus]) -> prometheus::Result<()> {
    let bands = quotas.iter().flat_map(|quota| {
        let forecast = &quota.forecast;
        [("0.1", forecast.p10), ("0.5", forecast.p50), ("0.9", forecast.p90)]
            .map(|(quantile, units)| ([quota.name.as_str(), quantile], float(units)))
    });
    scrape.gauge(
        "daycap_quota_forecast",
        "Units that the current window is forecast to end with, by quantile.",
        ["quota", "quantile"],
        bands,
    )?;
    let each = |value: fn(&QuotaStatus) -> f64| quotas.iter().map(move |quota| ([quota.name.as_str()], value(quota)));
    scrape.gauge(
        "daycap_quota_exceed_probability_ratio",
        "Forecast probability, 0 to 1, that the window ends above the limit.",
        ["quota"],
        each(|quota| quota.forecast.exceed_probability),
    )?;
    scrape.gauge(
        "daycap_quota_sustainable_requests_per_second",
        "Units a second that can be spent from now to the reset without passing the limit.",
        ["quota"],
        each(|quota| quota.forecast.sustainable_per_minute / 60.0),
    )?;
    let ends = quotas.iter().filter_map(|quota| Some(([quota.name.as_str()], seconds(quota.exhausted_at?))));
    scrape.gauge(
        "daycap_quota_exhaustion_timestamp_seconds",
        "When the median forecast reaches the limit, in seconds since 1970; absent when it does not.",
        ["quota"],
        ends,
    )
}

/// What servers said of the current windows; absent where none did.
fn servers(scrape: &Scrape, quotas: &[QuotaStatus]) -> prometheus::Result<()> {
    let each = |value: fn(&ServerTruth) -> Option<f64>| {
        quotas.iter().filter_map(move |quota| Some(([quota.name.as_str()], value(quota.server.as_ref()?)?)))
    };
    scrape.gauge(
        "daycap_quota_server_used",
        "Units used in the current window by the server's last word in a logged response; never adopted.",
        ["quota"],
        each(|truth| truth.used.map(float)),
    )?;
    scrape.gauge(
        "daycap_quota_server_limit",
        "Units that the quota allows by the server's last word in a logged response; never adopted.",
        ["quota"],
        each(|truth| truth.limit.map(float)),
    )?;
    scrape.gauge(
        "daycap_quota_server_observed_timestamp_seconds",
        "The minute of the server's last word on the current window, in seconds since 1970.",
        ["quota"],
        each(|truth| Some(seconds(truth.at))),
    )?;
    scrape.gauge(
        "daycap_quota_drift_requests",
        "Units that the server counted more than daycap up to its last word; below zero, fewer.",
        ["quota"],
        // Exact up to 2^53.
        each(|truth| truth.drift.map(|drift| drift as f64)),
    )
}

fn sources(scrape: &Scrape, sources: &[SourceStatus]) -> prometheus::Result<()> {
    let lines = sources.iter().flat_map(|source| {
        let results = [
            ("counted", source.lines.counted),
            ("skipped", source.lines.skipped),
            ("rejected", source.lines.rejected()),
        ];
        results.map(|(result, lines)| ([source.name.as_str(), result], lines))
    });
    scrape.counter(
        "daycap_log_lines_total",
        "Log lines read since daycap started, by what became of them.",
        ["source", "result"],
        lines,
    )?;
    let lags = sources.iter().map(|source| ([source.name.as_str()], float(source.lag_bytes)));
    scrape.gauge("daycap_log_lag_bytes", "Bytes in the source's logs that are not yet read.", ["source"], lags)?;
    let lasts = sources.iter().filter_map(|source| Some(([source.name.as_str()], seconds(source.last_request?))));
    scrape.gauge(
        "daycap_source_last_request_timestamp_seconds",
        "Time of the source's latest counted request, in seconds since 1970; absent before the first.",
        ["source"],
        lasts,
    )?;
    let stale = |source: &SourceStatus| if source.stale_since.is_some() { 1.0 } else { 0.0 };
    scrape.gauge(
        "daycap_source_stale",
        "1 if the source has been silent for longer than expected, else 0: its requests may be missing.",
        ["source"],
        sources.iter().map(|source| ([source.name.as_str()], stale(source))),
    )
}

fn activity(scrape: &Scrape, snapshot: &Snapshot) -> prometheus::Result<()> {
    let labels = ["service", "key", "operation", "code_class"];
    scrape.counter(
        "daycap_requests_total",
        "Requests counted since daycap started; operations beyond the first 200 are summed as (other).",
        labels,
        bounded(&snapshot.requests),
    )?;
    let notifications =
        snapshot.notifications.iter().map(|((notifier, result), count)| ([notifier.as_str(), *result], *count));
    scrape.counter(
        "daycap_notifications_total",
        "Messages delivered, attempts failed and messages dropped since daycap started, by notifier.",
        ["notifier", "result"],
        notifications,
    )?;
    let pending = snapshot.notifiers.iter().map(|notifier| ([notifier.name.as_str()], float(notifier.pending)));
    scrape.gauge(
        "daycap_notifications_pending",
        "Messages that are not delivered yet; they survive a restart.",
        ["notifier"],
        pending,
    )?;
    scrape.counter(
        "daycap_commit_failures_total",
        "Commits of the ledger that failed since daycap started.",
        [],
        [([], snapshot.commit.failures)],
    )?;
    scrape.gauge(
        "daycap_build_info",
        "Always 1; the label says which version runs.",
        ["version"],
        [([snapshot.version], 1.0)],
    )
}

/// One scrape's registry: each call makes a family, fills it and registers it.
struct Scrape {
    registry: Registry,
}

impl Scrape {
    fn gauge<'a, const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        samples: impl IntoIterator<Item = ([&'a str; N], f64)>,
    ) -> prometheus::Result<()> {
        let family = GaugeVec::new(Opts::new(name, help), &labels)?;
        for (values, value) in samples {
            family.with_label_values(&values.map(label)).set(value);
        }
        self.registry.register(Box::new(family))
    }

    /// Samples whose labels become equal when they are cut are summed.
    fn counter<'a, const N: usize>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        samples: impl IntoIterator<Item = ([&'a str; N], u64)>,
    ) -> prometheus::Result<()> {
        let family = IntCounterVec::new(Opts::new(name, help), &labels)?;
        for (values, value) in samples {
            family.with_label_values(&values.map(label)).inc_by(value);
        }
        self.registry.register(Box::new(family))
    }
}

/// The requests with few enough labels to be stored: what is not among the busiest is `(other)`. Sums are
/// as before, and what [`RequestCounts`] has bounded stays as it is.
fn bounded(requests: &BTreeMap<RequestLabels, u64>) -> impl Iterator<Item = ([&str; 4], u64)> {
    let services = busiest(requests, RequestCounts::CALLERS_MAX, |labels| ("", &labels.service));
    let keys = busiest(requests, RequestCounts::CALLERS_MAX, |labels| ("", &labels.key));
    let operations = busiest(requests, RequestCounts::OPERATIONS_MAX, |labels| (&labels.service, &labels.operation));
    requests.iter().map(move |(labels, count)| {
        let service = if services.contains(&("", labels.service.as_str())) { &labels.service } else { OTHER };
        let key = if keys.contains(&("", labels.key.as_str())) { &labels.key } else { OTHER };
        let is_busy = operations.contains(&(labels.service.as_str(), labels.operation.as_str()));
        let operation = if is_busy && service != OTHER { &labels.operation } else { OTHER };
        ([service, key, operation, labels.code_class], *count)
    })
}

/// The `most` names (of an owner) with the largest sums; of equal ones, the first. `(other)` is no name.
fn busiest(
    requests: &BTreeMap<RequestLabels, u64>,
    most: usize,
    name: impl Fn(&RequestLabels) -> (&str, &str),
) -> BTreeSet<(&str, &str)> {
    let mut sums = BTreeMap::<(&str, &str), u64>::new();
    for (labels, count) in requests.iter().filter(|(labels, _)| name(labels).1 != OTHER) {
        *sums.entry(name(labels)).or_default() += count;
    }
    let mut ranking: Vec<_> = sums.into_iter().collect();
    ranking.sort_by_key(|(name, sum)| (Reverse(*sum), *name));
    ranking.into_iter().take(most).map(|(name, _)| name).collect()
}

/// A label value as it is exported: no control characters, at most [`LABEL_BYTES_MAX`] bytes, never empty
/// (to Prometheus an empty label is a missing one).
fn label(value: &str) -> String {
    let mut text = String::new();
    for character in value.chars().filter(|character| !character.is_control()) {
        if text.len() + character.len_utf8() > LABEL_BYTES_MAX {
            break;
        }
        text.push(character);
    }
    if text.is_empty() { NONE.into() } else { text }
}

/// Prometheus knows no integers; above 2^53 units the last digits are lost.
fn float(units: u64) -> f64 {
    units as f64
}

/// Whole seconds: exact in an f64 for any date.
fn seconds(instant: DateTime<Utc>) -> f64 {
    instant.timestamp() as f64
}

fn exact(completeness: &Completeness) -> f64 {
    match completeness {
        Completeness::Exact => 1.0,
        Completeness::AtLeast { .. } => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::example;

    #[test]
    fn a_label_is_cut_between_characters() {
        assert_eq!(label(&"é".repeat(100)), "é".repeat(64));
        assert_eq!(label(&format!("a{}", "é".repeat(100))).len(), 127);
    }

    #[test]
    fn a_label_has_no_control_characters_and_is_never_empty() {
        assert_eq!(label("a\u{1b}[31m\nb"), "a[31mb");
        assert_eq!(label("\n"), "(none)");
        assert_eq!(label(""), "(none)");
    }

    #[test]
    fn operations_beyond_the_bound_are_summed_and_nothing_is_lost() {
        let requests: BTreeMap<_, _> =
            (0..1_000_u64).map(|n| (example::labels("sync", "prod", &format!("op{n:04}"), "2xx"), n + 1)).collect();
        let series: Vec<_> = bounded(&requests).collect();
        let named: BTreeSet<_> =
            series.iter().map(|([_, _, operation, _], _)| *operation).filter(|name| *name != OTHER).collect();
        assert_eq!(named.len(), RequestCounts::OPERATIONS_MAX);
        assert_eq!(named.first().copied(), Some("op0800"));
        assert_eq!(series.iter().map(|(_, count)| count).sum::<u64>(), requests.values().sum::<u64>());
    }

    #[test]
    fn what_is_already_summed_takes_no_place_among_the_busiest() {
        let mut requests: BTreeMap<_, _> =
            (0..200_u64).map(|n| (example::labels("sync", "prod", &format!("op{n:04}"), "2xx"), n + 1)).collect();
        requests.insert(example::labels("sync", "prod", OTHER, "2xx"), 1_000_000);
        assert_eq!(bounded(&requests).filter(|([_, _, operation, _], _)| *operation != OTHER).count(), 200);
    }

    #[test]
    fn services_and_keys_are_bounded_too() {
        let requests: BTreeMap<_, _> =
            (0..500_u64).map(|n| (example::labels(&format!("s{n:03}"), &format!("k{n:03}"), "op", "2xx"), 1)).collect();
        let mut snapshot = example::snapshot();
        snapshot.requests = requests.into();
        let text = render(&snapshot);
        let series = text.lines().filter(|line| line.starts_with("daycap_requests_total"));
        assert_eq!(series.count(), RequestCounts::CALLERS_MAX + 1);
        assert!(text.contains(
            "daycap_requests_total{code_class=\"2xx\",key=\"(other)\",operation=\"(other)\",service=\"(other)\"} 450"
        ));
    }

    #[test]
    fn counts_that_are_bounded_already_are_rendered_as_they_are() {
        let mut counts = RequestCounts::default();
        for n in 0..2_000_u64 {
            counts.add(example::labels(&format!("s{}", n % 60), &format!("k{}", n % 60), &format!("op{n}"), "2xx"), n);
        }
        let shared = counts.share();
        let as_they_are = shared.iter().map(|(labels, count)| {
            ([labels.service.as_str(), &labels.key, &labels.operation, labels.code_class], *count)
        });
        assert!(bounded(&shared).eq(as_they_are));
    }

    #[test]
    fn what_does_not_exist_is_absent_rather_than_zero() {
        let mut snapshot = example::snapshot();
        snapshot.sources[1].last_request = None;
        let text = render(&snapshot);
        assert!(text.contains("daycap_quota_exhaustion_timestamp_seconds{quota=\"maps\"}"));
        assert!(!text.contains("daycap_quota_exhaustion_timestamp_seconds{quota=\"prod\"}"));
        assert!(!text.contains("daycap_source_last_request_timestamp_seconds{source=\"/srv/crm/api.log\"}"));
    }

    #[test]
    fn a_snapshot_of_nothing_renders() {
        let mut snapshot = example::snapshot();
        snapshot.quotas.clear();
        snapshot.sources.clear();
        snapshot.notifications.clear();
        snapshot.requests = Default::default();
        let text = render(&snapshot);
        assert!(text.contains("daycap_build_info{version=\"0.1.0\"} 1\n"));
        assert!(!text.contains("daycap_quota"));
    }
}
