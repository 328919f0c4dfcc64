//! What a provider allows: a limit of units inside a window, for the requests that match, each at its cost. Also the
//! columns that a match, a `--where` and a `--by` may name.
//! This file never counts anything.

mod matching;
mod window;

use std::borrow::Cow;
use std::num::NonZeroU64;

pub use matching::{Column, Match, Pattern};
pub use window::{ROLLING_MINUTES, Window, WindowKind, rolling};

/// One limit to stay under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    pub name: String,
    pub limit: NonZeroU64,
    pub window: Window,
    pub matching: Match,
    pub costs: Costs,
    pub burst: Option<Burst>,
    /// The quota that this one is a service's part of.
    pub within: Option<String>,
}

impl Quota {
    /// The units that these requests of one series use: the first rule that matches says, else the log itself (1 a
    /// request where it has no field for it). `None`: the quota does not cover them.
    pub fn units<'a>(&self, requests: u64, logged: u64, label: impl Fn(Column) -> Cow<'a, str>) -> Option<u64> {
        self.matching.accepts(&label).then(|| self.costs.cost(&label).units(requests, logged))
    }
}

/// What requests cost, by rules in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Costs(pub Vec<CostRule>);

/// Requests that match use this many units each; 0 is free of charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostRule {
    pub matching: Match,
    pub units: u64,
}

/// What a series' requests cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// What the log says.
    Logged,
    /// So much each.
    Each(u64),
}

impl Costs {
    pub fn cost<'a>(&self, label: impl Fn(Column) -> Cow<'a, str>) -> Cost {
        let rule = self.0.iter().find(|rule| rule.matching.accepts(&label));
        rule.map_or(Cost::Logged, |rule| Cost::Each(rule.units))
    }

    /// The columns that a cost depends on.
    pub fn columns(&self) -> impl Iterator<Item = Column> {
        self.0.iter().flat_map(|rule| rule.matching.columns())
    }
}

impl Cost {
    pub fn units(self, requests: u64, logged: u64) -> u64 {
        match self {
            Cost::Logged => logged,
            Cost::Each(units) => requests.saturating_mul(units),
        }
    }
}

/// How many requests a provider allows in a short time, beside the quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    pub requests: NonZeroU64,
    pub per: Per,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    Second,
    Minute,
}

impl Burst {
    /// What a minute can hold at most without passing the limit. Counts have no finer grain: a minute above it has
    /// passed the limit, one below it may have.
    pub fn per_minute(self) -> u64 {
        match self.per {
            Per::Second => self.requests.get().saturating_mul(60),
            Per::Minute => self.requests.get(),
        }
    }
}

/// As the configuration spells it: `10/s`.
impl std::fmt::Display for Burst {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = match self.per {
            Per::Second => "s",
            Per::Minute => "m",
        };
        write!(formatter, "{}/{unit}", self.requests)
    }
}

impl std::str::FromStr for Burst {
    type Err = String;

    fn from_str(text: &str) -> Result<Burst, String> {
        let parsed = text.split_once('/').and_then(|(requests, per)| {
            let per = match per.trim() {
                "s" => Per::Second,
                "m" => Per::Minute,
                _ => return None,
            };
            Some(Burst { requests: requests.trim().parse().ok()?, per })
        });
        parsed
            .ok_or_else(|| format!("burst is {text:?}; write requests a second or a minute, as \"10/s\" or \"300/m\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(column: Column, pattern: &str, units: u64) -> CostRule {
        CostRule { matching: Match(vec![(column, pattern.into())]), units }
    }

    #[test]
    fn the_first_rule_that_matches_says_what_a_request_costs() {
        let costs = Costs(vec![rule(Column::Status, "429", 0), rule(Column::Operation, "search", 100)]);
        let cost = |operation: &'static str, status: &'static str| {
            costs.cost(|column| if column == Column::Status { status.into() } else { operation.into() }).units(3, 7)
        };
        assert_eq!(
            [cost("search", "200"), cost("search", "429"), cost("list", "429"), cost("list", "")],
            [300, 0, 0, 7]
        );
    }

    #[test]
    fn a_burst_is_of_a_second_or_a_minute() {
        let per_minute = |text: &str| text.parse::<Burst>().map(|burst| (burst.per_minute(), burst.to_string()));
        assert_eq!(per_minute("10/s"), Ok((600, "10/s".to_owned())));
        assert_eq!(per_minute("300 / m"), Ok((300, "300/m".to_owned())));
        for wrong in ["10", "0/s", "10/h", "-1/s", "ten/s", "/s"] {
            assert!(per_minute(wrong).expect_err(wrong).contains("as \"10/s\" or \"300/m\""));
        }
    }
}
