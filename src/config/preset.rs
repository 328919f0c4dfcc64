//! Quotas as providers publish them, kept as data in
//! `presets/quotas.toml`. This file never names a provider; docs/quotas.md does, with source and date.

use std::sync::LazyLock;

use serde::Deserialize;

use super::nearest;

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

pub fn named(name: &str) -> Result<&'static Preset, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_does_not_say_is_said() {
        let text = "[[quota]]\nname = \"prod\"\npreset = \"200k-any-day\"\n[[quota]]\nname = \"maps\"\npreset = \"10k-pacific\"\n";
        let said = "quota \"prod\": the provider of preset \"200k-any-day\" does not say when its day begins";
        assert_eq!(left_open(text), [said]);
        assert_eq!(left_open("[[quota"), [""; 0]);
    }
}
