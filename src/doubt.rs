//! What is known to be missing, by UTC day; and what of it no day file says yet. It stays until a commit has
//! written it. This file never decides that something is missing; it is told.

use std::collections::BTreeSet;

use crate::count::ledger::{Completeness, Reason};
use crate::count::query::Incomplete;
use crate::day::Day;

#[derive(Clone, Debug, Default)]
pub struct Doubts {
    /// All there is, saved or not.
    known: Incomplete,
    unsaved: Incomplete,
}

impl Doubts {
    /// What day files say already.
    pub fn saved(known: Incomplete) -> Doubts {
        Doubts { known, unsaved: Incomplete::new() }
    }

    pub fn known(&self) -> &Incomplete {
        &self.known
    }

    /// Lines may be missing of each day that the reason touches, of the latest `days_max`; gives those days.
    pub fn note(&mut self, reason: &Reason, days_max: u32) -> BTreeSet<Day> {
        let days: BTreeSet<Day> = reason.days(days_max).collect();
        for day in &days {
            self.note_day(*day, reason.clone());
        }
        days
    }

    /// Lines may be missing of this day; no day file says so yet.
    pub fn note_day(&mut self, day: Day, reason: Reason) {
        self.unsaved.entry(day).or_default().add([reason.clone()]);
        self.note_saved(day, reason);
    }

    /// A day file says so already.
    pub fn note_saved(&mut self, day: Day, reason: Reason) {
        self.known.entry(day).or_default().add([reason]);
    }

    pub fn has_unsaved(&self) -> bool {
        !self.unsaved.is_empty()
    }

    /// What the next commit is to write.
    pub fn take_unsaved(&mut self) -> Incomplete {
        std::mem::take(&mut self.unsaved)
    }

    /// What a commit could not write.
    pub fn give_back(&mut self, left: Incomplete) {
        for (day, completeness) in left {
            let Completeness::AtLeast { reasons } = completeness else { continue };
            self.unsaved.entry(day).or_default().add(reasons);
        }
    }

    /// No file of a day before this one is kept.
    pub fn forget_before(&mut self, day: Day) {
        self.known = self.known.split_off(&day);
        self.unsaved = self.unsaved.split_off(&day);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason() -> Reason {
        let at = |text: &str| text.parse().expect("an instant");
        Reason::between(at("2026-11-21T23:00:00Z"), at("2026-11-22T01:00:00Z"), "a.log was truncated".to_owned())
    }

    fn days(incomplete: &Incomplete) -> Vec<String> {
        incomplete.keys().map(Day::to_string).collect()
    }

    #[test]
    fn a_loss_is_known_at_once_and_unsaved_until_a_commit_has_it() {
        let mut doubts = Doubts::default();
        doubts.note(&reason(), 800);
        assert_eq!(days(doubts.known()), ["2026-11-21", "2026-11-22"]);
        let taken = doubts.take_unsaved();
        assert_eq!(days(&taken), ["2026-11-21", "2026-11-22"]);
        assert!(doubts.take_unsaved().is_empty());
        doubts.give_back(taken.clone());
        doubts.note(&reason(), 800);
        assert_eq!(doubts.take_unsaved(), taken, "once, though it came twice");
        assert_eq!(days(doubts.known()), ["2026-11-21", "2026-11-22"]);
    }

    #[test]
    fn forgotten_days_are_not_written_again() {
        let mut doubts = Doubts::default();
        doubts.note(&reason(), 800);
        doubts.forget_before("2026-11-22".parse().expect("a day"));
        assert_eq!(days(doubts.known()), ["2026-11-22"]);
        assert_eq!(days(&doubts.take_unsaved()), ["2026-11-22"]);
    }
}
