//! `[alert]`, and `alert` inside `[[quota]]`, become the [`Rules`] of each quota; what a quota says goes before.
//! This file never raises an alert.

use std::time::Duration;

use chrono::TimeDelta;
use serde::Deserialize;

use super::duration;
use super::quota::RawQuota;
use crate::publish::alert::{Alerting, Rules};

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAlert {
    raise: Option<f64>,
    clear: Option<f64>,
    imminent: Option<f64>,
    imminent_within: Option<String>,
    quiet_first: Option<String>,
    used: Option<Vec<i64>>,
    used_margin: Option<i64>,
    burst_least: Option<i64>,
    burst_factor: Option<f64>,
    burst_hold: Option<String>,
    not_exact: Option<bool>,
    // Of sources and commits, so not for a quota to say.
    stale: Option<bool>,
    commit_failing: Option<bool>,
    commit_failing_after: Option<String>,
}

/// The longest window is a month.
const TIME_MAX: Duration = Duration::from_secs(31 * 86_400);
/// More levels of use than this are no levels but a graph.
const USED_MAX: usize = 10;

pub(super) fn settle(raw: &RawAlert, quotas: &[RawQuota]) -> Result<Alerting, String> {
    let default = Alerting::default();
    let usual = rules(raw, &default.usual)?;
    let own = |quota: &RawQuota| {
        let own = no_others(&quota.alert).and_then(|()| rules(&quota.alert, &usual));
        let own = own.map_err(|error| format!("quota {:?}: {error}", quota.name))?;
        Ok((quota.name.clone(), own))
    };
    let own = quotas.iter().map(own).collect::<Result<Vec<_>, String>>()?;
    let after = duration("alert.commit_failing_after", raw.commit_failing_after.as_deref())?;
    Ok(Alerting {
        by_quota: own.into_iter().filter(|(_, rules)| *rules != usual).collect(),
        usual,
        stale: raw.stale.unwrap_or(default.stale),
        commit_failing: raw.commit_failing.unwrap_or(default.commit_failing),
        commit_failing_after: after.unwrap_or(default.commit_failing_after),
    })
}

/// A source feeds many quotas, and a commit saves them all.
fn no_others(raw: &RawAlert) -> Result<(), String> {
    let others = [
        ("stale", raw.stale.is_some()),
        ("commit_failing", raw.commit_failing.is_some()),
        ("commit_failing_after", raw.commit_failing_after.is_some()),
    ];
    match others.into_iter().find(|(_, is_said)| *is_said) {
        Some((key, _)) => Err(format!("alert.{key} is not of one quota; write it into [alert]")),
        None => Ok(()),
    }
}

fn rules(raw: &RawAlert, otherwise: &Rules) -> Result<Rules, String> {
    let rules = Rules {
        raise: probability("raise", raw.raise, otherwise.raise)?,
        clear: probability("clear", raw.clear, otherwise.clear)?,
        imminent: probability("imminent", raw.imminent, otherwise.imminent)?,
        imminent_within: time("imminent_within", raw.imminent_within.as_deref(), otherwise.imminent_within)?,
        quiet_first: time("quiet_first", raw.quiet_first.as_deref(), otherwise.quiet_first)?,
        used: used(raw.used.as_deref(), &otherwise.used)?,
        used_margin: percent("used_margin", raw.used_margin, otherwise.used_margin)?,
        burst_least: least(raw.burst_least, otherwise.burst_least)?,
        burst_factor: burst_factor(raw.burst_factor, otherwise.burst_factor)?,
        burst_hold: time("burst_hold", raw.burst_hold.as_deref(), otherwise.burst_hold)?,
        not_exact: raw.not_exact.unwrap_or(otherwise.not_exact),
    };
    in_order(&rules)?;
    Ok(rules)
}

fn in_order(rules: &Rules) -> Result<(), String> {
    let Rules { raise, clear, imminent, .. } = rules;
    if clear >= raise {
        return Err(format!("alert.clear is {clear}; it must be below alert.raise, which is {raise}"));
    }
    if imminent < raise {
        return Err(format!("alert.imminent is {imminent}; it must not be below alert.raise, which is {raise}"));
    }
    Ok(())
}

fn probability(key: &str, value: Option<f64>, otherwise: f64) -> Result<f64, String> {
    match value {
        None => Ok(otherwise),
        Some(value) if value > 0.0 && value <= 1.0 => Ok(value),
        Some(value) => Err(format!("alert.{key} is {value}; write a probability as 0.7, above 0 and at most 1")),
    }
}

fn percent(key: &str, value: Option<i64>, otherwise: u8) -> Result<u8, String> {
    let Some(value) = value else { return Ok(otherwise) };
    let fits = u8::try_from(value).ok().filter(|percent| *percent < 100);
    fits.ok_or_else(|| format!("alert.{key} is {value}; write percents of the limit as 5, from 0 to 99"))
}

