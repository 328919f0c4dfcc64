//! What a pass needs, and is lent to a blocking thread: a look at what was hinted at, or at everything, then reading.
//! This file never decides which of them is due.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tokio::time::Instant;

use super::cadence::{Pass, Scan};
use crate::collect::watch::Watch;
use crate::day::Now;
use crate::harvest::{Harvest, Harvester};

pub struct Looker {
    pub harvester: Harvester,
    pub watch: Watch,
}

/// What a pass gave.
pub struct Looked {
    pub harvest: Harvest,
    pub pass: Pass,
    /// What keeps directories from being watched.
    pub complaint: Option<String>,
}

impl Looker {
    /// Look at everything if `scan`, else at these files; then read what is new.
    pub fn pass(&mut self, changed: &BTreeSet<PathBuf>, scan: bool, now: Now) -> Looked {
        // What a scan leaves, the next one is to go on with at once.
        let scan = (scan || self.harvester.tail().is_unsettled()).then(|| self.scan(now));
        // A scan has a share of the time to itself.
        let begun = Instant::now();
        let wants_scan = scan.is_none() && !self.harvester.tail().look_at(changed, now);
        let harvest = self.harvester.read();
        let ended = Instant::now();
        let pass = Pass { ended, took: ended - begun, caught_up: harvest.caught_up, wants_scan, scan };
        Looked { harvest, pass, complaint: self.watch.take_complaint() }
    }

    fn scan(&mut self, now: Now) -> Scan {
        let begun = Instant::now();
        let tail = self.harvester.tail();
        tail.scan(now);
        let took = begun.elapsed();
        if self.watch.watch_dirs(tail.directories()) && !tail.is_unsettled() {
            // What came between the scan and the watch is told by nobody.
            tail.scan(now);
        }
        Scan { ended: Instant::now(), took, told: self.watch.tells_all() && !tail.is_in_doubt() }
    }
}
