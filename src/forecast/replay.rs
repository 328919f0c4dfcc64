//! The question that is asked now, asked on each past day at the same time: how the experts fared, and how far
//! the blend of them was off. This file never lets a forecast see what came after its moment.

use super::ahead::Ahead;
use super::blend::{Record, loss, weighted_median};
use super::curve::{Curve, HOUR, MIDNIGHT};
use super::experience::Experience;
use super::experts::{EXPERTS, Each, Expectation, Moment, ask};
use super::horizon::Horizon;
use super::past::Day;
use super::spread::{Spread, offset};

/// Experts are judged by this many hours before and after the time of day.
const JUDGED_HOURS: usize = 2;
/// The blend is, by this many; each of its errors needs the experts' losses around it.
const REPLAYED_HOURS: usize = 1;
const REPLAYED: usize = 2 * REPLAYED_HOURS + 1;
/// Hours in all, the time of day in the middle.
const HOURS: usize = 2 * (JUDGED_HOURS + REPLAYED_HOURS) + 1;
/// The experts are judged by this many of the day's last hours, too.
const TODAY_HOURS: f64 = 4.0;

/// What is asked.
pub struct Question<'a> {
    pub experience: &'a Experience,
    pub position: f64,
    pub horizon: Horizon,
    /// The running day until now: yesterday's forecasts may reach into it.
    pub today: &'a Curve,
    /// By how much today's errors are greater than those of this horizon.
    pub stretch: f64,
}

/// What a replay brings.
pub struct Replay {
    /// How the experts fared at this time of day.
    pub record: Record,
    /// How far the blend was off.
    pub spread: Spread,
}

impl Question<'_> {
    pub fn replay(&self) -> Replay {
        let days = &self.experience.days;
        let mut spread = Spread::after(days.len(), self.stretch);
        let mut records = [Record::default(); REPLAYED];
        let mut age_next = days.last().map_or(1.0, |oldest| oldest.age);
        // Oldest first. The very oldest has nothing before it: how a guess went says nothing of a forecast.
        for at in (0..days.len().saturating_sub(1)).rev() {
            let past = self.past(at);
            let unknown_days = (age_next - past.day.age - 1.0).max(0.0);
            age_next = past.day.age;
            let looks: [Option<Look>; HOURS] = std::array::from_fn(|hour| past.look(self.hour(hour), self.horizon));
            for (first, record) in records.iter_mut().enumerate() {
                record.pass(unknown_days);
                if let Some(error) = looks[first + JUDGED_HOURS].as_ref().and_then(|look| past.error(look, record)) {
                    // The errors of one day share the weight of one: they are hardly independent.
                    spread.add(error, past.day.age, 1.0 / REPLAYED as f64);
                }
                record.add(&mean_losses(&looks[first..=first + 2 * JUDGED_HOURS]));
            }
        }
        let mut record = records[REPLAYED_HOURS];
        record.pass((age_next - 1.0).max(0.0));
        Replay { record, spread: spread.settled() }
    }

    /// The position of one of the hours around now.
    fn hour(&self, hour: usize) -> f64 {
        self.position + HOUR * (hour as f64 - (JUDGED_HOURS + REPLAYED_HOURS) as f64)
    }

    fn past(&self, at: usize) -> Past<'_> {
        let Experience { days, expected, .. } = self.experience;
        let (day, before) = (&days[at], &days[at + 1..]);
        let beyond = self.horizon.from(self.hour(HOURS - 1)).beyond;
        let ahead = (beyond > 0.0).then(|| Ahead::of(before, day.weekday, day.age, beyond));
        Past { question: self, at, day, before, expected: &expected[at + 1], ahead }
    }
}

/// One past day, and what was known before it.
struct Past<'a> {
    question: &'a Question<'a>,
    at: usize,
    day: &'a Day,
    before: &'a [Day],
    expected: &'a Expectation,
    /// What was to be expected of the days after it, if the question reaches them.
    ahead: Option<Ahead<'a>>,
}

/// A past day at one time.
struct Look {
    now: Moment,
    until: f64,
    answers: Each,
    losses: Each,
}

