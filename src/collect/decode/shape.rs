//! Keeps the templates of a log's shapes of line: learns them, fixes what never changes, forgets those
//! that do not earn their place.
//! This file never reads a value.

use super::field::Aliases;
use super::learn;
use super::rows::first_line;
use super::template::{Template, Values};

/// Shapes kept, the last used first. A log has a handful; each costs a look at a line that none fits.
const SHAPES_MAX: usize = 16;

/// Learning costs several times a parse. Lines that fit pay for it, other lines a little, so a log that
/// never repeats itself is only parsed.
const CREDIT_MAX: u32 = 512;
const CREDIT_A_FIT: u32 = 4;
const CREDIT_A_PARSE: u32 = 1;
const LEARNING_COST: u32 = 64;
/// Twice as much after each shape that was learned in vain, so that lines of no fixed shape are soon left to
/// the parser; after this many of them one more shape is tried, so that a log may change its ways.
const LEARNING_COST_MAX: u32 = 1 << 14;

/// A shape that fits less than one line in this many that it is tried on is forgotten.
const WORTH_A_FIT: u32 = 16;
const WORTH_START: u32 = 64;
const WORTH_MAX: u32 = 1024;

/// After this many lines of a shape, values that were the same in all of them are taken to stay so. Few in
/// tests, whose logs are short.
const WATCHED_LINES: u32 = if cfg!(test) { 4 } else { 64 };
/// And after this many more misses than fits they are looked at anew, each time twice as long.
const STRIKES_MAX: u32 = 64;
const WATCHED_LINES_MAX: u32 = 1 << 20;

/// A template, and a narrower one of lines that have more in common.
struct Shape {
    serial: u64,
    general: Template,
    narrow: Option<(u64, Template)>,
    watch: Watch,
    strikes: u32,
    worth: u32,
    /// Once worth as much as can be: it was not learned in vain.
    proven: bool,
}

/// Which values of a shape have been the same so far.
struct Watch {
    model: Vec<u8>,
    fixed: Vec<bool>,
    lines_left: u32,
    /// How long the next watch is.
    lines: u32,
}

pub struct Shapes {
    list: Vec<Shape>,
    next_serial: u64,
    credit: u32,
    learning_cost: u32,
}

impl Shapes {
    pub fn new() -> Shapes {
        Shapes { list: Vec::new(), next_serial: 0, credit: CREDIT_MAX, learning_cost: LEARNING_COST }
    }

    /// The template that the line at the start of `rest` fits, and the serial number that tells it from all
    /// other templates there ever were.
    #[inline]
    pub fn fitting(&mut self, rest: &[u8], values: &mut Values) -> Option<(u64, &Template)> {
        let place = self.place_of(rest, values)?;
        if place > 0 {
            self.list[..=place].rotate_right(1);
        }
        self.earn(CREDIT_A_FIT);
        let shape = &mut self.list[0];
        shape.worth = (shape.worth + WORTH_A_FIT).min(WORTH_MAX);
        if shape.worth == WORTH_MAX && !shape.proven {
            shape.proven = true;
            self.learning_cost = LEARNING_COST;
        }
        // Whether the narrow one fitted is seen from `values`, which only one of them has filled.
        if values.narrow {
            return shape.narrow.as_ref().map(|(serial, template)| (*serial, template));
        }
        if shape.narrow.is_none() {
            shape.watch(rest, &mut self.next_serial);
        }
        Some((shape.serial, &shape.general))
    }

    #[inline]
    fn place_of(&mut self, rest: &[u8], values: &mut Values) -> Option<usize> {
        for (place, shape) in self.list.iter_mut().enumerate() {
            if shape.fits(rest, values) {
                return Some(place);
            }
            shape.worth = shape.worth.saturating_sub(1);
        }
        None
    }

    /// A line that no shape fitted, known to be a JSON object: learn its shape if that may pay. `whole` is
    /// `line` with its line end.
    pub fn consider(&mut self, whole: &[u8], line: &[u8], aliases: &Aliases) {
        self.forget(|_, shape| shape.worth == 0);
        self.earn(CREDIT_A_PARSE);
        if self.credit < self.learning_cost {
            return;
        }
        self.credit -= self.learning_cost;
        if let Some(general) = learn::learn(line, aliases) {
            self.forget(|place, _| place >= SHAPES_MAX - 1);
            let serial = next(&mut self.next_serial);
            let watch = Watch { model: whole.to_vec(), fixed: vec![], lines_left: WATCHED_LINES, lines: WATCHED_LINES };
            self.list.insert(
                0,
                Shape { serial, general, narrow: None, watch, strikes: 0, worth: WORTH_START, proven: false },
            );
        }
    }

