//! Past days as they were counted become days that can be learnt from: what is missing of a day is filled in
//! from the others at the day's own level, and a day of which too little is left is dropped.
//! This file never shows what it fills in; no count is changed by it.

use super::curve::BINS;
use super::memory::SHAPE;
use super::outage::{self, HOURS, Hourly, Usual};
use super::past::Day;
use super::{Holes, PastDay, real};

/// A day is dropped when less than half of it can be believed.
const HOLES_MAX: usize = BINS / 2;
/// Older days are too stale to matter, and their weights too small to be told from nothing.
const AGE_MAX: u32 = 366;
/// With fewer days there is no telling what is usual.
const USUAL_DAYS_MIN: usize = 3;

/// A day on its way.
struct Draft {
    age: u32,
    /// Below 7.
    weekday: u32,
    bins: [f64; BINS],
    hours: Hourly,
    total: f64,
    holes: Holes,
}

/// Days to learn from, yesterday first, and what is usual for a day of this weekday, if that can be told.
pub fn whole(history: &[PastDay], weekday: u32) -> (Vec<Day>, Option<Usual>) {
    let mut history: Vec<&PastDay> = history.iter().collect();
    history.sort_unstable_by_key(|day| day.age);
    history.dedup_by_key(|day| day.age);
    let mut drafts: Vec<Draft> = history.into_iter().filter_map(Draft::of).collect();
    let usual = (drafts.len() >= USUAL_DAYS_MIN).then(|| mark_outages(&mut drafts, weekday));
    drafts.retain(Draft::is_worth_it);
    fill(&mut drafts);
    let days = drafts.iter().map(|draft| Day::of(draft.age, draft.weekday, &draft.bins)).collect();
    (days, usual)
}

impl Draft {
    /// `None` for a day of which too little is known, and for one that is not over.
    fn of(day: &PastDay) -> Option<Draft> {
        if !(1..=AGE_MAX).contains(&day.age) {
            return None;
        }
        let mut bins = [0.0; BINS];
        for (at, units) in day.bins.iter().enumerate() {
            // A day of more bins than a wall clock shows keeps its total: the surplus falls into its last bin.
            bins[at.min(BINS - 1)] += real(*units);
        }
        let (hours, total) = ([0.0; HOURS], 0.0);
        let mut draft = Draft { age: day.age, weekday: day.weekday % 7, bins, hours, total, holes: day.holes };
        draft.settle();
        draft.is_worth_it().then_some(draft)
    }

    fn is_worth_it(&self) -> bool {
        self.holes.among(BINS) <= HOLES_MAX
    }

    /// What was counted in a hole is part of what came: no more is known.
    fn settle(&mut self) {
        if self.holes != Holes::NONE {
            (0..BINS).filter(|bin| self.holes.contains(*bin)).for_each(|bin| self.bins[bin] = 0.0);
        }
        self.hours = outage::hourly(&self.bins);
        self.total = self.hours.iter().sum();
    }
}

/// Find the outages of all days; what is usual for this weekday is wanted for today's.
fn mark_outages(drafts: &mut [Draft], weekday: u32) -> Usual {
    let usual = Weekdays::of(drafts);
    for draft in drafts.iter_mut() {
        let found = outage::holes(&draft.bins, BINS, usual.of_weekday(draft.weekday));
        if found != Holes::NONE {
            draft.holes = draft.holes.and(found);
            draft.settle();
        }
    }
    usual.of_weekday(weekday % 7).clone()
}

/// What is usual for each day of the week.
struct Weekdays([Usual; 7]);

impl Weekdays {
    fn of(drafts: &[Draft]) -> Weekdays {
        let shares = std::array::from_fn(|weekday| hourly_shares(drafts, weekday_number(weekday)));
        Weekdays(std::array::from_fn(|weekday| Usual {
            shares: shares[weekday],
            emptiness: emptiness(drafts, weekday_number(weekday), &shares),
        }))
    }

    fn of_weekday(&self, weekday: u32) -> &Usual {
        &self.0[weekday as usize]
    }
}

fn weekday_number(weekday: usize) -> u32 {
    u32::try_from(weekday).unwrap_or(0)
}

fn hourly_shares(drafts: &[Draft], weekday: u32) -> Hourly {
    let mut sums = [0.0; HOURS];
    let mut weights = 0.0;
    for draft in drafts {
        if draft.total > 0.0 {
            let weight = SHAPE.likeness(draft.weekday, weekday);
            weights += weight;
            let scale = weight / draft.total;
            sums.iter_mut().zip(draft.hours).for_each(|(sum, units)| *sum += scale * units);
        }
    }
    sums.map(|sum| if weights > 0.0 { sum / weights } else { 0.0 })
}

fn emptiness(drafts: &[Draft], weekday: u32, shares: &[Hourly; 7]) -> Hourly {
    let mut sums = [0.0; HOURS];
    let mut weights = 0.0;
    for draft in drafts {
        let weight = SHAPE.likeness(draft.weekday, weekday);
        weights += weight;
        let usual = &shares[draft.weekday as usize];
        for (hour, units) in draft.hours.into_iter().enumerate() {
            if outage::is_empty(units, draft.total * usual[hour]) {
                sums[hour] += weight;
            }
        }
    }
    sums.map(|sum| if weights > 0.0 { sum / weights } else { 0.0 })
}

