//! How each expert fared on past days becomes its weight, and their answers one answer.
//! This file never makes a forecast of its own.

use super::curve::MIDNIGHT;
use super::experts::{EXPERTS, Each};

/// Beyond a factor of 4.5 a miss is a miss.
const LOSS_MAX: f64 = 1.5;
/// Days after which a loss counts half.
const HALF_LIFE_DAYS: f64 = 10.0;
/// How many days the prior loss weighs.
const PRIOR_DAYS: f64 = 1.5;
/// Added to every loss: of experts that all miss by less, none is preferred by much. A client that runs by the clock
/// would have "as yesterday" believed for its perfect past, even on the day on which it runs wild.
const LOSS_FLOOR: f64 = 0.02;
/// How many past days the running day's last hours weigh.
const TODAY_DAYS: f64 = 3.0;

/// How far an expert was off, as a logarithm of what a window ended with.
pub fn loss(counted: f64, remaining: f64, came: f64, level: f64) -> f64 {
    let offset = (0.01 * level).max(10.0);
    ((counted + remaining + offset) / (counted + came + offset)).ln().abs().min(LOSS_MAX)
}

/// The losses of days gone by, each for less the longer it is ago.
#[derive(Clone, Copy, Default)]
pub struct Record {
    losses: Each,
    weights: f64,
}

impl Record {
    /// Let days go by of which nothing is known.
    pub fn pass(&mut self, days: f64) {
        let kept = (-days / HALF_LIFE_DAYS).exp2();
        self.losses.iter_mut().for_each(|loss| *loss *= kept);
        self.weights *= kept;
    }

    /// Add the losses of a day that is over.
    pub fn add(&mut self, losses: &Each) {
        self.pass(1.0);
        for (sum, loss) in self.losses.iter_mut().zip(losses) {
            *sum += loss;
        }
        self.weights += 1.0;
    }

    /// As if the experts had fared so on some more days.
    pub fn with(mut self, today: Option<Each>) -> Record {
        if let Some(losses) = today {
            for (sum, loss) in self.losses.iter_mut().zip(losses) {
                *sum += TODAY_DAYS * loss;
            }
            self.weights += TODAY_DAYS;
        }
        self
    }

    /// What each expert's word weighs at this position of a day.
    pub fn weights(&self, position: f64) -> Each {
        let prior = prior_losses(position);
        std::array::from_fn(|expert| {
            let sum = self.losses[expert] + PRIOR_DAYS * prior[expert];
            let loss = sum / (self.weights + PRIOR_DAYS) + LOSS_FLOOR;
            (loss * loss * loss * loss * loss * loss * loss * loss).recip()
        })
    }
}

/// What to expect of the experts' losses before any was seen, measured once on many clients. They matter in
/// the first week only.
fn prior_losses(position: f64) -> Each {
    let hour = 24.0 * position / MIDNIGHT;
    let usual = 0.30 * (1.0 - hour / 24.0) + 0.02;
    let lately = between(hour, &[(6.0, 1.3), (9.0, 1.1), (12.0, 0.92)]);
    let yesterday = 1.15 * between(hour, &[(9.0, 1.0), (15.0, 1.25), (21.0, 1.4)]);
    let pace = between(hour, &[(0.0, 3.5), (9.0, 2.0), (12.0, 1.6), (15.0, 1.3), (18.0, 1.1), (21.0, 1.0)]);
    [1.0, 1.0, lately, 1.1 * lately, yesterday, pace].map(|times| times * usual)
}

/// Linear between these points, level outside of them.
fn between(at: f64, points: &[(f64, f64)]) -> f64 {
    let after = points.partition_point(|(x, _)| *x <= at);
    match (after.checked_sub(1).and_then(|before| points.get(before)), points.get(after)) {
        (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * (at - x0) / (x1 - x0),
        (Some((_, y)), None) | (None, Some((_, y))) => *y,
        (None, None) => 1.0,
    }
}

/// The answer by which half of the weights have spoken, smallest first.
pub fn weighted_median(answers: &Each, weights: &Each) -> f64 {
    let mut order: [usize; EXPERTS] = std::array::from_fn(|expert| expert);
    order.sort_unstable_by(|a, b| answers[*a].total_cmp(&answers[*b]));
    let half = weights.iter().sum::<f64>() / 2.0;
    let mut spoken = 0.0;
    for expert in order {
        spoken += weights[expert];
        if spoken >= half {
            return answers[expert];
        }
    }
    answers[order[EXPERTS - 1]]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: f64 = MIDNIGHT / 2.0;

    #[test]
    fn a_loss_is_a_ratio_of_totals_whichever_way_and_no_more_than_a_miss() {
        assert_eq!(loss(50.0, 40.0, 40.0, 100.0), 0.0);
        assert!((loss(90.0, 100.0, 0.0, 100.0) - 2_f64.ln()).abs() < 1e-9);
        assert_eq!(loss(90.0, 100.0, 0.0, 100.0), loss(90.0, 0.0, 100.0, 100.0));
        assert_eq!(loss(0.0, 1e9, 0.0, 100.0), LOSS_MAX);
    }

    #[test]
    fn who_was_right_is_heard() {
        let mut record = Record::default();
        (0..7).for_each(|_| record.add(&[0.3, 0.3, 0.3, 0.3, 0.01, 0.3]));
        assert_eq!(weighted_median(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &record.weights(NOON)), 5.0);
    }

    #[test]
    fn what_was_right_ten_days_ago_counts_half() {
        let mut record = Record::default();
        record.add(&[0.2; EXPERTS]);
        record.pass(10.0);
        assert_eq!((record.weights, record.losses), (0.5, [0.1; EXPERTS]));
    }

    #[test]
    fn a_day_on_which_the_best_expert_is_wrong_takes_its_word_from_it() {
        let mut record = Record::default();
        (0..14).for_each(|_| record.add(&[0.05, 0.05, 0.05, 0.05, 0.0, 0.3]));
        let heard = |record: Record| weighted_median(&[1.0, 2.0, 3.0, 4.0, 99.0, 0.0], &record.weights(NOON));
        assert_eq!(heard(record), 99.0);
        assert!(heard(record.with(Some([0.05, 0.05, 0.05, 0.05, 1.0, 1.0]))) < 99.0);
        assert_eq!(heard(record.with(None)), 99.0);
    }

    #[test]
    fn before_anything_was_seen_no_expert_speaks_alone() {
        for position in [0.0, 24.0, 48.0, 95.0] {
            let weights = Record::default().weights(position);
            let all: f64 = weights.iter().sum();
            assert!(weights.iter().all(|weight| *weight < all / 2.0), "{position}: {weights:?}");
        }
    }

    #[test]
    fn a_line_through_points_is_level_outside_of_them() {
        let points = [(6.0, 1.0), (8.0, 2.0)];
        assert_eq!([5.0, 6.0, 7.0, 8.0, 9.0].map(|at| between(at, &points)), [1.0, 1.0, 1.5, 2.0, 2.0]);
    }
}
