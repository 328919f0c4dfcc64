//! `daycap alerts`: what was said, when, and when it was over; from the history, without asking a daemon.

use std::collections::BTreeMap;
use std::io::Write;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use comfy_table::{LineStyle, Table, TableStyle};

use super::report::span_of_last;
use super::{Done, Failure, Terms, bare, configured, print, since_until, tell, zone};
use crate::cli::{Alerts, Listing};
use crate::day::Minute;
use crate::publish::history;
use crate::publish::message::{Message, Status};
use crate::publish::report::csv_line;
use crate::publish::text::{instant, printable};

pub fn alerts(asked: &Alerts, terms: &Terms, out: &mut dyn Write) -> Done {
    let surroundings = (terms.surroundings)();
    let config = configured(&asked.place, &surroundings)?.unwrap_or_else(|| bare(&asked.place, &surroundings));
    let zone = zone(&asked.tz)?;
    let is_asked = filter(asked, zone, (terms.wall)()).map_err(Failure::Usage)?;
    let dir = &config.state_dir;
    if !dir.exists() {
        let remedy = "give the daemon's with --state or state.dir";
        return Err(anyhow::anyhow!("there is no state directory {}; {remedy}", dir.display()).into());
    }
    let mut history = history::read(dir)
        .map_err(|error| anyhow::anyhow!("cannot read the history of alerts in {}: {error}", dir.display()))?;
    if history.unreadable > 0 {
        tell(&format!("{} lines of {}/alerts.jsonl are no messages", history.unreadable, dir.display()));
    }
    history.messages.retain(is_asked);
    print(out, &render(&history.messages, asked.format, zone)?)
}

/// Which messages are asked for. Days are of `zone`, both included.
fn filter(asked: &Alerts, zone: Tz, now: DateTime<Utc>) -> Result<impl Fn(&Message) -> bool, String> {
    let (first, end) = match &asked.last {
        Some(last) => span_of_last(last, zone, now).map(|span| (Some(span.start), Some(span.end)))?,
        None => {
            let (since, until) = since_until(asked.since.as_deref(), asked.until.as_deref())?;
            (since.map(|day| day.span(zone).start), until.map(|day| day.span(zone).end))
        }
    };
    let quota = asked.quota.clone();
    Ok(move |message: &Message| {
        let minute = Minute::at(message.at);
        let is_in_span = first.is_none_or(|first| first <= minute) && end.is_none_or(|end| minute < end);
        is_in_span && (quota.is_none() || message.quota == quota)
    })
}

fn render(messages: &[Message], format: Listing, zone: Tz) -> anyhow::Result<String> {
    Ok(match format {
        Listing::Table => table(messages, zone),
        Listing::Csv => csv(messages),
        Listing::Json => serde_json::to_string_pretty(messages)? + "\n",
    })
}

/// One matter, as far as the messages tell.
struct Row<'a> {
    since: DateTime<Utc>,
    over: Option<DateTime<Utc>>,
    message: &'a Message,
}

/// A row a matter, in the order in which they began.
fn matters(messages: &[Message]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut places = BTreeMap::new();
    for message in messages {
        let place = *places.entry(&message.id).or_insert_with(|| {
            rows.push(Row { since: message.since, over: None, message });
            rows.len() - 1
        });
        if message.status == Status::Resolved {
            rows[place].over = Some(message.at);
        }
    }
    rows.sort_by_key(|row| row.since);
    rows
}

