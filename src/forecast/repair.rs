//! Past days as they were counted become days that can be learnt from: what is missing of a day is filled in
//! from the others at the day's own level, and a day of which too little is left is dropped.
//! This file never shows what it fills in; no count is changed by it.

use super::curve::BINS;
use super::memory::SHAPE;
use super::outage::{self, HOURS, Usual};
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
    weekday: u32,
    bins: [f64; BINS],
    holes: Holes,
}

/// Days to learn from, yesterday first, and what is usual for a day of this weekday, if that can be told.
pub fn whole(history: &[PastDay], weekday: u32) -> (Vec<Day>, Option<Usual>) {
    let mut drafts: Vec<Draft> = history.iter().filter_map(Draft::of).collect();
    drafts.sort_unstable_by_key(|draft| draft.age);
    drafts.dedup_by_key(|draft| draft.age);
    let usual = (drafts.len() >= USUAL_DAYS_MIN).then(|| mark_outages(&mut drafts, weekday));
    drafts.retain(Draft::is_worth_it);
    fill(&mut drafts);
    let days = drafts.into_iter().map(|draft| Day::of(draft.age, draft.weekday, draft.bins)).collect();
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
        let mut draft = Draft { age: day.age, weekday: day.weekday, bins, holes: day.holes };
        draft.empty_holes();
        draft.is_worth_it().then_some(draft)
    }

    fn is_worth_it(&self) -> bool {
        self.holes.among(BINS) <= HOLES_MAX
    }

    /// What was counted in a hole is part of what came: no more is known.
    fn empty_holes(&mut self) {
        for bin in (0..BINS).filter(|bin| self.holes.contains(*bin)) {
            self.bins[bin] = 0.0;
        }
    }

    fn total(&self) -> f64 {
        self.bins.iter().sum()
    }
}

/// Find the outages of all days; what is usual for this weekday is wanted for today's.
fn mark_outages(drafts: &mut [Draft], weekday: u32) -> Usual {
    let usual = Weekdays::of(drafts);
    for draft in drafts.iter_mut() {
        let found = outage::holes(&draft.bins, BINS, usual.of_weekday(draft.weekday));
        draft.holes = draft.holes.and(found);
        draft.empty_holes();
    }
    usual.of_weekday(weekday).clone()
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
        &self.0[weekday as usize % 7]
    }
}

fn weekday_number(weekday: usize) -> u32 {
    u32::try_from(weekday).unwrap_or(0)
}

fn hourly_shares(drafts: &[Draft], weekday: u32) -> outage::Hourly {
    let mut sums = [0.0; HOURS];
    let mut weights = 0.0;
    for draft in drafts {
        let total = draft.total();
        if total > 0.0 {
            let weight = SHAPE.likeness(draft.weekday, weekday);
            weights += weight;
            let hours = outage::hourly(&draft.bins);
            sums.iter_mut().zip(hours).for_each(|(sum, units)| *sum += weight * units / total);
        }
    }
    sums.map(|sum| if weights > 0.0 { sum / weights } else { 0.0 })
}

fn emptiness(drafts: &[Draft], weekday: u32, shares: &[outage::Hourly; 7]) -> outage::Hourly {
    let mut sums = [0.0; HOURS];
    let mut weights = 0.0;
    for draft in drafts {
        let weight = SHAPE.likeness(draft.weekday, weekday);
        weights += weight;
        let (total, usual) = (draft.total(), &shares[draft.weekday as usize % 7]);
        for (hour, units) in outage::hourly(&draft.bins).into_iter().enumerate() {
            if outage::is_empty(units, total * usual[hour]) {
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
        let shape = &shapes[draft.weekday as usize % 7];
        let believed = |bin: &usize| !draft.holes.contains(*bin);
        let share: f64 = (0..BINS).filter(believed).map(|bin| shape[bin]).sum();
        let level = if share > 0.0 { draft.total() / share } else { 0.0 };
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
        let total = draft.total() * BINS as f64 / believed.max(1) as f64;
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
