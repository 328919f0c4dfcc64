//! `daycap notify test`: one made-up message goes through each notifier, and what became of it is printed.
//! Takes no lock: a daemon may be running. Nothing here reads the state or the ledger.

use std::io::Write;

use anyhow::anyhow;
use chrono::{DateTime, TimeDelta, Utc};

use super::{CONFIG_DEFAULT, Done, Failure, Outcome, Terms, configured, print};
use crate::cli::{NotifyAction, NotifyTest};
use crate::config::{Config, nearest};
use crate::publish::deliver::{self, DeliveryError, Notifier, Parcel, Standing};
use crate::publish::message::{Drill, Message, Severity, Status, Topic};

/// For how long a receiver may take the test for something that stands, should its end not arrive.
const TEST_HOLDS_FOR: TimeDelta = TimeDelta::minutes(4);

pub fn notify(action: &NotifyAction, terms: &Terms, out: &mut dyn Write) -> Done {
    match action {
        NotifyAction::Test(asked) => test(asked, terms, out),
    }
}

fn test(asked: &NotifyTest, terms: &Terms, out: &mut dyn Write) -> Done {
    let config = configured(&asked.place, &(terms.surroundings)())?.ok_or_else(|| {
        Failure::Usage(format!("there is no configuration at {CONFIG_DEFAULT}; give --config FILE with a [[notify]]"))
    })?;
    let notifiers = chosen(&config, asked.name.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let tried = runtime.block_on(try_all(&notifiers, &config.host, terms.wall));
    let lines = notifiers.iter().zip(&tried).map(|(notifier, tried)| match tried {
        Ok(()) => format!("{}: delivered\n", notifier.name),
        Err(error) => format!("{}: not delivered: {error}\n", notifier.name),
    });
    print(out, &lines.collect::<String>())?;
    match tried.iter().filter(|tried| tried.is_err()).count() {
        0 => Ok(Outcome::Done),
        failed => Err(anyhow!("{failed} of {} notifiers did not deliver", notifiers.len()).into()),
    }
}

/// All, or the one of this name.
fn chosen(config: &Config, name: Option<&str>) -> Result<Vec<Notifier>, Failure> {
    let names = || config.notifiers.iter().map(|notifier| notifier.name.as_str());
    let Some(nearest) = nearest(name.unwrap_or_default(), names()) else {
        return Err(Failure::Usage("there is no [[notify]] in the configuration; add one to be told".to_owned()));
    };
    let is_chosen = |notifier: &&Notifier| name.is_none_or(|name| notifier.name == name);
    let chosen: Vec<_> = config.notifiers.iter().filter(is_chosen).cloned().collect();
    match name {
        Some(name) if chosen.is_empty() => {
            Err(Failure::Usage(format!("no notifier is named {name:?}; did you mean {nearest:?}?")))
        }
        Some(_) | None => Ok(chosen),
    }
}

/// Side by side, each within its own time; in the order of `notifiers`.
async fn try_all(notifiers: &[Notifier], host: &str, wall: fn() -> DateTime<Utc>) -> Vec<Result<(), DeliveryError>> {
    let start = |notifier: &Notifier| {
        let (notifier, host) = (notifier.clone(), host.to_owned());
        tokio::spawn(async move { try_one(&notifier, &host, wall).await })
    };
    let started: Vec<_> = notifiers.iter().map(start).collect();
    let mut tried = Vec::new();
    for one in started {
        tried.push(one.await.expect("a delivery does not panic"));
    }
    tried
}

/// A beginning and its end, so that nothing is left open where an incident is made of it.
async fn try_one(notifier: &Notifier, host: &str, wall: fn() -> DateTime<Utc>) -> Result<(), DeliveryError> {
    let began = wall();
    let statuses = [Status::Firing, Status::Resolved];
    for status in statuses.into_iter().filter(|status| notifier.sends_resolved || *status == Status::Firing) {
        let now = wall();
        // Whatever it wants to hear of, it is to hear this.
        let message = Message { severity: notifier.severity_min, ..message(host, status, began, now) };
        deliver::deliver(notifier, &parcel(notifier, message), now).await?;
    }
    Ok(())
}

fn parcel(notifier: &Notifier, message: Message) -> Parcel {
    if !notifier.kind.stands() {
        return Parcel::News(message);
    }
    let ends_at = match message.status {
        Status::Firing => message.at + TEST_HOLDS_FOR,
        Status::Resolved => message.at,
    };
    Parcel::Standing(vec![Standing { message, ends_at }])
}

fn message(host: &str, status: Status, began: DateTime<Utc>, now: DateTime<Utc>) -> Message {
    let what = match status {
        Status::Firing => "nothing is the matter",
        Status::Resolved => "this is how the end of an alert looks",
    };
    Message {
        id: format!("test/{host}/{}", began.timestamp()),
        status,
        level: Topic::Drill(Drill::Test),
        severity: Severity::Info,
        quota: None,
        source: None,
        title: format!("Test from daycap on {host}"),
        quiet: false,
        message: format!("TEST: daycap on {host} can reach you; {what}"),
        at: now,
        since: began,
        figures: None,
    }
}
