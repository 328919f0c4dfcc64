//! Line ends that are remembered on the way through a log, each with the hash of what precedes it: after a truncation
//! they tell how much of what was read still stands. One by one at the log's foot, where a new content shows, and
//! near the mark, where logs are cut; sparse between them.
//! This file never reads a file.

use memchr::{memchr_iter, memrchr, memrchr_iter};
use serde::{Deserialize, Serialize};

use super::log::{ANCHOR_BYTES_MAX, Fingerprint};

/// The first line ends, one by one: more than a banner has lines.
const FOOT: usize = 16;
/// The latest line ends, one by one: a cut within them is told to the line.
const TOP: usize = 32;

/// Between them, this many a chunk, evenly, before they are thinned out; but none closer than this many bytes.
const BETWEEN: usize = 16;
const BETWEEN_BYTES_MIN: usize = 4 << 10;

/// Rungs upwards; the last is at the mark.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    rungs: Vec<Rung>,
    /// How many of the first rungs are the log's first line ends.
    foot: usize,
    /// Every line end behind this offset is a rung.
    dense_from: u64,
}

/// An offset, and half the hash of the at most 4 KiB before it: one in four billion is enough beside the head's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u32)", into = "(u64, u32)")]
struct Rung {
    offset: u64,
    hash: u32,
}

impl From<(u64, u32)> for Rung {
    fn from((offset, hash): (u64, u32)) -> Rung {
        Rung { offset, hash }
    }
}

impl From<Rung> for (u64, u32) {
    fn from(rung: Rung) -> (u64, u32) {
        (rung.offset, rung.hash)
    }
}

/// How far a content is known to be what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foothold {
    /// The highest rung that holds.
    pub offset: u64,
    /// The next one, which does not: lines between them may be old or new. `None` where no line lies between.
    pub doubtful_to: Option<u64>,
}

impl Ladder {
    /// Of a log that is read from `offset` on.
    pub fn from_offset(offset: u64) -> Ladder {
        Ladder { rungs: Vec::new(), foot: 0, dense_from: offset }
    }

    /// Remember line ends of `lines`, which begin at `start` behind the window `before`: the very last, and more of them at
    /// the log's foot, and where its end is `near`.
    pub fn climb(&mut self, before: &[u8], lines: &[u8], start: u64, near: bool) {
        let mut at_foot = Vec::new();
        if self.foot == self.rungs.len() && self.foot < FOOT {
            at_foot.extend(memchr_iter(b'\n', lines).map(|at| at + 1).take(FOOT - self.foot));
            self.foot += at_foot.len();
        }
        let last_of_foot = at_foot.last().copied().unwrap_or(0);
        let ends = memrchr_iter(b'\n', lines).map(|at| at + 1).take_while(|end| *end > last_of_foot);
        let mut at_top: Vec<usize> = ends.take(TOP + 1).collect();
        let kept = if near { TOP } else { 1 };
        let mut between = Vec::new();
        if at_top.len() > kept {
            at_top.truncate(kept);
            let first_of_top = at_top[kept - 1];
            self.dense_from = start + first_of_top as u64;
            between = line_ends_between(lines, last_of_foot, first_of_top);
        }
        for end in at_foot.into_iter().chain(between).chain(at_top.into_iter().rev()) {
            self.rungs.push(Rung { offset: start + end as u64, hash: half(window(before, &lines[..end])) });
        }
        self.thin();
    }

    /// Remember only this line end: what leads to it was not looked at line by line.
    pub fn leap(&mut self, end: u64, window: &Fingerprint) {
        if self.rungs.last().is_none_or(|last| last.offset < end) {
            self.rungs.push(Rung { offset: end, hash: half(*window) });
            self.dense_from = end;
        }
        self.thin();
    }

    /// Forget what is above `offset`.
    pub fn cut(&mut self, offset: u64) {
        self.rungs.retain(|rung| rung.offset <= offset);
        self.foot = self.foot.min(self.rungs.len());
        self.dense_from = self.dense_from.min(offset);
    }

    /// The offsets whose windows [`Ladder::foothold`] wants to see, upwards.
    pub fn offsets(&self) -> impl Iterator<Item = u64> {
        self.rungs.iter().map(|rung| rung.offset)
    }

    /// `windows` are a content's, before each of the offsets; `None` where it is shorter.
    pub fn foothold(&self, windows: &[Option<Fingerprint>]) -> Option<Foothold> {
        let holds = |rung: &Rung, window: &Option<Fingerprint>| window.is_some_and(|window| half(window) == rung.hash);
        let at = self.rungs.iter().zip(windows).collect::<Vec<_>>();
        let at = at.iter().rposition(|(rung, window)| holds(rung, window))?;
        let offset = self.rungs[at].offset;
        let next = self.rungs.get(at + 1).map(|rung| rung.offset);
        let is_doubtful = at + 1 >= self.foot && offset < self.dense_from;
        Some(Foothold { offset, doubtful_to: next.filter(|_| is_doubtful) })
    }

