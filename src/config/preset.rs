//! `preset = "…"` becomes the keys that its `[[quota]]` leaves out: quotas as providers publish them, kept as data in
//! `presets/quotas.toml`. This file never names a provider; docs/quotas.md does, with source and date.

use std::sync::LazyLock;

use serde::Deserialize;

use super::nearest;
use super::quota::RawQuota;

const DATA: &str = include_str!("../../presets/quotas.toml");

static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    let presets: Presets = toml::from_str(DATA).expect("the presets are part of the program, and tested");
    presets.preset
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Presets {
    preset: Vec<Preset>,
}

/// What one provider publishes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    pub name: String,
    pub limit: i64,
    pub window: String,
    pub tz: Option<String>,
    pub reset: Option<String>,
    pub reset_day: Option<i64>,
    pub burst: Option<String>,
    /// Its day is that of a zone which only the user knows.
    #[serde(default)]
    pub needs_tz: bool,
    /// What its provider does not say.
    pub undocumented: Option<String>,
    /// The day on which the source was read.
    pub read: String,
}

/// All of them, in the order of the data.
pub fn all() -> &'static [Preset] {
    &PRESETS
}

fn named(name: &str) -> Result<&'static Preset, String> {
    PRESETS.iter().find(|preset| preset.name == name).ok_or_else(|| {
        let right = nearest(name, PRESETS.iter().map(|preset| preset.name.as_str())).unwrap_or_default();
        format!("preset is {name:?}; did you mean {right:?}? docs/quotas.md has all of them")
    })
}

/// What the presets of a configuration's quotas leave open, a sentence each: no provider's silence is passed over.
pub fn left_open(text: &str) -> Vec<String> {
    let Ok(config) = text.parse::<toml::Table>() else { return Vec::new() };
    let quotas = config.get("quota").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
    quotas.iter().filter_map(unsaid).collect()
}

fn unsaid(quota: &toml::Value) -> Option<String> {
    let (name, preset) = (quota.get("name")?.as_str()?, named(quota.get("preset")?.as_str()?).ok()?);
    let what = preset.undocumented.as_ref()?;
    Some(format!("quota {name:?}: the provider of preset {:?} does not say {what}", preset.name))
}

/// Complete what the quota leaves out. Its own keys come first; with a window of its own, the preset's reset is not
/// meant.
pub(super) fn complete(mut raw: RawQuota) -> Result<RawQuota, String> {
    let Some(preset) = raw.preset.as_deref().map(named).transpose()? else { return Ok(raw) };
    if preset.needs_tz && raw.tz.is_none() {
        return Err(format!(
            "preset {:?} resets at midnight of your account's zone; write that zone, as tz = \"Europe/Berlin\"",
            preset.name
        ));
    }
    if raw.window.is_none() {
        raw.window = Some(preset.window.clone());
        raw.reset = raw.reset.or_else(|| preset.reset.clone());
        raw.reset_day = raw.reset_day.or(preset.reset_day);
    }
    raw.limit = raw.limit.or(Some(preset.limit));
    raw.tz = raw.tz.or_else(|| preset.tz.clone());
    raw.burst = raw.burst.or_else(|| preset.burst.clone());
    Ok(raw)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Surroundings, parse};
    use crate::quota::Quota;

    fn quota(lines: &str) -> Result<Quota, String> {
        let text = format!("[[quota]]\nname = \"prod\"\n{lines}\n");
        parse(&text, Path::new("daycap.toml"), &Surroundings::default()).map(|mut config| config.quotas.remove(0))
    }

    fn told(lines: &str) -> String {
        match quota(lines) {
            Ok(Quota { limit, window, burst, .. }) => {
                let burst = burst.map_or_else(String::new, |burst| format!(" {burst}"));
                format!("{limit} {} {}{burst}", window.kind, window.zone())
            }
            Err(error) => error,
        }
    }

    #[test]
    fn a_preset_says_what_its_quota_leaves_out() {
        assert_eq!(told("preset = \"40k-any-day\""), "40000 any-day UTC 10/s");
        assert_eq!(told("preset = \"10k-pacific\""), "10000 day America/Los_Angeles");
        assert_eq!(told("preset = \"10k-first-call\""), "10000 first-call-24h UTC 50/s");
    }

    #[test]
    fn the_quotas_own_keys_come_first() {
        let own = "preset = \"40k-any-day\"\nlimit = 500\ntz = \"Asia/Tokyo\"\nburst = \"2/s\"";
        assert_eq!(told(own), "500 any-day Asia/Tokyo 2/s");
        assert_eq!(told("preset = \"40k-any-day\"\nwindow = \"day\""), "40000 day UTC 10/s");
        let berlin = "preset = \"250k-account-day\"\ntz = \"Europe/Berlin\"\nreset = \"03:00\"";
        assert_eq!(
            quota(berlin).map(|quota| quota.window),
            quota(&format!("{berlin}\nlimit = 1")).map(|quota| quota.window)
        );
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_the_remedy() {
        for (lines, expected) in [
            (
                "preset = \"40k-anyday\"",
                "daycap.toml: quota \"prod\": preset is \"40k-anyday\"; did you mean \"40k-any-day\"? docs/quotas.md has all of them",
            ),
            (
                "preset = \"250k-account-day\"",
                "daycap.toml: quota \"prod\": preset \"250k-account-day\" resets at midnight of your account's zone; write \
                 that zone, as tz = \"Europe/Berlin\"",
            ),
            ("tz = \"UTC\"", "daycap.toml: quota \"prod\": limit is missing; write limit = 40000, or choose a preset"),
            ("preset = \"40k-any-day\"\nlimit = 0", "daycap.toml: quota \"prod\": limit is 0; it must be at least 1"),
        ] {
            assert_eq!(told(lines), expected);
        }
    }

    /// Whatever is in the data can be chosen, and says itself what it leaves open.
    #[test]
    fn every_preset_is_a_good_quota() {
        for preset in all() {
            let zone = if preset.needs_tz { "\ntz = \"Europe/Berlin\"" } else { "" };
            let quota = quota(&format!("preset = {:?}{zone}", preset.name)).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((quota.limit.get() as i64, quota.window.kind.name()), (preset.limit, preset.window.as_str()));
            assert!(preset.window != "any-day" || preset.undocumented.is_some(), "{}", preset.name);
            assert!(preset.read.parse::<chrono::NaiveDate>().is_ok(), "{}", preset.name);
            assert_eq!(all().iter().filter(|other| other.name == preset.name).count(), 1, "{}", preset.name);
        }
    }
}
