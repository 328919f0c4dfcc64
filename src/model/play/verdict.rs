//! A history's end: quiet, a stop and a start, and then each line's count is held against what became of it.
//! This file never lets anything happen to the logs.

use super::*;
use crate::model::run::days;

impl Player {
    /// Quiet, then a stop and a start: nothing moves any more, and everything is as it should be.
    pub(super) fn end(&mut self, history: &[Op]) -> Result<(), String> {
        self.look_fully()?;
        self.quiet(QUIET_MINUTES);
        self.look_fully()?;
        self.run.commit();
        self.every_line_is_counted(history)?;
        self.run.restart()?;
        self.note_start();
        self.look_fully()?;
        self.run.end()?;
        self.nothing_counts_twice()?;
        self.every_line_is_counted(history)?;
        self.ledger_has_each_line_in_its_day()?;
        if self.family == Family::Gentle && history.len().is_multiple_of(4) {
            self.a_fresh_start_counts_the_same()?;
        }
        Ok(())
    }

    fn every_line_is_counted(&self, history: &[Op]) -> Result<(), String> {
        let on_disk = self.world.on_disk();
        let incomplete = self.run.incomplete();
        let told: BTreeSet<Day> = self.run.losses.iter().flat_map(days).collect();
        let flagged: BTreeSet<Day> = incomplete.keys().copied().collect();
        if told != flagged {
            return Err(format!("losses are told of {told:?}, and the ledger says at least of {incomplete:?}"));
        }
        // Whether more was written to a link's old target, nobody can tell who starts afterwards.
        let mut alarms = self.run.losses.iter().filter(|loss| !loss.path.ends_with("link.log"));
        let is_all_there = !history.iter().any(|op| matches!(op, Op::DropArchive { .. }));
        if self.family == Family::Gentle
            && is_all_there
            && let Some(loss) = alarms.next()
        {
            return Err(format!("nothing was lost, but it is said: {loss:?}"));
        }
        for (number, line) in self.world.lines.iter().enumerate() {
            let is_counted = self.run.counted.contains_key(&line.label);
            if is_counted || !line.whole || line.may_be_cut {
                continue;
            }
            // Of a log that was cut, daycap leaves out what it cannot tell from what was counted, and says so; not always of
            // the right day, where a commit had saved one day of it and not another.
            let was_cut = history.iter().any(|op| matches!(op, Op::Shrink { .. }));
            if was_cut && !self.run.losses.is_empty() {
                continue;
            }
            if on_disk.contains(&number) {
                return Err(format!("line {number} is not counted, and is on disk"));
            }
            if self.family == Family::Gentle && line.times == 1 && line.file.is_some() {
                return Err(format!("line {number} is not counted, and was never destroyed unread"));
            }
            if self.due.contains(&number) && line.times == 1 {
                return Err(format!("line {number} is not counted, and could be read at a complete look"));
            }
            if self.knowable.contains(&number) && line.times == 1 && !self.is_told(line) {
                return Err(format!(
                    "line {number} of {} is lost, and nothing says so: {:?}",
                    line.written, self.run.losses
                ));
            }
        }
        Ok(())
    }

    /// Whether a loss is told of the days in which this line was written, by any clock there was.
    fn is_told(&self, line: &Line) -> bool {
        let day = |instant| Minute::at(instant).utc_day();
        let (first, last) = (day(line.written - self.clock_slack), day(line.written + self.clock_slack));
        self.run.losses.iter().any(|loss| day(loss.since) <= last && first <= day(loss.until))
    }

    fn ledger_has_each_line_in_its_day(&self) -> Result<(), String> {
        for (label, day, count) in self.run.days() {
            let Some(number) = self.world.line_of(&label) else { return Err(format!("nobody wrote {label:?}")) };
            let line = &self.world.lines[number];
            if line.minute.utc_day().to_string() != day || count > line.times {
                return Err(format!("the ledger has line {number} of {:?} {count} times on {day}", line.minute));
            }
        }
        Ok(())
    }

    /// Another daycap, that never ran here, finds the same in what is there.
    fn a_fresh_start_counts_the_same(&self) -> Result<(), String> {
        let state_dir = state_dir();
        let mut fresh = Run::begin(state_dir.path(), self.world.patterns(), self.run.wall);
        fresh.look_fully()?;
        fresh.end()?;
        for number in self.world.on_disk() {
            let line = &self.world.lines[number];
            let (then, now) = (self.run.counted.get(&line.label), fresh.counted.get(&line.label));
            if then != now && !line.may_be_cut {
                return Err(format!("line {number} was counted {then:?}, and {now:?} by a daycap that starts now"));
            }
        }
        let twice = fresh.counted.iter().find(|(label, count)| {
            self.world.line_of(label).is_none_or(|number| self.world.lines[number].times < **count)
        });
        match twice {
            Some((label, count)) => Err(format!("{label} is counted {count} times by a daycap that starts now")),
            None => Ok(()),
        }
    }
}