    #[inline]
    fn earn(&mut self, credit: u32) {
        self.credit = (self.credit + credit).min(CREDIT_MAX.max(self.learning_cost));
    }

    /// Drop the shapes for which `useless(place, shape)` holds; learning was in vain where one never proved
    /// its worth.
    fn forget(&mut self, useless: impl Fn(usize, &Shape) -> bool) {
        let mut place = 0;
        let cost = &mut self.learning_cost;
        self.list.retain(|shape| {
            let keep = !useless(place, shape);
            if !keep && !shape.proven {
                *cost = (2 * *cost).min(LEARNING_COST_MAX);
            }
            place += 1;
            keep
        });
    }
}

fn next(serial: &mut u64) -> u64 {
    *serial += 1;
    *serial
}

impl Shape {
    #[inline]
    fn fits(&mut self, rest: &[u8], values: &mut Values) -> bool {
        values.narrow = false;
        let Some((_, narrow)) = &self.narrow else { return self.general.fits(rest, values) };
        if narrow.fits(rest, values) {
            values.narrow = true;
            self.strikes = self.strikes.saturating_sub(1);
            return true;
        }
        self.general.fits(rest, values) && self.strike()
    }

    /// The general template fitted where the narrow one did not. Always true.
    #[cold]
    fn strike(&mut self) -> bool {
        self.strikes += 2;
        if self.strikes > STRIKES_MAX {
            self.narrow = None;
            self.strikes = 0;
            self.watch.restart();
        }
        true
    }

    /// Compare a line that the general template fits with the model; narrow it when the watch is over.
    #[cold]
    fn watch(&mut self, rest: &[u8], next_serial: &mut u64) {
        let watch = &mut self.watch;
        watch.lines_left = watch.lines_left.saturating_sub(1);
        // However long a watch, it compares the same number of lines.
        if !watch.lines_left.is_multiple_of(watch.lines / WATCHED_LINES) {
            return;
        }
        if watch.model.is_empty() {
            watch.model = rest[..first_line(rest).1].to_vec();
        }
        self.general.compare(&watch.model, rest, &mut watch.fixed);
        if watch.lines_left == 0 && watch.fixed.contains(&true) {
            let fixed = self.general.fix(&watch.model, &watch.fixed);
            self.narrow = fixed.map(|template| (next(next_serial), template));
        } else if watch.lines_left == 0 {
            watch.restart();
        }
    }
}

impl Watch {
    fn restart(&mut self) {
        self.model.clear();
        self.fixed.clear();
        self.lines = (2 * self.lines).min(WATCHED_LINES_MAX);
        self.lines_left = self.lines;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Show lines as the reader does; how many of them no shape fitted.
    fn unfitted(shapes: &mut Shapes, lines: impl Iterator<Item = String>) -> usize {
        let mut values = Values::new();
        let unfitted = lines.filter(|line| {
            let fits = shapes.fitting(line.as_bytes(), &mut values).is_some();
            if !fits {
                shapes.consider(line.as_bytes(), line.trim_end().as_bytes(), &Aliases::standard());
            }
            !fits
        });
        unfitted.count()
    }

    #[test]
    fn lines_of_no_fixed_shape_are_soon_left_alone() {
        let mut shapes = Shapes::new();
        unfitted(&mut shapes, (0..100_000).map(|n| format!("{{\"a\":1,\"key{n}\":2}}\n")));
        // Some 1500 if learning always cost the same.
        assert!(shapes.next_serial < 40, "{} learned", shapes.next_serial);
        assert!(shapes.list.len() <= 1, "{} kept", shapes.list.len());
        // And when the log gets a shape, that is learned.
        let lines = LEARNING_COST_MAX as usize * 2;
        let missed = unfitted(&mut shapes, (0..lines).map(|n| format!("{{\"a\":1,\"key\":{n}}}\n")));
        assert!(missed <= LEARNING_COST_MAX as usize, "{missed} of {lines} were parsed");
        assert_eq!(shapes.learning_cost, LEARNING_COST);
    }
}
