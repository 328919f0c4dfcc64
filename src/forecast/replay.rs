//! The question that is asked now, asked on each past day at the same time: how the experts fared, and how far
//! the blend of them was off. This file never lets a forecast see what came after its moment.

use super::ahead::Ahead;
use super::blend::{Record, loss, weighted_median};
use super::curve::{Curve, HOUR, MIDNIGHT};
use super::experience::Experience;
use super::experts::{EXPERTS, Each, Expectation, Moment, ask};
use super::horizon::Horizon;
use super::spread::{Spread, offset};

/// Experts are judged by this many hours before and after the time of day.
const JUDGED_HOURS: usize = 2;
/// The blend is, by this many; each of its losses needs all of the experts'.
const REPLAYED_HOURS: usize = 1;
const REPLAYED: usize = 2 * REPLAYED_HOURS + 1;
/// The experts are judged by this many of the day's last hours, too.
const TODAY_HOURS: f64 = 4.0;
/// Hours in all, the time of day in the middle.
const HOURS: usize = 2 * (JUDGED_HOURS + REPLAYED_HOURS) + 1;

/// What a replay brings: the experts' weights now, and the blend's errors.
pub struct Replay {
    pub record: Record,
    pub spread: Spread,
}

/// One past day at one time.
#[derive(Clone, Copy)]
struct Look {
    now: Moment,
    answers: Each,
    losses: Each,
    today: Option<Each>,
}

impl Replay {
    pub fn of(experience: &Experience, position: f64, horizon: Horizon, today: &Curve, stretch: f64) -> Replay {
        let mut spread = Spread::after(experience.days.len(), stretch);
        let mut records = [Record::default(); REPLAYED];
        let hours: [f64; HOURS] =
            std::array::from_fn(|hour| position + HOUR * (hour as f64 - (JUDGED_HOURS + REPLAYED_HOURS) as f64));
        let mut age_before = None;
        // Oldest first. The very oldest has nothing before it: how a guess went says nothing of a forecast.
        for at in (0..experience.days.len().saturating_sub(1)).rev() {
            let age = experience.days[at].age;
            let unknown = age_before.map_or(0.0, |before: f64| before - age - 1.0);
            let looks = hours.map(|hour| look(experience, at, hour, horizon));
            for (replayed, record) in records.iter_mut().enumerate() {
                record.pass(unknown);
                let hour = replayed + JUDGED_HOURS;
                if let Some(error) = error(experience, at, looks[hour].as_ref(), record, horizon, today, position) {
                    spread.add(error, age, 1.0 / REPLAYED as f64);
                }
                record.add(&mean_losses(&looks[replayed..=replayed + 2 * JUDGED_HOURS]));
            }
            age_before = Some(age);
        }
        records[REPLAYED_HOURS].pass(age_before.unwrap_or(0.0) - 1.0);
        Replay { record: records[REPLAYED_HOURS], spread: spread.settled() }
    }
}

/// Ask the experts on a past day at this position; `None` outside of the day.
fn look(experience: &Experience, at: usize, position: f64, horizon: Horizon) -> Option<Look> {
    let until = horizon.from(position).until;
    if position < 0.0 || position >= until {
        return None;
    }
    let (day, expected) = (&experience.days[at], &experience.expected[at + 1]);
    let now = Moment::of(&day.counted, position);
    let answers = ask(expected, &experience.days[at + 1].counted, &now, until);
    let came = day.counted.between(position, until);
    // An expert for an hour is judged by an hour: what was counted is held against it in the same measure.
    let counted = now.counted * (until - position) / (MIDNIGHT - position);
    let losses = answers.map(|answer| loss(counted, answer, came, expected.levels.middle()));
    let today = losses_today(expected, &experience.days[at + 1].counted, &day.counted, position);
    Some(Look { now, answers, losses, today })
}

/// How the experts fared over the last hours of the same day, as a share of a whole day; `None` too early to tell.
/// It is what tells a day unlike all past ones before it is over.
pub fn losses_today(expected: &Expectation, yesterday: &Curve, counted: &Curve, position: f64) -> Option<Each> {
    let from = position - TODAY_HOURS * HOUR;
    if from < 0.0 {
        return None;
    }
    let answers = ask(expected, yesterday, &Moment::of(counted, from), position);
    let (came, level) = (counted.between(from, position), expected.levels.middle());
    Some(answers.map(|answer| loss(level, answer, came, level)))
}

fn mean_losses(looks: &[Option<Look>]) -> Each {
    let mut sums = [0.0; EXPERTS];
    let mut count = 0.0_f64;
    for look in looks.iter().flatten() {
        sums.iter_mut().zip(look.losses).for_each(|(sum, loss)| *sum += loss);
        count += 1.0;
    }
    sums.map(|sum| sum / count.max(1.0))
}

/// How far the blend was off, as a logarithm; `None` where what came is not known.
fn error(
    experience: &Experience,
    at: usize,
    look: Option<&Look>,
    record: &Record,
    horizon: Horizon,
    today: &Curve,
    position_now: f64,
) -> Option<f64> {
    let look = look?;
    let (day, expected) = (&experience.days[at], &experience.expected[at + 1]);
    let position = look.now.position;
    let reach = horizon.from(position);
    let mut came = day.counted.between(position, reach.until);
    let mut answer = weighted_median(&look.answers, &record.with(look.today).weights(position));
    if reach.beyond > 0.0 {
        came += came_after(experience, at, reach.beyond, today, position_now)?;
        let ahead = Ahead::of(&experience.days[at + 1..], day.weekday, day.age);
        let levels = ahead.levels(look.now.counted + answer);
        answer += ahead.units(&levels, reach.beyond);
    }
    let offset = offset(expected.levels.middle());
    Some(((came + offset) / (answer + offset)).ln())
}

/// What came in the first so many bins after a past day; `None` where a day is missing or not over.
fn came_after(experience: &Experience, at: usize, bins: f64, today: &Curve, position_now: f64) -> Option<f64> {
    let age = experience.days[at].age;
    let mut came = 0.0;
    let mut left = bins;
    let mut after = 1;
    while left > 0.0 {
        let part = left.min(MIDNIGHT);
        let age_then = age - after as f64;
        came += if age_then > 0.0 {
            let day = experience.days.get(at.checked_sub(after)?)?;
            (day.age == age_then).then(|| day.counted.until(part))?
        } else if age_then == 0.0 && part <= position_now {
            today.until(part)
        } else {
            return None;
        };
        left -= part;
        after += 1;
    }
    Some(came)
}
