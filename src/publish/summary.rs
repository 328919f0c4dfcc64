//! A day that is over becomes a summary: what was used of each quota, how the forecasts fared, who asked for
//! what; as Markdown for people and JSON for machines.
//! This file never reads the ledger; it is handed what was counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use chrono::{DateTime, Timelike, Utc};
use chrono_tz::Tz;
use serde::Serialize;

use super::quota_day::{self, QuotaDay};
use super::text::thousands;
use crate::collect::request::OTHER;
use crate::count::ledger::Completeness;
use crate::count::query::{Report, Row};
use crate::count::tally::Minutes;
use crate::day::{Day, Minute};

/// One day, as the zone it names sees it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    pub day: Day,
    /// IANA name of the zone whose day this is.
    pub zone: String,
    pub host: String,
    pub completeness: Completeness,
    pub requests: u64,
    /// Requests with a status of 400 or more.
    pub errors: u64,
    /// Requests that were answered 429, each a call spent on being told to come back.
    pub retries_429: u64,
    pub units: u64,
    pub bytes: u64,
    pub quotas: Vec<QuotaDay>,
    pub busiest_minute: Option<Peak>,
    pub busiest_hour: Option<Peak>,
    pub by_service: Vec<Group>,
    pub by_operation: Vec<Group>,
    pub by_status: Vec<Group>,
}

/// The minute or hour that begins here was the busiest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Peak {
    pub start: DateTime<Utc>,
    pub units: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    pub name: String,
    pub requests: u64,
    pub errors: u64,
    pub units: u64,
}

/// What was counted on the day: the same requests by service, by operation and by status, and the units of
/// each minute.
pub struct Counted<'a> {
    pub by_service: &'a Report,
    pub by_operation: &'a Report,
    pub by_status: &'a Report,
    pub minutes: &'a Minutes,
}

/// Rows of a table; the rest is summed as `(other)`.
const GROUPS_MAX: usize = 20;
impl Summary {
    pub fn of(day: Day, zone: Tz, host: &str, quotas: Vec<QuotaDay>, counted: &Counted) -> Summary {
        let total = &counted.by_service.total;
        Summary {
            day,
            zone: zone.name().to_owned(),
            host: host.to_owned(),
            completeness: counted.by_service.completeness.clone(),
            requests: total.requests,
            errors: total.errors,
            retries_429: answered(counted.by_status, "429"),
            units: total.units,
            bytes: total.bytes,
            quotas,
            busiest_minute: busiest(counted.minutes, |minute| minute),
            busiest_hour: busiest(counted.minutes, |minute| hour_start(minute, zone)),
            by_service: groups(counted.by_service),
            by_operation: groups(counted.by_operation),
            by_status: groups(counted.by_status),
        }
    }
}

fn answered(by_status: &Report, status: &str) -> u64 {
    by_status.rows.iter().filter(|row| name(row) == status).map(|row| row.requests).sum()
}

/// The earliest of the spans with the most units.
fn busiest(minutes: &Minutes, start_of: impl Fn(Minute) -> Minute) -> Option<Peak> {
    let mut spans = BTreeMap::<Minute, u64>::new();
    for (minute, units) in minutes {
        *spans.entry(start_of(*minute)).or_default() += units;
    }
    let (start, units) = spans.into_iter().rev().max_by_key(|(_, units)| *units)?;
    Some(Peak { start: start.start(), units })
}

/// Where the wall clock's hour began: zones may be off by half an hour.
fn hour_start(minute: Minute, zone: Tz) -> Minute {
    Minute(minute.0.saturating_sub(minute.local(zone).minute()))
}

/// The busiest rows, most units first.
fn groups(report: &Report) -> Vec<Group> {
    let mut rows: Vec<&Row> = report.rows.iter().collect();
    rows.sort_by(|a, b| b.units.cmp(&a.units).then_with(|| a.group.cmp(&b.group)));
    let rest = rows.split_off(rows.len().min(GROUPS_MAX));
    let mut groups: Vec<_> = rows.into_iter().map(|row| group(name(row), &[row])).collect();
    if !rest.is_empty() {
        groups.push(group(OTHER.to_owned(), &rest));
    }
    groups
}

fn group(name: String, rows: &[&Row]) -> Group {
    let sum = |field: fn(&Row) -> u64| rows.iter().map(|row| field(row)).sum();
    Group { name, requests: sum(|row| row.requests), errors: sum(|row| row.errors), units: sum(|row| row.units) }
}

fn name(row: &Row) -> String {
    row.group.join(" ")
}