fn used(values: Option<&[i64]>, otherwise: &[u8]) -> Result<Vec<u8>, String> {
    let Some(values) = values else { return Ok(otherwise.to_vec()) };
    let level = |value: &i64| {
        let fits = u8::try_from(*value).ok().filter(|percent| (1..=100).contains(percent));
        fits.ok_or_else(|| format!("alert.used has {value}; write percents of the limit as [80, 95], from 1 to 100"))
    };
    let mut levels = values.iter().map(level).collect::<Result<Vec<u8>, _>>()?;
    levels.sort_unstable();
    levels.dedup();
    if levels.len() > USED_MAX {
        return Err(format!("alert.used has {} percents; {USED_MAX} are the most", levels.len()));
    }
    Ok(levels)
}

fn least(value: Option<i64>, otherwise: u64) -> Result<u64, String> {
    let Some(value) = value else { return Ok(otherwise) };
    let fits = u64::try_from(value).ok().filter(|least| *least > 0);
    fits.ok_or_else(|| format!("alert.burst_least is {value}; write units a minute as 30, at least 1"))
}

fn burst_factor(value: Option<f64>, otherwise: f64) -> Result<f64, String> {
    match value {
        None => Ok(otherwise),
        Some(value) if value >= 1.0 && value.is_finite() => Ok(value),
        Some(value) => Err(format!(
            "alert.burst_factor is {value}; it says how many times the busiest usual minute a burst is, at least 1"
        )),
    }
}

fn time(key: &str, text: Option<&str>, otherwise: TimeDelta) -> Result<TimeDelta, String> {
    let Some(time) = duration(&format!("alert.{key}"), text)? else { return Ok(otherwise) };
    let fits = TimeDelta::from_std(time).ok().filter(|_| time <= TIME_MAX);
    fits.ok_or_else(|| format!("alert.{key} is {:?}; it can be \"31d\" at most", text.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Surroundings, parse};

    const QUOTA: &str = "[[quota]]\nname = \"prod\"\nlimit = 5\n";

    fn alerting(text: &str) -> Result<Alerting, String> {
        let parsed = parse(text, std::path::Path::new("daycap.toml"), &Surroundings::default());
        parsed.map(|config| config.alerting)
    }

    #[test]
    fn nothing_said_is_the_default() {
        assert_eq!(alerting(QUOTA), Ok(Alerting::default()));
        assert_eq!(alerting("[alert]\n"), Ok(Alerting::default()));
    }

    #[test]
    fn a_quota_says_what_is_its_own_and_takes_the_rest_from_alert() {
        let text = format!(
            "[alert]\nraise = 0.8\nused = [95, 80, 80]\nburst_least = 7\nstale = false\ncommit_failing_after = \"5m\"\n{QUOTA}alert = {{ clear = 0.1, imminent_within = \"30m\", used = [] }}\n[[quota]]\nname = \"test\"\nlimit = 5\n"
        );
        let alerting = alerting(&text).expect("good");
        let usual = Rules { raise: 0.8, burst_least: 7, ..Rules::default() };
        assert_eq!(*alerting.of("test"), usual);
        let within = TimeDelta::minutes(30);
        assert_eq!(*alerting.of("prod"), Rules { clear: 0.1, imminent_within: within, used: Vec::new(), ..usual });
        assert_eq!((alerting.stale, alerting.commit_failing_after), (false, Duration::from_secs(300)));
    }

    #[test]
    fn a_wrong_threshold_is_named_with_its_key_and_the_remedy() {
        let check = |line: &str, expected: &str| {
            assert_eq!(alerting(&format!("[alert]\n{line}\n")), Err(format!("daycap.toml: {expected}")));
        };
        check("clear = 0.7", "alert.clear is 0.7; it must be below alert.raise, which is 0.7");
        check("imminent = 0.6", "alert.imminent is 0.6; it must not be below alert.raise, which is 0.7");
        check("raise = 70", "alert.raise is 70; write a probability as 0.7, above 0 and at most 1");
        check("clear = nan", "alert.clear is NaN; write a probability as 0.7, above 0 and at most 1");
        check("used = [0]", "alert.used has 0; write percents of the limit as [80, 95], from 1 to 100");
        check("used_margin = 100", "alert.used_margin is 100; write percents of the limit as 5, from 0 to 99");
        check(
            "burst_factor = 0.5",
            "alert.burst_factor is 0.5; it says how many times the busiest usual minute a burst is, at least 1",
        );
        check("burst_least = 0", "alert.burst_least is 0; write units a minute as 30, at least 1");
        check(
            "imminent_within = \"soon\"",
            "alert.imminent_within is \"soon\"; write a duration as \"10s\", \"5m\" or \"2h\"",
        );
        check("quiet_first = \"99d\"", "alert.quiet_first is \"99d\"; it can be \"31d\" at most");
        let own = |alert: &str| alerting(&format!("{QUOTA}alert = {{ {alert} }}\n")).expect_err("wrong");
        assert_eq!(
            own("raise = 0.3"),
            "daycap.toml: quota \"prod\": alert.clear is 0.4; it must be below alert.raise, which is 0.3"
        );
        assert_eq!(
            own("stale = true"),
            "daycap.toml: quota \"prod\": alert.stale is not of one quota; write it into [alert]"
        );
        assert!(own("rise = 1").ends_with("unknown key \"rise\"; did you mean \"raise\"?"));
    }
}