    /// Foot and top stay; between them, the further from the mark, the wider the steps: two or so each time the
    /// distance doubles, so that a log of any size has less than a hundred.
    fn thin(&mut self) {
        if self.rungs.len() <= self.foot + TOP {
            return;
        }
        let mut kept = self.rungs.split_off(self.rungs.len() - TOP);
        let (mut above, top) = (kept[0].offset, kept[TOP - 1].offset);
        kept.reverse();
        for rung in self.rungs.drain(self.foot..).rev() {
            if above - rung.offset > (top - above) / 2 {
                above = rung.offset;
                kept.push(rung);
            } else {
                self.dense_from = self.dense_from.max(rung.offset);
            }
        }
        self.rungs.extend(kept.into_iter().rev());
    }
}

/// Some line ends behind `from` and before `to`, upwards.
fn line_ends_between(lines: &[u8], from: usize, to: usize) -> Vec<usize> {
    let step = ((to - from) / BETWEEN).max(BETWEEN_BYTES_MIN);
    let line_end = |before: usize| memrchr(b'\n', &lines[..before]).map(|at| at + 1);
    let mut ends: Vec<usize> = (from + step..to).step_by(step).filter_map(line_end).filter(|end| *end > from).collect();
    ends.dedup();
    ends
}

fn half(window: Fingerprint) -> u32 {
    // The lower half.
    (window.hash & u64::from(u32::MAX)) as u32
}

/// The at most 4 KiB that end with `lines`, `before` being what precedes them.
fn window(before: &[u8], lines: &[u8]) -> Fingerprint {
    if lines.len() >= ANCHOR_BYTES_MAX {
        return Fingerprint::of(&lines[lines.len() - ANCHOR_BYTES_MAX..]);
    }
    let wanted = ANCHOR_BYTES_MAX - lines.len();
    Fingerprint::of(&[&before[before.len().saturating_sub(wanted)..], lines].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines that are all different, of uneven length.
    fn content(lines: usize) -> Vec<u8> {
        (0..lines).flat_map(|line| format!("{line} {}\n", "x".repeat(line * 7 % 50)).into_bytes()).collect()
    }

    fn ends(content: &[u8]) -> Vec<u64> {
        memchr_iter(b'\n', content).map(|at| at as u64 + 1).collect()
    }

    fn windows(ladder: &Ladder, content: &[u8]) -> Vec<Option<Fingerprint>> {
        let at = |end: u64| usize::try_from(end).ok().and_then(|end| content.get(..end));
        ladder.offsets().map(|end| at(end).map(|lines| window(&[], lines))).collect()
    }

    /// Climbed in chunks of at most `step` lines, the last of them near the end.
    fn climbed(content: &[u8], step: usize) -> Ladder {
        let mut ladder = Ladder::from_offset(0);
        let (mut start, ends) = (0, ends(content));
        for (number, chunk) in ends.chunks(step).enumerate() {
            let end = *chunk.last().unwrap() as usize;
            let before = &content[start.max(ANCHOR_BYTES_MAX) - ANCHOR_BYTES_MAX..start];
            ladder.climb(before, &content[start..end], start as u64, number + 2 >= ends.len().div_ceil(step));
            start = end;
        }
        ladder
    }

    proptest! {
        #[test]
        fn the_foothold_of_a_cut_content_is_true_and_near(lines in 1usize..600, step in 1usize..200, cut in 0usize..600) {
            let content = content(lines);
            let ladder = climbed(&content, step);
            let ends = ends(&content);
            prop_assert!(ladder.offsets().count() < FOOT + TOP + 50);
            prop_assert!(ladder.offsets().all(|offset| ends.contains(&offset)));
            // Cut behind line `cut`, and something else appended.
            let cut = cut.min(lines);
            let stands = if cut == 0 { 0 } else { ends[cut - 1] };
            let mut new = content[..stands as usize].to_vec();
            new.extend_from_slice(&b"?\n".repeat(content.len()));
            match ladder.foothold(&windows(&ladder, &new)) {
                None => prop_assert_eq!(cut, 0),
                Some(Foothold { offset, doubtful_to: None }) => prop_assert_eq!(offset, stands),
                Some(Foothold { offset, doubtful_to: Some(to) }) => {
                    prop_assert!(offset <= stands && stands < to);
                    prop_assert!(cut >= FOOT, "the foot is told line by line");
                    prop_assert!(cut + TOP <= lines || cut + step < lines, "so is the top");
                }
            }
        }
    }

    #[test]
    fn what_is_above_a_cut_is_forgotten() {
        let content = content(100);
        let mut ladder = climbed(&content, 10);
        let at = ends(&content)[60];
        ladder.cut(at);
        assert!(ladder.offsets().all(|offset| offset <= at));
        ladder.cut(0);
        assert_eq!(ladder.offsets().count(), 0);
        assert_eq!(ladder.foothold(&[]), None);
    }

    #[test]
    fn a_ladder_is_short_in_json() {
        let ladder = climbed(&content(3), 1);
        let text = serde_json::to_string(&ladder).unwrap();
        assert!(text.starts_with(r#"{"rungs":[[3,"#), "{text}");
        assert_eq!(serde_json::from_str::<Ladder>(&text).unwrap(), ladder);
    }
}