pub fn json(summary: &Summary) -> String {
    // Texts, integers and lists of them: there is nothing in a summary that JSON cannot say.
    serde_json::to_string_pretty(summary).expect("a summary is plain data") + "\n"
}

pub fn markdown(summary: &Summary) -> String {
    let zone = summary.zone.parse().unwrap_or(Tz::UTC);
    let mut text = format!("# API requests on {}\n\n{}\n", summary.day, overview(summary, zone));
    for quota in &summary.quotas {
        text += &quota_day::markdown(quota);
    }
    text += &table("Services", "service", &summary.by_service);
    text += "\n";
    text += &table("Operations", "operation", &summary.by_operation);
    text += "\n";
    text + &table("Statuses", "status", &summary.by_status)
}

fn overview(summary: &Summary, zone: Tz) -> String {
    let mut text = format!(
        "Counted by {} from midnight to midnight, {}. {}\n\n",
        cell(&summary.host),
        summary.zone,
        completeness(&summary.completeness)
    );
    let numbers = [
        ("requests", summary.requests),
        ("errors", summary.errors),
        ("answered 429", summary.retries_429),
        ("units", summary.units),
        ("bytes", summary.bytes),
    ];
    for (what, number) in numbers {
        line(&mut text, format_args!("- {what}: {}", thousands(number)));
    }
    for (what, peak) in [("minute", summary.busiest_minute), ("hour", summary.busiest_hour)] {
        if let Some(peak) = peak {
            let start = peak.start.with_timezone(&zone).format("%H:%M");
            line(&mut text, format_args!("- busiest {what}: {start}, {} units", thousands(peak.units)));
        }
    }
    text
}

fn completeness(completeness: &Completeness) -> String {
    match completeness {
        Completeness::Exact => "The count is exact.".to_owned(),
        Completeness::AtLeast { .. } => format!("**The count is a lower bound:** {}.", cell(&completeness.told())),
    }
}

fn table(title: &str, what: &str, groups: &[Group]) -> String {
    let mut text = format!("## {title}\n\n| {what} | requests | errors | units |\n|---|--:|--:|--:|\n");
    for group in groups {
        let [requests, errors, units] = [group.requests, group.errors, group.units].map(thousands);
        line(&mut text, format_args!("| {} | {requests} | {errors} | {units} |", cell(&group.name)));
    }
    text
}

pub(super) fn line(text: &mut String, line: std::fmt::Arguments) {
    writeln!(text, "{line}").expect("writing to a String does not fail");
}

/// A name from a log, held to one cell: it may not end the cell, the line or become markup.
pub(super) fn cell(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '|' | '`' | '*' | '_' | '<' | '[' | '\\' => text.extend(['\\', letter]),
            control if control.is_control() => text.push(' '),
            plain => text.push(plain),
        }
    }
    text
}

/// `<dir>/2026-11-22.md` and `.json`. After a crash each is either as it was or complete.
pub fn write(dir: &Path, summary: &Summary) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    replace(dir, &format!("{}.md", summary.day), &markdown(summary))?;
    replace(dir, &format!("{}.json", summary.day), &json(summary))?;
    File::open(dir)?.sync_all()
}

