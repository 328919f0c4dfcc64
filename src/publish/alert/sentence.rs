//! A level that is raised or over becomes a headline and a sentence for a person.
//! This file never decides anything; it words what was decided.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::judge::{rolls, used_up_at_this_pace};
use super::{Level, Rules};
use crate::count::ledger::Completeness;
use crate::forecast::Confidence;
use crate::publish::message::{Figures, Text};
use crate::publish::snapshot::{Contributor, QuotaStatus};
use crate::publish::text::{printable, thousands};
use crate::publish::window;

/// Operations that a message names.
const TOP: usize = 3;

pub(super) fn figures(quota: &QuotaStatus) -> Figures {
    Figures {
        used: quota.used,
        limit: quota.limit,
        p10: quota.forecast.p10,
        p50: quota.forecast.p50,
        p90: quota.forecast.p90,
        exceed_probability: quota.forecast.exceed_probability,
        exhausted_at: quota.exhausted_at,
        resets_at: quota.resets_at,
        zone: quota.zone.clone(),
        sustainable_per_minute: quota.forecast.sustainable_per_minute,
        confidence: quota.forecast.confidence,
        top: quota.top.iter().take(TOP).cloned().collect(),
    }
}

/// `quota "prod" is forecast to exceed its limit: 20,150 of 40,000 used (50%); ...`
pub(super) fn fires(quota: &QuotaStatus, level: Level, rules: &Rules, now: DateTime<Utc>) -> Text {
    let burst = used_up_at_this_pace(quota, rules, now).filter(|_| level == Level::Imminent);
    let headline = headline(quota, level, burst, rules);
    let runs_out = burst.map(|at| at_this_pace(quota, at)).or_else(|| {
        let at = quota.exhausted_at?;
        Some(format!("runs out {}", local(at, &quota.zone)))
    });
    Text { title: title(quota, &headline), message: sentence(quota, &headline, runs_out) }
}

/// The same of a level that holds no longer, though its window goes on.
pub(super) fn is_over(quota: &QuotaStatus, level: Level) -> Text {
    let headline = match level {
        Level::Projected => "is no longer forecast to exceed its limit".to_owned(),
        Level::Used(percent) => format!("has used less than {percent}% of its limit again"),
        Level::Imminent => "is no longer about to be used up".to_owned(),
        Level::Exceeded => "is under its limit again".to_owned(),
    };
    let runs_out = quota.exhausted_at.map(|at| format!("runs out {}", local(at, &quota.zone)));
    Text { title: title(quota, &headline), message: sentence(quota, &headline, runs_out) }
}

/// The window in which it was said is over, and when it was last looked at, so much of the limit was used.
pub(super) fn window_is_over(name: &str, used: u64, limit: u64) -> Text {
    let share = share(used, limit);
    let ended = if used > limit {
        format!("{} over its limit", thousands(used - limit))
    } else {
        "its limit was not exceeded".to_owned()
    };
    Text {
        title: format!("{} starts anew after {share}", printable(name)),
        message: format!("quota {name:?} starts anew: when its last window was last looked at, {share}, {ended}"),
    }
}

pub(super) fn is_gone(name: &str) -> Text {
    Text {
        title: format!("{} is no longer a quota", printable(name)),
        message: format!("quota {name:?} is no longer in the configuration"),
    }
}

fn title(quota: &QuotaStatus, headline: &str) -> String {
    format!("{} {headline} ({}% used)", printable(&quota.name), percent(quota.used, quota.limit))
}

fn sentence(quota: &QuotaStatus, headline: &str, runs_out: Option<String>) -> String {
    let mut parts = vec![used(quota)];
    parts.extend(window::fullest(quota));
    parts.push(outlook(quota));
    parts.extend(runs_out);
    parts.push(resets(quota));
    parts.push(spendable(quota));
    parts.extend(most_by(&quota.top));
    format!("quota {:?} {headline}: {}", quota.name, parts.join("; "))
}

