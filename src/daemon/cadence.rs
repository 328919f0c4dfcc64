//! When to look at the logs, and when to scan for new, renamed and vanished ones, which costs the more the more logs
//! there are. Instants and durations become instants; this file never waits, and reads no clock.

use std::time::Duration;

use tokio::time::Instant;

/// A busy writer's hints are gathered for this long.
const REST: Duration = Duration::from_millis(100);
/// Passes take at most this share of the time: a pass costs some for each log that is followed, read or not.
const PASS_SHARE: u32 = 20;
/// But no hint waits longer than this.
const REST_MAX: Duration = Duration::from_secs(1);
/// Logs are scanned this often where a change may go untold; and where it was told, they are scanned no later.
const SCAN_INTERVAL: Duration = Duration::from_secs(1);
/// Where the kernel tells of changes, the interval doubles with each scan, up to this, while nothing but the content of
/// known logs changes. Of writes into a memory map, or through another directory's hard link, it does not tell.
const CALM_SCAN_INTERVAL_MAX: Duration = Duration::from_secs(10);
/// Scanning takes at most this share of the time: after a scan that took 40 ms, the next waits 2 s.
const SCAN_SHARE: u32 = 50;
/// However slow scans are, the next waits no longer.
const SCAN_INTERVAL_MAX: Duration = Duration::from_secs(30);
/// Scans that something calls for take at most this share of the time.
const WANTED_SCAN_SHARE: u32 = 4;

/// A scan that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Scan {
    pub ended: Instant,
    pub took: Duration,
    /// It left nothing in doubt, and of what changes from now on the kernel will tell.
    pub told: bool,
}

/// A pass that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    pub ended: Instant,
    pub took: Duration,
    /// It left nothing to read.
    pub caught_up: bool,
    /// It met something that only a scan can settle.
    pub wants_scan: bool,
    pub scan: Option<Scan>,
}

#[derive(Debug, Default)]
pub struct Cadence {
    last_pass: Option<Pass>,
    last_scan: Option<Scan>,
    /// Something has changed since the last scan that only a scan can follow.
    wants_scan: bool,
    /// Scans since something did, or was not told.
    calm_scans: u32,
}

impl Cadence {
    pub fn passed(&mut self, pass: Pass) {
        self.last_pass = Some(pass);
        if let Some(scan) = pass.scan {
            self.last_scan = Some(scan);
            self.calm_scans = if scan.told { self.calm_scans.saturating_add(1) } else { 0 };
        }
        if pass.wants_scan {
            self.want_scan();
        }
    }

    /// The earliest instant of the next pass; `None` is at once: the first, or there is more to read.
    pub fn rested(&self) -> Option<Instant> {
        let Pass { ended, took, caught_up, .. } = self.last_pass?;
        caught_up.then_some(ended + (took * PASS_SHARE).clamp(REST, REST_MAX))
    }

    /// When the next scan is due, told of anything or not; `None` is at once.
    pub fn scan_at(&self, anything: bool) -> Option<Instant> {
        let Scan { ended, took, .. } = self.last_scan?;
        let share = took * SCAN_SHARE;
        let wait = if anything || self.wants_scan {
            share.min(SCAN_INTERVAL.max(took * WANTED_SCAN_SHARE))
        } else {
            share.max(self.calm_interval())
        };
        Some(ended + wait.min(SCAN_INTERVAL_MAX))
    }

    fn calm_interval(&self) -> Duration {
        let doublings = self.calm_scans.saturating_sub(1).min(u32::BITS - 1);
        SCAN_INTERVAL.saturating_mul(1 << doublings).min(CALM_SCAN_INTERVAL_MAX)
    }

    /// Whether the pass that begins now is to scan. What was told too soon after a scan is remembered until it is due.
    pub fn is_scan_due(&mut self, now: Instant, anything: bool) -> bool {
        if anything {
            self.want_scan();
        }
        let is_due = self.scan_at(false).is_none_or(|due| due <= now);
        self.wants_scan &= !is_due;
        is_due
    }