fn replace(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    let temporary = dir.join(format!(".{name}.tmp"));
    let mut file = File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(temporary, dir.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::ledger::Reason;
    use crate::count::query::{By, Incomplete};
    use crate::forecast::bins;
    use crate::quota::{Column, WindowKind};
    use expect_test::expect;

    const BERLIN: Tz = Tz::Europe__Berlin;

    fn day(text: &str) -> Day {
        text.parse().expect("a day")
    }

    /// Ten units a minute from 8:00 to 18:00 on each of these days.
    fn office(from: &str, to: &str) -> Minutes {
        let span = day(from).span(BERLIN).start.0..day(to).span(BERLIN).end.0;
        span.map(Minute)
            .filter(|minute| (8..18).contains(&minute.local(BERLIN).hour()))
            .map(|minute| (minute, 10))
            .collect()
    }

    fn row(name: &str, requests: u64, errors: u64) -> Row {
        let group = if name.is_empty() { Vec::new() } else { vec![name.to_owned()] };
        let (units, bytes) = (requests, requests * 1_000);
        Row { group, requests, errors, units, bytes, duration_ms_p50: None, duration_ms_p95: None, at_least: false }
    }

    fn report(column: Column, completeness: Completeness, rows: Vec<Row>) -> Report {
        Report { by: vec![By::Label(column)], rows, total: row("", 6_000, 212), completeness }
    }

    fn summary(completeness: Completeness) -> Summary {
        let minutes = office("2026-10-26", "2026-11-20");
        let today = day("2026-11-20");
        let history = bins::past_days(&minutes, BERLIN.into(), today, 28, &Incomplete::new());
        let incomplete = BTreeMap::from([(today, completeness.clone())]);
        let quotas = [("prod", 40_000), ("small", 5_000)]
            .map(|(name, limit)| {
                let quota = quota_day::tests::quota(name, limit, WindowKind::Day, BERLIN.into());
                quota_day::quota_day(&quota, today, &minutes, &incomplete, &history)
            })
            .to_vec();
        let services = [row("crawler", 5_000, 200), row("shop|a_b", 1_000, 12)];
        Summary::of(
            today,
            BERLIN,
            "web1",
            quotas,
            &Counted {
                by_service: &report(Column::Service, completeness, services.to_vec()),
                by_operation: &report(Column::Operation, Completeness::Exact, vec![row("GetOrder", 6_000, 212)]),
                by_status: &report(
                    Column::Status,
                    Completeness::Exact,
                    vec![row("200", 5_788, 0), row("429", 212, 212)],
                ),
                minutes: &office("2026-11-20", "2026-11-20"),
            },
        )
    }

    #[test]
    fn a_day_as_markdown() {
        expect![[r#"
            # API requests on 2026-11-20

            Counted by web1 from midnight to midnight, Europe/Berlin. The count is exact.

            - requests: 6,000
            - errors: 212
            - answered 429: 212
            - units: 6,000
            - bytes: 6,000,000
            - busiest minute: 08:00, 10 units
            - busiest hour: 08:00, 600 units

            ## Quota prod: 6,000 of 40,000 (15%)

            Window 2026-11-20 00:00 to 2026-11-21 00:00, Europe/Berlin. The limit was kept.

            | forecast at | P10 | P50 | P90 | P50 off by |
            |---|--:|--:|--:|--:|
            | 09:00 | 6,000 | 6,000 | 6,000 | 0% |
            | 12:00 | 6,008 | 6,008 | 6,008 | 0% |
            | 15:00 | 5,916 | 6,000 | 6,023 | 0% |
            | 18:00 | 6,000 | 6,000 | 6,031 | 0% |

            ## Quota small: 6,000 of 5,000 (120%)

            Window 2026-11-20 00:00 to 2026-11-21 00:00, Europe/Berlin. **The limit was passed at 16:20.**

            | forecast at | P10 | P50 | P90 | P50 off by |
            |---|--:|--:|--:|--:|
            | 09:00 | 6,000 | 6,000 | 6,000 | 0% |
            | 12:00 | 6,008 | 6,008 | 6,008 | 0% |
            | 15:00 | 5,916 | 6,000 | 6,023 | 0% |
            | 18:00 | 6,000 | 6,000 | 6,031 | 0% |

            ## Services

            | service | requests | errors | units |
            |---|--:|--:|--:|
            | crawler | 5,000 | 200 | 5,000 |
            | shop\|a\_b | 1,000 | 12 | 1,000 |

            ## Operations

            | operation | requests | errors | units |
            |---|--:|--:|--:|
            | GetOrder | 6,000 | 212 | 6,000 |

            ## Statuses

            | status | requests | errors | units |
            |---|--:|--:|--:|
            | 200 | 5,788 | 0 | 5,788 |
            | 429 | 212 | 212 | 212 |
        "#]]
        .assert_eq(&markdown(&summary(Completeness::Exact)));
    }

    #[test]
    fn a_day_as_json() {
        expect![[r#"
            {
              "day": "2026-11-20",
              "zone": "Europe/Berlin",
              "host": "web1",
              "completeness": {
                "kind": "exact"
              },
              "requests": 6000,
              "errors": 212,
              "retries_429": 212,
              "units": 6000,
              "bytes": 6000000,
              "quotas": [
                {
                  "name": "prod",
                  "window": "day",
                  "zone": "Europe/Berlin",
                  "limit": 40000,
                  "used": 6000,
                  "percent": 15,
                  "window_start": "2026-11-19T23:00:00Z",
                  "window_end": "2026-11-20T23:00:00Z",
                  "exceeded": false,
                  "exceeded_at": null,
                  "forecasts_at": [
                    {
                      "hour": 9,
                      "p10": 6000,
                      "p50": 6000,
                      "p90": 6000,
                      "error_percent": 0
                    },
                    {
                      "hour": 12,
                      "p10": 6008,
                      "p50": 6008,
                      "p90": 6008,
                      "error_percent": 0
                    },
                    {
                      "hour": 15,
                      "p10": 5916,
                      "p50": 6000,
                      "p90": 6023,
                      "error_percent": 0
                    },
                    {
                      "hour": 18,
                      "p10": 6000,
                      "p50": 6000,
                      "p90": 6031,
                      "error_percent": 0
                    }
                  ],
                  "completeness": {
                    "kind": "exact"
                  }
                },
                {
                  "name": "small",
                  "window": "day",
                  "zone": "Europe/Berlin",
                  "limit": 5000,
                  "used": 6000,
                  "percent": 120,
                  "window_start": "2026-11-19T23:00:00Z",
                  "window_end": "2026-11-20T23:00:00Z",
                  "exceeded": true,
                  "exceeded_at": "2026-11-20T15:20:00Z",
                  "forecasts_at": [
                    {
                      "hour": 9,
                      "p10": 6000,
                      "p50": 6000,
                      "p90": 6000,
                      "error_percent": 0
                    },
                    {
                      "hour": 12,
                      "p10": 6008,
                      "p50": 6008,
                      "p90": 6008,
                      "error_percent": 0
                    },
                    {
                      "hour": 15,
                      "p10": 5916,
                      "p50": 6000,
                      "p90": 6023,
                      "error_percent": 0
                    },
                    {
                      "hour": 18,
                      "p10": 6000,
                      "p50": 6000,
                      "p90": 6031,
                      "error_percent": 0
                    }
                  ],
                  "completeness": {
                    "kind": "exact"
                  }
                }
              ],
              "busiest_minute": {
                "start": "2026-11-20T07:00:00Z",
                "units": 10
              },
              "busiest_hour": {
                "start": "2026-11-20T07:00:00Z",
                "units": 600
              },
              "by_service": [
                {
                  "name": "crawler",
                  "requests": 5000,
                  "errors": 200,
                  "units": 5000
                },
                {
                  "name": "shop|a_b",
                  "requests": 1000,
                  "errors": 12,
                  "units": 1000
                }
              ],
              "by_operation": [
                {
                  "name": "GetOrder",
                  "requests": 6000,
                  "errors": 212,
                  "units": 6000
                }
              ],
              "by_status": [
                {
                  "name": "200",
                  "requests": 5788,
                  "errors": 0,
                  "units": 5788
                },
                {
                  "name": "429",
                  "requests": 212,
                  "errors": 212,
                  "units": 212
                }
              ]
            }
        "#]]
        .assert_eq(&json(&summary(Completeness::Exact)));
    }

    #[test]
    fn a_lower_bound_says_why() {
        let reasons = ["crawler.log was truncated", "a.log could not be read"]
            .map(|what| Reason::of_day(day("2026-11-20"), what.to_owned()))
            .to_vec();
        let summary = summary(Completeness::AtLeast { reasons });
        let text = markdown(&summary);
        assert!(
            text.contains(
                "**The count is a lower bound:** crawler.log was truncated (on 2026-11-20); \
                 a.log could not be read (on 2026-11-20)."
            ),
            "{text}"
        );
        assert!(text.contains("## Quota prod: at least 6,000 of 40,000"), "{text}");
        assert!(json(&summary).contains("\"what\": \"crawler.log was truncated\""));
    }

    #[test]
    fn beyond_twenty_groups_the_rest_is_summed() {
        let rows = (1..=25).map(|number| row(&format!("op{number:02}"), number, 1)).collect();
        let groups = groups(&report(Column::Operation, Completeness::Exact, rows));
        assert_eq!((groups.len(), groups[0].name.as_str()), (21, "op25"));
        assert_eq!(groups[20], Group { name: OTHER.to_owned(), requests: 15, errors: 5, units: 15 });
    }

    #[test]
    fn names_from_logs_cannot_break_out_of_a_table() {
        assert_eq!(cell("a|b\n# <c>"), "a\\|b # \\<c>");
    }

    #[test]
    fn the_files_hold_what_was_rendered_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().expect("a fresh directory");
        let target = dir.path().join("summaries");
        let summary = summary(Completeness::Exact);
        write(&target, &summary).expect("it is written");
        write(&target, &summary).expect("it is written over");
        let mut names: Vec<_> =
            fs::read_dir(&target).expect("it is there").map(|entry| entry.expect("an entry").file_name()).collect();
        names.sort();
        assert_eq!(names, ["2026-11-20.json", "2026-11-20.md"]);
        assert_eq!(fs::read_to_string(target.join("2026-11-20.md")).expect("it is read"), markdown(&summary));
    }
}