fn table(messages: &[Message], zone: Tz) -> String {
    if messages.is_empty() {
        return "no alerts\n".to_owned();
    }
    let at = |at| instant(at, zone.name());
    let mut table = Table::new();
    table.load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')));
    table.set_header(["since", "over", "level", "what"]);
    for Row { since, over, message } in matters(messages) {
        let over = over.map_or("-".to_owned(), at);
        let what = if message.title.is_empty() { &message.message } else { &message.title };
        table.add_row([at(since), over, message.level.to_string(), printable(what)]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn csv(messages: &[Message]) -> String {
    let header = ["at", "status", "level", "severity", "quota", "source", "since", "title", "message", "id"];
    let line = |message: &Message| {
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        csv_line(
            [
                message.at.to_rfc3339(),
                message.status.name().to_owned(),
                message.level.to_string(),
                message.severity.name().to_owned(),
                name(&message.quota),
                name(&message.source),
                message.since.to_rfc3339(),
                message.title.clone(),
                message.message.clone(),
                message.id.clone(),
            ]
            .into_iter(),
        )
    };
    csv_line(header.map(str::to_owned).into_iter()) + &messages.iter().map(line).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use crate::publish::example;
    use chrono::TimeDelta;
    use clap::Parser;
    use expect_test::expect;

    /// A projection that was over after an hour, and a source that is silent.
    fn messages() -> Vec<Message> {
        let over = Message {
            status: Status::Resolved,
            at: example::now() + TimeDelta::hours(1),
            title: "maps is no longer forecast to exceed its limit (80% used)".to_owned(),
            ..example::alert()
        };
        vec![example::alert(), example::trouble(), over]
    }

    #[test]
    fn a_table_has_a_row_a_matter_and_says_what_is_over() {
        expect![[r#"
            since                 over                  level      what
            ───────────────────────────────────────────────────────────────────────────────────────────────────────
            2026-11-22 08:30 CET  -                     stale      /srv/crm/api.log is silent
            2026-11-22 15:20 CET  2026-11-22 16:30 CET  projected  maps is forecast to exceed its limit (79% used)
        "#]]
        .assert_eq(&table(&messages(), Tz::Europe__Berlin));
        assert_eq!(table(&[], Tz::UTC), "no alerts\n");
    }

    #[test]
    fn csv_has_a_line_a_message() {
        expect![[r#"
            at,status,level,severity,quota,source,since,title,message,id
            2026-11-22T14:30:00+00:00,firing,projected,warning,maps,,2026-11-22T14:20:00+00:00,maps is forecast to exceed its limit (79% used),"quota ""maps"" is forecast to exceed its limit: 7,900 of 10,000 used (79%)",maps-projected-1
            2026-11-22T14:30:00+00:00,firing,stale,warning,,/srv/crm/api.log,2026-11-22T07:30:00+00:00,/srv/crm/api.log is silent,"source ""/srv/crm/api.log"" has been silent for 9 h 00 min",stale-crm-1
            2026-11-22T15:30:00+00:00,resolved,projected,warning,maps,,2026-11-22T14:20:00+00:00,maps is no longer forecast to exceed its limit (80% used),"quota ""maps"" is forecast to exceed its limit: 7,900 of 10,000 used (79%)",maps-projected-1
        "#]].assert_eq(&csv(&messages()));
    }

    /// The ids of the messages that these words ask for.
    fn asked(words: &str) -> Vec<String> {
        let words = ["daycap", "alerts"].into_iter().chain(words.split_whitespace());
        let Command::Alerts(asked) = Cli::try_parse_from(words).expect("parses").command else { panic!("not alerts") };
        let zone = asked.tz.parse().expect("a zone");
        let is_asked = filter(&asked, zone, example::now() + TimeDelta::hours(2)).expect("a filter");
        let mut messages = messages();
        messages[1].at -= TimeDelta::hours(15);
        messages.iter().filter(|message| is_asked(message)).map(|message| message.id.clone()).collect()
    }

    #[test]
    fn messages_are_chosen_by_day_by_hour_and_by_quota() {
        let (alert, trouble) = ("maps-projected-1", "stale-crm-1");
        assert_eq!(asked(""), [alert, trouble, alert]);
        assert_eq!(asked("--since 2026-11-22"), [alert, alert]);
        assert_eq!(asked("--until 2026-11-21"), [trouble]);
        assert_eq!(asked("--since 2026-11-22 --tz Asia/Tokyo"), [alert, trouble, alert]);
        assert_eq!(asked("--last 1h"), [alert]);
        assert_eq!(asked("--quota maps"), [alert, alert]);
        assert_eq!(asked("--quota prod"), [alert; 0]);
    }
}
