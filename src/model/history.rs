//! A history: what writers, rotators, clocks and accidents do to logs, and when daycap looks. Each seed is one
//! history; every operation means something after any other, so that any part of a history is a history.
//! This file never touches a file.

/// One thing that happens. The numbers are taken modulo what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Write {
        log: u8,
        lines: u8,
    },
    /// The first part of a line; whatever this writer writes next begins with the rest.
    Half {
        log: u8,
    },
    Odd {
        log: u8,
        what: Odd,
    },
    /// The log is renamed to an archive's name; without `reopen` its writer goes on in it.
    Rotate {
        log: u8,
        dated: bool,
        reopen: bool,
    },
    Reopen {
        log: u8,
    },
    RenameBack {
        log: u8,
    },
    CopyTruncate {
        log: u8,
        dated: bool,
        between: Between,
    },
    /// A copy that takes until `Step`, and is followed by the truncation.
    SlowCopyTruncate {
        log: u8,
    },
    /// An archive becomes a gz under its final name: one `Step` a part.
    Gzip {
        log: u8,
        nth: u8,
        parts: u8,
        members: u8,
    },
    GzipAside {
        log: u8,
        nth: u8,
        look_between: bool,
    },
    Step,
    /// A log that was never seen, already rotated and compressed.
    OldArchive {
        lines: u8,
    },
    SwapLink,
    HardLink {
        log: u8,
    },
    /// The writer does not append: after a truncation it goes on at its old offset.
    Redirect {
        log: u8,
    },
    Quiet {
        minutes: u8,
    },
    Hours {
        hours: u8,
    },
    /// The wall clock is set; the uptime is not.
    Clock {
        hours: i8,
    },
    LookOnly,
    /// Some reading, in small chunks; with or without a look first.
    ReadSome {
        look: bool,
        chunk_bytes: u16,
        kilobytes: u8,
    },
    Look,
    /// Looks until nothing new comes.
    LookFully,
    Commit,
    CommitFails {
        of_state: bool,
    },
    Restart,
    Kill,
    /// Killed inside a commit, after this many of its steps.
    Crash {
        steps: u8,
    },
    LoseState {
        how: LostState,
        kill: bool,
    },
    /// An archive goes: in gentle histories after its lines are in the ledger.
    DropArchive {
        log: u8,
        nth: u8,
    },

    // From here on only in harsh histories: what is not read yet is destroyed.
    Truncate {
        log: u8,
        lines: u8,
    },
    Shrink {
        log: u8,
        sixteenths: u8,
        lines: u8,
    },
    Delete {
        log: u8,
    },
    DeleteCreate {
        log: u8,
        lines: u8,
    },
    /// logrotate's own window: lines between the copy and the truncation.
    LeakyCopyTruncate {
        log: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    CrLf,
    NotUtf8,
    Blank,
    /// Lines that count nothing and begin many logs alike; more or less than what a head is.
    Banner {
        long: bool,
    },
    /// The same bytes several times.
    Same {
        times: u8,
    },
    /// Longer than a chunk of `ReadSome`, or than a chunk of the daemon.
    Long {
        kilobytes: u16,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    Nothing,
    Look,
    Kill,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostState {
    Corrupt,
    Deleted,
    /// The one before it, too.
    BothDeleted,
}

/// What may happen in a history, and what then must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Nothing is destroyed that the ledger does not hold: every line once, every day exact.
    Gentle,
    /// Anything: never twice; what was readable at a complete look, once; what is missing, told.
    Harsh,
}

/// Deterministic numbers (splitmix64), so that a failure can be repeated.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn small(&mut self, bound: u64) -> u8 {
        u8::try_from(self.below(bound)).expect("bounds are small")
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    /// Mostly the first log, so that much happens to one.
    fn log(&mut self) -> u8 {
        [0, 0, 0, 0, 1, 1, 2, 3][self.below(8) as usize]
    }
}

/// The history of this seed.
pub fn history(seed: u64, family: Family, operations: usize) -> Vec<Op> {
    let mut random = Random::new(seed);
    // Half of all histories know only some operations: what needs three of a kind in a row then happens.
    let is_narrow = random.one_in(2);
    let more = match family {
        Family::Gentle => &[],
        Family::Harsh => ONLY_HARSH,
    };
    let kinds = [GENTLE, more].concat();
    let mut weights: Vec<u64> =
        kinds.iter().map(|(weight, _)| if is_narrow && random.one_in(2) { 0 } else { *weight }).collect();
    // Without these nothing happens.
    (weights[0], weights[1]) = (kinds[0].0, kinds[1].0);
    let total = weights.iter().sum();
    let pick = |random: &mut Random| {
        let mut at = random.below(total);
        let chosen = weights.iter().position(|weight| {
            let is_here = at < *weight;
            at = at.saturating_sub(*weight);
            is_here
        });
        kinds[chosen.expect("below the total")].1
    };
    (0..operations).map(|_| pick(&mut random)(&mut random)).collect()
}

type Kind = (u64, fn(&mut Random) -> Op);

const WRITE: Kind =
    (260, |r| Op::Write { log: r.log(), lines: if r.one_in(6) { 12 + r.small(24) } else { 1 + r.small(6) } });
