//! How much a past day says of another day: the less the older it is, the more the likelier their weekdays are.
//! This file never sees a count.

/// How fast past days are forgotten, and how much a day of another kind says.
pub struct Memory {
    /// Days after which a day counts half.
    half_life: f64,
    /// Weight of a working day for a weekend day and the other way round.
    other_kind: f64,
    /// Weight of the same day of the week.
    same_weekday: f64,
}

/// Slow to learn, strict about weekdays: clients with a week.
pub const STEADY: Memory = Memory { half_life: 6.0, other_kind: 0.10, same_weekday: 2.0 };
/// Quick to learn: clients that changed this week.
pub const NIMBLE: Memory = Memory { half_life: 2.0, other_kind: 0.15, same_weekday: 1.2 };
/// Quicker still, and blind to weekdays: clients that follow no calendar.
pub const BRIEF: Memory = Memory { half_life: 1.5, other_kind: 1.0, same_weekday: 1.0 };
/// A day's shape changes less than its level.
pub const SHAPE: Memory = Memory { half_life: 14.0, other_kind: 0.25, same_weekday: 1.3 };

impl Memory {
    /// What is left of a day's weight after so many days; the day before counts whole.
    pub fn freshness(&self, days: f64) -> f64 {
        (-(days - 1.0) / self.half_life).exp2()
    }

    /// What a day of one weekday says of a day of the other, whatever their ages.
    pub fn likeness(&self, from: u32, to: u32) -> f64 {
        match from == to {
            true => self.same_weekday,
            false if is_weekend(from) == is_weekend(to) => 1.0,
            false => self.other_kind,
        }
    }
}

/// Of weekdays from 0, Monday.
fn is_weekend(weekday: u32) -> bool {
    weekday >= 5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yesterday_counts_whole_and_a_half_life_earlier_half() {
        assert_eq!([STEADY.freshness(1.0), STEADY.freshness(7.0)], [1.0, 0.5]);
    }

    #[test]
    fn a_weekday_is_most_like_itself_and_least_like_the_weekend() {
        assert_eq!([STEADY.likeness(0, 0), STEADY.likeness(0, 4), STEADY.likeness(4, 5)], [2.0, 1.0, 0.1]);
        assert_eq!([BRIEF.likeness(0, 0), BRIEF.likeness(4, 5)], [1.0, 1.0]);
    }
}
