//! A path and its spread become what a window ends with, whether it passes its limit, and when.
//! This file never knows a fixed window from a rolling one: of the first, nothing leaves.

use super::path::Path;
use super::spread::{Spread, offset};
use super::{Running, count, real};

pub struct Window<'a> {
    limit: u64,
    used: u64,
    path: &'a Path,
    spread: &'a Spread,
    offset: f64,
    /// Units that have left the window by each step.
    gone: Vec<f64>,
}

impl<'a> Window<'a> {
    pub fn of(running: &Running, path: &'a Path, spread: &'a Spread, level: f64) -> Window<'a> {
        let mut gone = Vec::with_capacity(path.units.len());
        let mut sum = 0.0;
        gone.push(sum);
        for step in 1..path.units.len() {
            sum += running.leaving.get(step - 1).copied().map_or(0.0, real);
            gone.push(sum);
        }
        Window { limit: running.limit, used: running.used, path, spread, offset: offset(level), gone }
    }

    /// The most that the window holds until its end, if this share of errors is smaller.
    pub fn peak(&self, share: f64) -> u64 {
        let factor = self.factor(self.spread.quantile(share));
        let grown = self.steps().map(|(units, gone)| units * factor - gone);
        self.used.saturating_add(count(grown.fold(0.0, f64::max)))
    }

    /// That the window passes its limit.
    pub fn exceed_probability(&self) -> f64 {
        if self.used > self.limit {
            return 1.0;
        }
        let room = self.room();
        let needed = self.steps().skip(1).map(|(units, gone)| (room + gone) / units).fold(f64::INFINITY, f64::min);
        1.0 - self.spread.below(self.error(needed))
    }

    /// Minutes until the limit is reached, if this share of errors is smaller; `None` when it is not, or has been.
    pub fn exhaustion_minutes(&self, share: f64) -> Option<f64> {
        if self.used >= self.limit {
            return None;
        }
        let factor = self.factor(self.spread.quantile(share));
        let grown: Vec<f64> = self.steps().map(|(units, gone)| units * factor - gone).collect();
        let room = self.room();
        let step = grown.iter().position(|grown| *grown >= room)?;
        let Some(before) = step.checked_sub(1) else { return Some(0.0) };
        let part = (room - grown[before]) / (grown[step] - grown[before]);
        let (start, end) = (self.path.minutes(before), self.path.minutes(step));
        Some(start + part * (end - start))
    }

    /// The greatest constant pace that never passes the limit.
    pub fn sustainable_per_minute(&self) -> f64 {
        let room = self.room();
        // The last minute may spend what is left.
        let pace = |step: usize| (room + self.gone[step]) / self.path.minutes(step).max(1.0);
        match self.used > self.limit {
            true => 0.0,
            false => (1..self.gone.len()).map(pace).fold(f64::INFINITY, f64::min).min(f64::MAX),
        }
    }

    /// Units until the limit.
    fn room(&self) -> f64 {
        real(self.limit.saturating_sub(self.used))
    }

    fn steps(&self) -> impl Iterator<Item = (f64, f64)> {
        self.path.units.iter().copied().zip(self.gone.iter().copied())
    }

    /// By how much an error stretches the path.
    fn factor(&self, error: f64) -> f64 {
        let expected = self.path.total();
        ((expected + self.offset) * error.exp() - self.offset).max(0.0) / expected
    }

    /// The error that stretches the path so much.
    fn error(&self, factor: f64) -> f64 {
        let expected = self.path.total();
        ((factor * expected + self.offset) / (expected + self.offset)).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10 units each quarter of an hour, for an hour.
    fn path() -> Path {
        Path { left_minutes: 60.0, units: vec![0.0, 10.0, 20.0, 30.0, 40.0] }
    }

    fn window<'a>(path: &'a Path, spread: &'a Spread, limit: u64, used: u64, leaving: &[u64]) -> Window<'a> {
        let running = Running { limit, used, left_minutes: path.left_minutes, leaving: leaving.to_vec() };
        Window::of(&running, path, spread, 100.0)
    }

    #[test]
    fn a_fixed_window_ends_with_all_that_comes() {
        let (path, spread) = (path(), Spread::after(0, 1.0));
        let window = window(&path, &spread, 125, 100, &[]);
        assert_eq!(window.peak(0.5), 140);
        assert!(window.peak(0.1) < 140 && window.peak(0.9) > 140);
        assert_eq!(window.sustainable_per_minute(), 25.0 / 60.0);
        assert!((window.exhaustion_minutes(0.5).expect("runs out") - 37.5).abs() < 1e-3);
        assert!(window.exhaustion_minutes(0.9) < window.exhaustion_minutes(0.5));
        assert_eq!(window.exhaustion_minutes(0.1), None);
    }

    #[test]
    fn a_rolling_window_is_judged_by_its_fullest_moment() {
        let (path, spread) = (path(), Spread::after(0, 1.0));
        // Nothing leaves for half an hour, then all does.
        let window = window(&path, &spread, 115, 100, &[0, 0, 100, 0]);
        assert_eq!(window.peak(0.5), 120);
        assert!((window.exhaustion_minutes(0.5).expect("runs out") - 22.5).abs() < 1e-3);
        assert_eq!(window.sustainable_per_minute(), 0.5);
    }

    #[test]
    fn a_rolling_window_that_only_empties_is_fullest_now() {
        let (path, spread) = (path(), Spread::after(0, 1.0));
        let window = window(&path, &spread, 100, 100, &[25; 4]);
        assert_eq!((window.peak(0.5), window.exhaustion_minutes(0.5)), (100, None));
        assert!(window.exceed_probability() < 0.5);
        assert!((window.sustainable_per_minute() - 25.0 / 15.0).abs() < 1e-9);
    }

    #[test]
    fn the_chance_to_pass_the_limit_is_half_where_the_median_ends() {
        let (path, spread) = (path(), Spread::after(0, 1.0));
        let chance = |limit| window(&path, &spread, limit, 100, &[]).exceed_probability();
        assert!((chance(140) - 0.5).abs() < 1e-6);
        assert!(chance(120) > 0.5 && chance(160) < 0.5 && chance(99) == 1.0);
    }
}