impl Past<'_> {
    /// Ask the experts at this position; `None` outside of the day.
    fn look(&self, position: f64, horizon: Horizon) -> Option<Look> {
        let until = horizon.from(position).until;
        if position < 0.0 || position >= until {
            return None;
        }
        let now = Moment::of(&self.day.counted, position);
        let answers = ask(self.expected, &self.before[0].counted, &now, until);
        let came = self.day.counted.between(position, until);
        // An expert for an hour is judged by an hour: what was counted is held against it in the same measure.
        let counted = now.counted * (until - position) / (MIDNIGHT - position);
        let losses = answers.map(|answer| loss(counted, answer, came, self.expected.levels.middle()));
        Some(Look { now, until, answers, losses })
    }

    /// How far the blend was off, as a logarithm; `None` where what came is not known.
    fn error(&self, look: &Look, record: &Record) -> Option<f64> {
        let Look { now, until, answers, .. } = look;
        let today = losses_today(self.expected, &self.before[0].counted, &self.day.counted, now.position);
        let weights = record.with(today).weights(now.position);
        let mut answer = weighted_median(answers, &weights);
        let mut came = self.day.counted.between(now.position, *until);
        let beyond = self.question.horizon.from(now.position).beyond;
        if let Some(ahead) = self.ahead.as_ref().filter(|_| beyond > 0.0) {
            came += self.came_after(beyond)?;
            answer += ahead.units(&ahead.levels(now.counted + answer), beyond);
        }
        let offset = offset(self.expected.levels.middle());
        Some(((came + offset) / (answer + offset)).ln())
    }

    /// What came in the first so many bins after the day; `None` where a day is missing or not over.
    fn came_after(&self, bins: f64) -> Option<f64> {
        let Question { experience, position, today, .. } = self.question;
        let mut came = 0.0;
        let mut left = bins;
        let mut after = 1;
        while left > 0.0 {
            let part = left.min(MIDNIGHT);
            let age = self.day.age - after as f64;
            came += if age > 0.0 {
                let day = experience.days.get(self.at.checked_sub(after)?)?;
                (day.age == age).then(|| day.counted.until(part))?
            } else {
                (age == 0.0 && part <= *position).then(|| today.until(part))?
            };
            left -= part;
            after += 1;
        }
        Some(came)
    }
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

/// How the experts fared over the last hours of the same day, in measures of a whole day; `None` where it is too
/// early to tell. It is what tells a day unlike all past ones before it is over.
pub fn losses_today(expected: &Expectation, yesterday: &Curve, counted: &Curve, position: f64) -> Option<Each> {
    let from = position - TODAY_HOURS * HOUR;
    if from < 0.0 {
        return None;
    }
    let answers = ask(expected, yesterday, &Moment::of(counted, from), position);
    let (came, level) = (counted.between(from, position), expected.levels.middle());
    Some(answers.map(|answer| loss(level, answer, came, level)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::curve::BINS;
    use crate::forecast::{Holes, PastDay};

    fn experience(ages: impl Iterator<Item = u32>) -> Experience {
        let day = |age| PastDay { age, weekday: 2, bins: vec![10; BINS], holes: Holes::NONE };
        Experience::of(&ages.map(day).collect::<Vec<_>>(), 2)
    }

    /// The errors seen from this position, until a horizon, with an even day running.
    fn seen(experience: &Experience, position: f64, horizon: Horizon) -> usize {
        let mut bins = [10.0; BINS];
        bins[position as usize..].fill(0.0);
        let today = Curve::of(&bins);
        let replay = Question { experience, position, horizon, today: &today, stretch: 1.0 }.replay();
        assert!(replay.spread.quantile(0.5).abs() < 1e-3, "each day was as forecast");
        replay.spread.errors()
    }

    #[test]
    fn each_past_day_but_the_oldest_is_asked_three_times() {
        let week = experience(1..=7);
        assert_eq!(seen(&week, 48.0, Horizon::DayEnd), 18);
        assert_eq!(seen(&week, 0.0, Horizon::DayEnd), 12, "an hour before midnight is another day's");
        assert_eq!(seen(&week, 94.0, Horizon::DayEnd), 12);
    }

    #[test]
    fn a_window_beyond_midnight_is_judged_where_what_came_is_known() {
        // Yesterday's reaches into today, as far as today is; an hour later it would reach beyond now.
        assert_eq!(seen(&experience(1..=7), 48.0, Horizon::Bins(MIDNIGHT)), 17);
        // Without day 3, nothing is known of what came after day 4.
        let broken = experience([1, 2, 4, 5, 6, 7].into_iter());
        assert_eq!(seen(&broken, 48.0, Horizon::Bins(MIDNIGHT)), 11);
        assert_eq!(seen(&broken, 48.0, Horizon::DayEnd), 15);
    }
}
