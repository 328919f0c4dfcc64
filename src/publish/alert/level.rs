//! What can be wrong with a quota, and how grave it is; its name in JSON, metrics and labels.
//! This file never knows whether a level holds.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::publish::message::Severity;

/// What can be wrong with a quota. Of several that hold at once, the greatest says the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// At least so many percent of the limit are used.
    Used(u8),
    /// Forecast to exceed the limit.
    Projected,
    /// As good as certain to exceed the limit, or about to reach it.
    Imminent,
    /// More than the limit is used. (A used-up quota is not exceeded yet: the next request exceeds it.)
    Exceeded,
}

/// From this share on, using more is no longer something to look at tomorrow.
const CRITICAL_PERCENT: u8 = 90;

impl Level {
    /// Those of a quota without rules of its own, mildest first.
    pub const USUAL: [Level; 5] =
        [Level::Used(80), Level::Projected, Level::Used(95), Level::Imminent, Level::Exceeded];

    /// Milder levels say nothing after a graver one; those of one gravity each speak for themselves.
    pub fn gravity(self) -> Gravity {
        match self {
            Level::Used(percent) if percent < CRITICAL_PERCENT => Gravity::TimeToAct,
            Level::Projected => Gravity::TimeToAct,
            Level::Used(_) | Level::Imminent => Gravity::ActNow,
            Level::Exceeded => Gravity::TooLate,
        }
    }

    pub fn severity(self) -> Severity {
        match self.gravity() {
            Gravity::TimeToAct => Severity::Warning,
            Gravity::ActNow | Gravity::TooLate => Severity::Critical,
        }
    }

    /// Among those of one gravity a forecast says more than a share, and a larger share more than a smaller one.
    fn place(self) -> (Gravity, u8) {
        match self {
            Level::Used(percent) => (self.gravity(), percent),
            Level::Projected | Level::Imminent | Level::Exceeded => (self.gravity(), u8::MAX),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    TimeToAct,
    ActNow,
    TooLate,
}

impl Ord for Level {
    fn cmp(&self, other: &Level) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl PartialOrd for Level {
    fn partial_cmp(&self, other: &Level) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Level::Used(percent) => write!(formatter, "used_{percent}"),
            Level::Projected => formatter.write_str("projected"),
            Level::Imminent => formatter.write_str("imminent"),
            Level::Exceeded => formatter.write_str("exceeded"),
        }
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(name: &str) -> Result<Level, String> {
        match (name, name.strip_prefix("used_").map(str::parse)) {
            ("projected", _) => Ok(Level::Projected),
            ("imminent", _) => Ok(Level::Imminent),
            ("exceeded", _) => Ok(Level::Exceeded),
            (_, Some(Ok(percent @ 1..=100))) => Ok(Level::Used(percent)),
            _ => Err(format!("{name:?} is no level of a quota")),
        }
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Level, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_its_name_in_json_and_back() {
        for level in Level::USUAL.into_iter().chain([Level::Used(1), Level::Used(100)]) {
            let json = serde_json::to_string(&level).expect("a level serialises");
            assert_eq!(json, format!("\"{level}\""));
            assert_eq!(serde_json::from_str::<Level>(&json).expect("is read back"), level);
        }
        for other in ["stale", "used_", "used_0", "used_101", "used_80 "] {
            assert!(other.parse::<Level>().is_err(), "{other}");
        }
    }

    #[test]
    fn levels_are_ordered_by_how_much_they_say() {
        assert!(Level::USUAL.is_sorted());
        assert!(Level::Used(50) < Level::Used(80) && Level::Used(90) > Level::Projected);
    }
}