fn headline(quota: &QuotaStatus, level: Level, burst: Option<DateTime<Utc>>, rules: &Rules) -> String {
    let is_certain = quota.forecast.exceed_probability >= rules.imminent;
    match level {
        Level::Projected => "is forecast to exceed its limit".to_owned(),
        Level::Imminent if burst.is_some() => "is being used up by a burst".to_owned(),
        Level::Imminent if is_certain => "is all but certain to exceed its limit".to_owned(),
        Level::Imminent => "will soon be used up".to_owned(),
        Level::Used(_) if quota.used == quota.limit => "is used up".to_owned(),
        Level::Used(percent) => format!("has used {percent}% of its limit"),
        Level::Exceeded => "has exceeded its limit".to_owned(),
    }
}

fn at_this_pace(quota: &QuotaStatus, at: DateTime<Utc>) -> String {
    let usual = match quota.pace.usual_max {
        Some(most) => format!("its busiest minute used to have {}", thousands(most)),
        None => "what is usual is not known yet".to_owned(),
    };
    let at = local(at, &quota.zone);
    format!("runs out {at} at the last minute's pace of {:.0} ({usual})", quota.pace.per_minute)
}

fn used(quota: &QuotaStatus) -> String {
    let at_least = match quota.completeness {
        Completeness::Exact => "",
        Completeness::AtLeast { .. } => "at least ",
    };
    format!("{at_least}{}", share(quota.used, quota.limit))
}

/// `20,150 of 40,000 used (50%)`
fn share(used: u64, limit: u64) -> String {
    format!("{} of {} used ({}%)", thousands(used), thousands(limit), percent(used, limit))
}

/// Whole percents, rounded down: 100% is said when it is reached, not before.
fn percent(used: u64, limit: u64) -> u128 {
    u128::from(used) * 100 / u128::from(limit.max(1))
}

/// The forecast with its band, and how far to trust it.
fn outlook(quota: &QuotaStatus) -> String {
    let forecast = &quota.forecast;
    let band = format!("{}-{}", thousands(forecast.p10), thousands(forecast.p90));
    let chance = chance(quota);
    let median = thousands(forecast.p50);
    match forecast.confidence {
        Confidence::Learning => format!("still learning, no whole day seen yet: total likely {band}"),
        Confidence::Low => format!("forecast {median} (P10-P90 {band}), {chance} to exceed, low confidence"),
        Confidence::Normal => format!("forecast {median} (P10-P90 {band}), {chance} to exceed"),
    }
}

/// A forecast is never as sure as 0% or 100%; a count is.
fn chance(quota: &QuotaStatus) -> String {
    let probability = quota.forecast.exceed_probability;
    if quota.used > quota.limit {
        "100%".to_owned()
    } else if probability < 0.01 {
        "<1%".to_owned()
    } else if probability > 0.99 {
        ">99%".to_owned()
    } else {
        format!("{:.0}%", probability * 100.0)
    }
}

fn resets(quota: &QuotaStatus) -> String {
    if rolls(quota) {
        return "each unit is free again 24 h after its use".to_owned();
    }
    format!("resets {}", local(quota.resets_at, &quota.zone))
}

fn spendable(quota: &QuotaStatus) -> String {
    match (quota.used >= quota.limit, rolls(quota)) {
        (true, false) => "nothing may be spent until then".to_owned(),
        (true, true) => "nothing may be spent before".to_owned(),
        (false, _) => {
            format!("{:.1} a minute may be spent {}", quota.forecast.sustainable_per_minute, window::until(quota))
        }
    }
}

/// `most by sync jobSearch 8,123 (usually 4,000 by now), crm contact 4,222`
fn most_by(top: &[Contributor]) -> Option<String> {
    let named: Vec<_> = top.iter().take(TOP).map(contributor).collect();
    (!named.is_empty()).then(|| format!("most by {}", named.join(", ")))
}

fn contributor(of: &Contributor) -> String {
    let usual = match of.usual {
        Some(0) => " (usually none by now)".to_owned(),
        Some(usual) => format!(" (usually {} by now)", thousands(usual)),
        None => String::new(),
    };
    format!("{} {} {}{usual}", printable(&of.service), printable(&of.operation), thousands(of.units))
}

/// The zone's wall clock, with the date and the zone: `2026-11-22 19:40 Europe/Berlin`.
fn local(instant: DateTime<Utc>, zone: &str) -> String {
    match zone.parse::<Tz>() {
        Ok(tz) => format!("{} {zone}", instant.with_timezone(&tz).format("%Y-%m-%d %H:%M")),
        Err(_) => format!("{} UTC", instant.format("%Y-%m-%d %H:%M")),
    }
}