/// Fill the holes of each day from the shape of like days, at the level of what is left of it.
fn fill(drafts: &mut [Draft]) {
    if drafts.iter().all(|draft| draft.holes == Holes::NONE) {
        return;
    }
    let shapes: [_; 7] = std::array::from_fn(|weekday| shares(drafts, weekday_number(weekday)));
    for draft in drafts.iter_mut() {
        let shape = &shapes[draft.weekday as usize];
        let believed = |bin: &usize| !draft.holes.contains(*bin);
        let share: f64 = (0..BINS).filter(believed).map(|bin| shape[bin]).sum();
        let level = if share > 0.0 { draft.total / share } else { 0.0 };
        for bin in (0..BINS).filter(|bin| draft.holes.contains(*bin)) {
            draft.bins[bin] = level * shape[bin];
        }
    }
}

/// Weight of an even day among the others, in days.
const EVEN_DAYS: f64 = 0.3;

/// The usual share of each bin, from the days on which it can be believed.
fn shares(drafts: &[Draft], weekday: u32) -> [f64; BINS] {
    let mut sums = [EVEN_DAYS / BINS as f64; BINS];
    let mut weights = [EVEN_DAYS; BINS];
    for draft in drafts {
        let believed = BINS - draft.holes.among(BINS);
        let total = draft.total * BINS as f64 / believed.max(1) as f64;
        if total <= 0.0 {
            continue;
        }
        let weight = SHAPE.likeness(draft.weekday, weekday);
        for bin in (0..BINS).filter(|bin| !draft.holes.contains(*bin)) {
            sums[bin] += weight * draft.bins[bin] / total;
            weights[bin] += weight;
        }
    }
    std::array::from_fn(|bin| sums[bin] / weights[bin])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(age: u32, bins: Vec<u64>, holes: Holes) -> PastDay {
        PastDay { age, weekday: (700 - age) % 7, bins, holes }
    }

    fn even(age: u32, holes: Holes) -> PastDay {
        day(age, vec![100; BINS], holes)
    }

    fn first(bins: usize) -> Holes {
        (0..bins).fold(Holes::NONE, Holes::with)
    }

    #[test]
    fn a_hole_is_filled_at_the_days_own_level() {
        let busy = day(1, vec![200; BINS], first(20));
        let (days, _) = whole(&[busy, even(2, Holes::NONE)], 0);
        assert!((days[0].total - 19_200.0).abs() < 300.0, "{}", days[0].total);
        assert_eq!((days[0].counted.bin(20).round(), days[1].total), (200.0, 9_600.0));
    }

    #[test]
    fn what_was_counted_in_a_hole_is_not_taken_for_all_of_it() {
        let mut bins = vec![100; BINS];
        bins[0] = 3;
        let (days, _) = whole(&[day(1, bins, first(1)), even(2, Holes::NONE)], 0);
        assert!(days[0].counted.bin(0) > 90.0, "{}", days[0].counted.bin(0));
    }

    #[test]
    fn days_of_which_less_than_half_is_known_are_dropped_and_so_are_those_that_are_not_over() {
        let history =
            [even(0, Holes::NONE), even(1, first(49)), even(2, first(48)), even(3, Holes::ALL), even(400, Holes::NONE)];
        let ages: Vec<_> = whole(&history, 0).0.iter().map(|day| day.age).collect();
        assert_eq!(ages, [2.0]);
    }

    #[test]
    fn an_outage_is_found_and_filled_and_a_clean_history_stays_as_it_was() {
        let mut history: Vec<_> = (1..=14).map(|age| even(age, Holes::NONE)).collect();
        let totals = |history: &[PastDay]| whole(history, 0).0.iter().map(|day| day.total).collect::<Vec<_>>();
        assert_eq!(totals(&history), [9_600.0; 14]);
        history[4].bins[40..60].fill(0);
        assert!((totals(&history)[4] - 9_600.0).abs() < 100.0, "{:?}", totals(&history));
    }

    #[test]
    fn days_off_are_no_outages() {
        let week = |age: u32| day(age, vec![if (700 - age) % 7 >= 5 { 0 } else { 100 }; BINS], Holes::NONE);
        let (days, _) = whole(&(1..=28).map(week).collect::<Vec<_>>(), 0);
        assert_eq!(days.iter().filter(|day| day.total == 0.0).count(), 8);
    }

    #[test]
    fn a_day_of_more_bins_than_a_wall_clock_shows_keeps_its_total() {
        let (days, _) = whole(&[day(1, vec![1; 100], Holes::NONE), day(2, vec![7], Holes::NONE)], 0);
        assert_eq!([days[0].total, days[1].total], [100.0, 7.0]);
    }

    #[test]
    fn with_holes_at_the_same_time_each_day_there_is_no_shape_to_fill_from_but_an_even_one() {
        let history: Vec<_> = (1..=14).map(|age| even(age, first(4))).collect();
        let (days, _) = whole(&history, 0);
        assert!(days.iter().all(|day| (day.total - 9_600.0).abs() < 1.0));
    }
}