const LOOK: Kind = (140, |_| Op::Look);
const LOOK_FULLY: Kind = (30, |_| Op::LookFully);
const HALF: Kind = (40, |r| Op::Half { log: r.log() });
const ODD: Kind = (60, |r| Op::Odd { log: r.log(), what: odd(r) });
const ROTATE: Kind = (70, |r| Op::Rotate { log: r.log(), dated: r.one_in(4), reopen: !r.one_in(3) });
const REOPEN: Kind = (30, |r| Op::Reopen { log: r.log() });
const RENAME_BACK: Kind = (12, |r| Op::RenameBack { log: r.log() });
const COPY_TRUNCATE: Kind = (50, |r| Op::CopyTruncate { log: r.log(), dated: r.one_in(4), between: between(r) });
const SLOW_COPY: Kind = (14, |r| Op::SlowCopyTruncate { log: r.log() });
const GZIP: Kind = (36, |r| Op::Gzip { log: r.log(), nth: r.small(4), parts: 1 + r.small(3), members: 1 + r.small(3) });
const GZIP_ASIDE: Kind = (20, |r| Op::GzipAside { log: r.log(), nth: r.small(4), look_between: r.one_in(2) });
const STEP: Kind = (40, |_| Op::Step);
const OLD_ARCHIVE: Kind = (8, |r| Op::OldArchive { lines: 1 + r.small(9) });
const SWAP_LINK: Kind = (12, |_| Op::SwapLink);
const HARD_LINK: Kind = (6, |r| Op::HardLink { log: r.log() });
const REDIRECT: Kind = (14, |r| Op::Redirect { log: r.log() });
const QUIET: Kind = (6, |r| Op::Quiet { minutes: 1 + r.small(20) });
const HOURS: Kind = (10, |r| Op::Hours { hours: 1 + r.small(12) });
const CLOCK: Kind = (8, |r| Op::Clock { hours: if r.one_in(2) { 1 } else { -1 } });
const LOOK_ONLY: Kind = (20, |_| Op::LookOnly);
const READ_SOME: Kind = (60, |r| Op::ReadSome {
    look: !r.one_in(3),
    chunk_bytes: [512, 1024, 4096, 20_000][r.below(4) as usize],
    kilobytes: 1 + r.small(6),
});
const COMMIT: Kind = (60, |_| Op::Commit);
const COMMIT_FAILS: Kind = (10, |r| Op::CommitFails { of_state: r.one_in(3) });
const RESTART: Kind = (24, |_| Op::Restart);
const KILL: Kind = (24, |_| Op::Kill);
const CRASH: Kind = (24, |r| Op::Crash { steps: r.small(5) });
const LOSE_STATE: Kind = (12, |r| Op::LoseState { how: lost_state(r), kill: r.one_in(2) });
const DROP_ARCHIVE: Kind = (8, |r| Op::DropArchive { log: r.log(), nth: r.small(4) });
const TRUNCATE: Kind = (20, |r| Op::Truncate { log: r.log(), lines: if r.one_in(2) { 0 } else { 1 + r.small(30) } });
const SHRINK: Kind = (24, |r| Op::Shrink { log: r.log(), sixteenths: r.small(16), lines: r.small(12) });
const DELETE: Kind = (14, |r| Op::Delete { log: r.log() });
const DELETE_CREATE: Kind = (14, |r| Op::DeleteCreate { log: r.log(), lines: r.small(12) });
const LEAKY: Kind = (10, |r| Op::LeakyCopyTruncate { log: r.log() });

const GENTLE: &[Kind] = &[
    WRITE,
    LOOK,
    LOOK_FULLY,
    HALF,
    ODD,
    ROTATE,
    REOPEN,
    RENAME_BACK,
    COPY_TRUNCATE,
    SLOW_COPY,
    GZIP,
    GZIP_ASIDE,
    STEP,
    OLD_ARCHIVE,
    SWAP_LINK,
    HARD_LINK,
    REDIRECT,
    QUIET,
    HOURS,
    CLOCK,
    LOOK_ONLY,
    READ_SOME,
    COMMIT,
    COMMIT_FAILS,
    RESTART,
    KILL,
    CRASH,
    LOSE_STATE,
    DROP_ARCHIVE,
];

/// What harsh histories know beside all that.
const ONLY_HARSH: &[Kind] = &[TRUNCATE, SHRINK, DELETE, DELETE_CREATE, LEAKY];

fn odd(random: &mut Random) -> Odd {
    match random.below(40) {
        0..8 => Odd::CrLf,
        8..14 => Odd::NotUtf8,
        14..20 => Odd::Blank,
        20..30 => Odd::Banner { long: random.one_in(2) },
        30..36 => Odd::Same { times: 2 + random.small(3) },
        36..39 => Odd::Long { kilobytes: 20 + 4 * u16::from(random.small(60)) },
        _ => Odd::Long { kilobytes: 600 + 200 * u16::from(random.small(8)) },
    }
}

fn between(random: &mut Random) -> Between {
    match random.below(8) {
        0..5 => Between::Nothing,
        5..7 => Between::Look,
        _ => Between::Kill,
    }
}

fn lost_state(random: &mut Random) -> LostState {
    [LostState::Corrupt, LostState::Deleted, LostState::BothDeleted][random.below(3) as usize]
}
