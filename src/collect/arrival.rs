//! When a log's bytes were first seen: looks at its length become the minutes in which lines that state no time arrived,
//! as long as somebody was looking.
//! This file never looks at a file.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};

use super::Chunk;
use super::follow::Log;
use super::log::LogMark;
use crate::day::Minute;

/// Bytes that were not there this long ago have arrived just now. Of those that were found after a longer absence, nobody
/// knows when they were written.
const ABSENCE_MAX: TimeDelta = TimeDelta::minutes(5);
/// Bytes of so many minutes are told apart while they wait to be read; what comes after belongs to the last of them.
const RUNS_MAX: usize = 64;

/// When lines that state no time were seen to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub minute: Minute,
    /// Lines that start below were there before anybody looked: when they were made, nobody knows.
    pub live_from: u64,
    /// Lines that start below are counted already.
    pub counted_to: u64,
}

/// The bytes of one log that are not read yet, by when they were first seen.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// Each run's end, and its minute if somebody was looking. They follow each other.
    runs: VecDeque<(u64, Option<Minute>)>,
    /// So many bytes were there at the last look.
    seen: u64,
    /// When it was.
    looked: Option<DateTime<Utc>>,
    /// Minutes never go back, so that days only grow with the offset.
    latest: Minute,
}

impl Arrivals {
    /// A log that is read on from `offset`; up to `backlog` its bytes are of the past. `looked` is when what lies behind
    /// that was not there yet.
    pub(super) fn new(offset: u64, backlog: u64, looked: Option<DateTime<Utc>>) -> Arrivals {
        let runs = (backlog > offset).then_some((backlog, None)).into_iter().collect();
        Arrivals { runs, seen: offset.max(backlog), looked, latest: Minute(0) }
    }

    /// A look that saw so many bytes.
    pub(super) fn look(&mut self, len: u64, now: DateTime<Utc>) {
        let is_recent = self.looked.is_some_and(|looked| now - looked <= ABSENCE_MAX);
        self.looked = Some(now);
        if len <= self.seen {
            return;
        }
        self.seen = len;
        self.latest = Minute::at(now).max(self.latest);
        let minute = is_recent.then_some(self.latest);
        let is_full = self.runs.len() >= RUNS_MAX;
        match self.runs.back_mut() {
            // Of more minutes than are told apart, those that nobody knows leave none.
            Some((end, last)) if *last == minute || is_full => (*end, *last) = (len, minute.and(*last)),
            Some(_) | None => self.runs.push_back((len, minute)),
        }
    }

    /// The chunk's bytes are read: when they arrived. One that is of several minutes is of the first.
    pub(super) fn read(&mut self, chunk: &Chunk) -> Option<Arrival> {
        while self.runs.front().is_some_and(|(end, _)| *end <= chunk.start) {
            self.runs.pop_front();
        }
        let (mut live_from, mut minute) = (chunk.start, None);
        while let Some((end, of)) = self.runs.front().copied() {
            match of {
                Some(of) => minute = minute.or(Some(of)),
                // What has arrived before what nobody saw come is not told apart from it.
                None => (live_from, minute) = (end, None),
            }
            if end > chunk.end {
                break;
            }
            self.runs.pop_front();
            if end == chunk.end {
                break;
            }
        }
        let is_live = live_from < chunk.end;
        minute.filter(|_| is_live).map(|minute| Arrival { minute, live_from, counted_to: 0 })
    }

    /// Up to where unread bytes are of the past; 0 where none are.
    pub(super) fn backlog(&self) -> u64 {
        self.runs.iter().rev().find(|(_, minute)| minute.is_none()).map_or(0, |(end, _)| *end)
    }
}

impl Log {
    /// The mark, with what is to be known of bytes that are not read yet.
    pub(super) fn saved_mark(&self) -> LogMark {
        LogMark { backlog: self.arrivals.backlog(), ..self.mark.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64, seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(minutes * 60 + seconds, 0).expect("an instant")
    }

    fn read(arrivals: &mut Arrivals, start: u64, end: u64) -> Option<(u32, u64)> {
        arrivals.read(&Chunk { start, end, written: None }).map(|arrival| (arrival.minute.0, arrival.live_from))
    }

    #[test]
    fn bytes_keep_the_minute_in_which_they_were_first_seen() {
        let mut arrivals = Arrivals::new(0, 0, Some(at(10, 0)));
        arrivals.look(100, at(10, 50));
        arrivals.look(200, at(11, 10));
        arrivals.look(200, at(14, 0));
        assert_eq!(read(&mut arrivals, 0, 60), Some((10, 0)));
        assert_eq!(read(&mut arrivals, 60, 100), Some((10, 60)));
        assert_eq!(read(&mut arrivals, 100, 200), Some((11, 100)));
        assert_eq!(read(&mut arrivals, 200, 300), None, "nobody has looked at these");
    }

    #[test]
    fn what_was_there_before_anybody_looked_has_no_minute() {
        let mut arrivals = Arrivals::new(0, 0, None);
        arrivals.look(100, at(10, 0));
        assert_eq!(arrivals.backlog(), 100);
        arrivals.look(200, at(10, 1));
        assert_eq!(read(&mut arrivals, 0, 40), None);
        assert_eq!(read(&mut arrivals, 40, 150), Some((10, 100)), "the chunk holds bytes of both");
        assert_eq!(arrivals.backlog(), 0);
        assert_eq!(read(&mut arrivals, 150, 200), Some((10, 150)));
    }

    #[test]
    fn after_an_absence_nobody_knows_when_bytes_came() {
        let mut arrivals = Arrivals::new(0, 0, Some(at(10, 0)));
        arrivals.look(100, at(15, 0));
        arrivals.look(200, at(20, 1));
        arrivals.look(300, at(20, 2));
        assert_eq!(arrivals.backlog(), 200);
        assert_eq!(read(&mut arrivals, 0, 100), Some((15, 0)));
        assert_eq!(read(&mut arrivals, 100, 200), None);
        assert_eq!(read(&mut arrivals, 200, 300), Some((20, 200)));
    }

    #[test]
    fn a_restart_knows_the_backlog_and_what_has_come_since() {
        let mut arrivals = Arrivals::new(50, 100, Some(at(10, 0)));
        arrivals.look(200, at(12, 0));
        assert_eq!(read(&mut arrivals, 50, 200), Some((12, 100)));
        let mut late = Arrivals::new(50, 0, Some(at(10, 0)));
        late.look(200, at(16, 0));
        assert_eq!(read(&mut late, 50, 200), None);
    }

    #[test]
    fn a_clock_that_is_set_back_moves_no_line_to_an_earlier_minute() {
        let mut arrivals = Arrivals::new(0, 0, Some(at(10, 0)));
        arrivals.look(100, at(11, 0));
        assert_eq!(read(&mut arrivals, 0, 100), Some((11, 0)));
        arrivals.look(200, at(2, 0));
        assert_eq!(read(&mut arrivals, 100, 200), Some((11, 100)));
    }

    #[test]
    fn the_minutes_of_a_log_that_is_never_read_are_bounded() {
        let mut arrivals = Arrivals::new(0, 0, Some(at(0, 0)));
        (1..1000_u32).for_each(|minute| arrivals.look(u64::from(minute), at(i64::from(minute), 0)));
        assert_eq!(arrivals.runs.len(), RUNS_MAX);
        assert_eq!(read(&mut arrivals, 998, 999), Some((64, 998)));
    }
}