    fn want_scan(&mut self) {
        self.wants_scan = true;
        self.calm_scans = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn pass(ended: Instant, scan: Option<Scan>) -> Pass {
        Pass { ended, took: ms(0), caught_up: true, wants_scan: false, scan }
    }

    fn scan(ended: Instant, took: Duration, told: bool) -> Option<Scan> {
        Some(Scan { ended, took, told })
    }

    /// What the next scan waits for after one that took this long: wanted; not wanted.
    fn waits(took: Duration) -> [Duration; 2] {
        [true, false].map(|wanted| {
            let ended = Instant::now();
            let mut cadence = Cadence::default();
            cadence.passed(Pass { wants_scan: wanted, ..pass(ended, scan(ended, took, true)) });
            cadence.scan_at(false).unwrap() - ended
        })
    }

    #[test]
    fn a_scan_waits_for_its_share_of_the_time() {
        assert_eq!(waits(ms(0)), [ms(0), ms(1_000)]);
        assert_eq!(waits(ms(2)), [ms(100), ms(1_000)]);
        assert_eq!(waits(ms(40)), [ms(1_000), ms(2_000)]);
        assert_eq!(waits(ms(300)), [ms(1_200), ms(15_000)]);
        assert_eq!(waits(ms(1_000)), [ms(4_000), ms(30_000)]);
        assert_eq!(waits(ms(60_000)), [ms(30_000); 2]);
    }

    #[test]
    fn scans_become_rarer_while_all_is_told_and_nothing_is_new() {
        let mut cadence = Cadence::default();
        let mut now = Instant::now();
        let mut wait_after = |cadence: &mut Cadence, told| {
            cadence.passed(pass(now, scan(now, ms(1), told)));
            let wait = cadence.scan_at(false).unwrap() - now;
            now += wait;
            assert!(cadence.is_scan_due(now, false));
            wait.as_secs()
        };
        let waits: Vec<_> = (0..6).map(|_| wait_after(&mut cadence, true)).collect();
        assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
        assert_eq!([false, false, true, true].map(|told| wait_after(&mut cadence, told)), [1, 1, 1, 2]);
        assert!(cadence.is_scan_due(Instant::now() + ms(60_000), true));
        assert_eq!(wait_after(&mut cadence, true), 1, "a name came or went");
    }

    #[test]
    fn the_first_pass_scans_and_what_is_left_is_read_at_once() {
        let mut cadence = Cadence::default();
        assert_eq!((cadence.rested(), cadence.scan_at(false)), (None, None));
        let now = Instant::now();
        assert!(cadence.is_scan_due(now, false));
        cadence.passed(Pass { caught_up: false, ..pass(now, scan(now, ms(1), true)) });
        assert_eq!(cadence.rested(), None);
        assert!(!cadence.is_scan_due(now, false), "reading on needs no scan");
        cadence.passed(pass(now, None));
        assert_eq!(cadence.rested(), Some(now + REST));
    }

    #[test]
    fn a_pass_rests_for_its_share_of_the_time() {
        let now = Instant::now();
        for (took, rest) in [(1, 100), (5, 100), (20, 400), (60, 1_000), (5_000, 1_000)] {
            let cadence = Cadence { last_pass: Some(Pass { took: ms(took), ..pass(now, None) }), ..Cadence::default() };
            assert_eq!(cadence.rested(), Some(now + ms(rest)));
        }
    }

    #[test]
    fn what_was_told_too_soon_after_a_scan_is_not_forgotten() {
        let mut cadence = Cadence::default();
        let now = Instant::now();
        cadence.passed(pass(now, scan(now, ms(10), true)));
        assert!(!cadence.is_scan_due(now + ms(100), true), "its share is not over");
        cadence.passed(pass(now + ms(100), None));
        assert_eq!(cadence.scan_at(false), Some(now + ms(500)));
        assert!(cadence.is_scan_due(now + ms(500), false));
        cadence.passed(pass(now + ms(500), scan(now + ms(500), ms(10), true)));
        assert_eq!(cadence.scan_at(false), Some(now + ms(1_500)));
    }
}
