//! Experience, the running day and the window become one forecast.
//! This file only puts together; each step is told where it is made.

use super::ahead::Ahead;
use super::blend::weighted_median;
use super::clock::Clock;
use super::confidence::confidence;
use super::curve::MIDNIGHT;
use super::experts::{Expectation, Moment, ask, posterior};
use super::horizon::Horizon;
use super::morning::Morning;
use super::path::{Outlook, Path};
use super::replay::{Question, losses_today};
use super::spread::Spread;
use super::window::Window;
use super::{BIN_MINUTES, Experience, Forecast, Running, Today, held, real};

const DAY_MINUTES: f64 = 24.0 * 60.0;
/// The longest window is a month, of 31 days and an hour.
const LEFT_MINUTES_MAX: f64 = 32.0 * DAY_MINUTES;
/// A window whose end is so near to the day's ends with it.
const SAME_END_MINUTES: f64 = 1.0;

impl Experience {
    /// Where the window is heading, as the running day stands.
    pub fn forecast(&self, today: &Today, running: &Running) -> Forecast {
        let left_minutes = held(running.left_minutes, LEFT_MINUTES_MAX);
        if left_minutes <= 0.0 {
            return self.over(running);
        }
        let clock = Clock::of(today);
        let guess = Expectation::even(guess_level(running.limit, left_minutes));
        let regular = self.expected.first().unwrap_or(&guess);
        let changed = (!clock.is_regular()).then(|| regular.on(clock));
        let expected = changed.as_ref().unwrap_or(regular);
        let morning = Morning::of(today, clock, expected, self.usual.as_ref());
        let (today_units, spread) = self.rest_of_today(expected, &morning, left_minutes, running);
        let level = expected.levels.middle();
        let outlook = Outlook {
            slow: &expected.slow,
            today: today_units,
            levels: self.ahead(&morning, today_units, left_minutes),
            morning: &morning,
            days: &self.days,
            weekday: self.weekday,
        };
        self.say(&Window::of(running, &Path::of(&outlook, left_minutes), &spread, level))
    }

    /// Units expected until the day or the window ends, whichever is first, and how sure the whole window is.
    fn rest_of_today(
        &self,
        expected: &Expectation,
        morning: &Morning,
        left_minutes: f64,
        running: &Running,
    ) -> (f64, Spread) {
        let now = Moment::of(&morning.counted, morning.reached);
        let minutes = left_minutes.min(morning.left_minutes());
        let until = morning.clock.position(morning.elapsed_minutes + minutes);
        let Some(yesterday) = self.days.first() else {
            let busy =
                posterior(expected.levels.middle(), GUESS_STRENGTH, now.counted, expected.slow.until(now.position));
            return (busy * expected.slow.between(now.position, until), Spread::after(0, 1.0));
        };
        let (horizon, stretch) = self.horizon(morning, left_minutes, running);
        let question =
            Question { experience: self, position: morning.position, horizon, today: &morning.counted, stretch };
        let replay = question.replay();
        let answers = ask(expected, &yesterday.counted, &now, until);
        let today = losses_today(expected, &yesterday.counted, &morning.counted, morning.reached);
        (weighted_median(&answers, &replay.record.with(today).weights(morning.position)), replay.spread)
    }

    /// How far the same question is asked on past days, and by how much today's error is greater.
    fn horizon(&self, morning: &Morning, left_minutes: f64, running: &Running) -> (Horizon, f64) {
        if running.leaving.is_empty() && (left_minutes - morning.left_minutes()).abs() < SAME_END_MINUTES {
            return (Horizon::DayEnd, 1.0);
        }
        let left = left_minutes / f64::from(BIN_MINUTES);
        let seen_max = MIDNIGHT * (self.days.len() as f64 * SEEN_SHARE).max(1.0);
        (Horizon::Bins(left.min(seen_max)), (left / seen_max).max(1.0).sqrt())
    }

    /// The totals expected of the days after today, if the window reaches them.
    fn ahead(&self, morning: &Morning, today_units: f64, left_minutes: f64) -> [f64; 7] {
        let bins = (left_minutes - morning.left_minutes()) / f64::from(BIN_MINUTES);
        if bins <= 0.0 {
            return [0.0; 7];
        }
        let counted = morning.counted.until(morning.reached);
        Ahead::of(&self.days, self.weekday, 0.0, bins).levels(counted + today_units)
    }

    /// Of a window that is over, all is known.
    fn over(&self, running: &Running) -> Forecast {
        Forecast {
            p10: running.used,
            p50: running.used,
            p90: running.used,
            exceed_probability: if running.used > running.limit { 1.0 } else { 0.0 },
            exhaustion_minutes: None,
            exhaustion_earliest_minutes: None,
            exhaustion_latest_minutes: None,
            // The last minute may spend what is left.
            sustainable_per_minute: real(running.limit.saturating_sub(running.used)),
            history_days: self.history_days(),
            confidence: confidence(self),
        }
    }

    fn history_days(&self) -> u32 {
        u32::try_from(self.days.len()).unwrap_or(u32::MAX)
    }

    fn say(&self, window: &Window) -> Forecast {
        Forecast {
            p10: window.peak(0.1),
            p50: window.peak(0.5),
            p90: window.peak(0.9),
            exceed_probability: window.exceed_probability(),
            exhaustion_minutes: window.exhaustion_minutes(0.5),
            exhaustion_earliest_minutes: window.exhaustion_minutes(0.9),
            exhaustion_latest_minutes: window.exhaustion_minutes(0.1),
            sustainable_per_minute: window.sustainable_per_minute(),
            history_days: self.history_days(),
            confidence: confidence(self),
        }
    }
}

/// Of a long window, errors are seen over at most this share of the days known, so that there are some of them;
/// beyond, they grow as the root of time does, as those of a level that wanders.
const SEEN_SHARE: f64 = 0.25;

/// How long a guess at the day's level holds against today's counts, in days.
const GUESS_STRENGTH: f64 = 0.3;
/// Whoever sets a limit usually lives below it.
const GUESSED_SHARE_OF_LIMIT: f64 = 0.6;

/// A day's total as one would guess it before the first whole day. A window that ends within a day is taken for a
/// day's: its length is not told, and that of an hour would only make the guess bolder.
fn guess_level(limit: u64, left_minutes: f64) -> f64 {
    (GUESSED_SHARE_OF_LIMIT * real(limit) / (left_minutes / DAY_MINUTES).max(1.0)).max(1.0)
}
