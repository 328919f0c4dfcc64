//! Histories by the thousand, and the shortest histories of what once went wrong.

use super::history::{Family, Odd, Op, history};
use super::play::play;
use super::shrink::shrink;

/// Short ones fail small, long ones get far.
const LENGTHS: [usize; 3] = [24, 60, 120];
/// What each of the tests below plays, unless the environment says otherwise.
const OPERATIONS: u64 = 12_600;

fn number_in_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

/// Play histories until these operations are played, each from a seed of its own.
fn play_many(family: Family, share: u64) {
    let operations = number_in_environment("DAYCAP_MODEL_OPERATIONS").map_or(OPERATIONS, |all| all.div_ceil(8));
    let first = number_in_environment("DAYCAP_MODEL_SEED").unwrap_or(share << 32);
    let (mut played, mut seed) = (0, first);
    while played < operations {
        let length = LENGTHS[(seed % 3) as usize];
        let ops = history(seed, family, length);
        if let Err(failure) = play(&ops, family) {
            let whole = ops.len();
            let before = format!(
                "{family:?} history of seed {seed} (play it with DAYCAP_MODEL_SEED={seed}), after {} operations",
                played + whole as u64
            );
            // `tests/seeded_bugs.rs` only asks whether it fails.
            if std::env::var_os("DAYCAP_MODEL_UNSHRUNK").is_some() {
                panic!("{before}: {failure}");
            }
            let (small, failure) = shrink(ops, failure, |ops| play(ops, family).err());
            panic!(
                "{before}; {} of its {whole} operations are enough:\n{}\n{failure}",
                small.len(),
                small.iter().map(|op| format!("    Op::{op:?},\n")).collect::<String>(),
            );
        }
        played += length as u64;
        seed += 1;
    }
    println!("{played} operations of {family:?} histories, seeds {first} to {seed}");
}

macro_rules! histories {
    ($($name:ident: $family:ident $share:literal,)*) => {
        $(#[test]
        fn $name() {
            play_many(Family::$family, $share);
        })*
    };
}

// Eight tests, so that every core has some.
histories! {
    gentle_histories_count_every_line_once_1: Gentle 1,
    gentle_histories_count_every_line_once_2: Gentle 2,
    gentle_histories_count_every_line_once_3: Gentle 3,
    gentle_histories_count_every_line_once_4: Gentle 4,
    harsh_histories_count_no_line_twice_and_tell_what_is_lost_1: Harsh 5,
    harsh_histories_count_no_line_twice_and_tell_what_is_lost_2: Harsh 6,
    harsh_histories_count_no_line_twice_and_tell_what_is_lost_3: Harsh 7,
    harsh_histories_count_no_line_twice_and_tell_what_is_lost_4: Harsh 8,
}

#[test]
fn every_odd_line_counts_once() {
    for what in [
        Odd::CrLf,
        Odd::NotUtf8,
        Odd::Blank,
        Odd::Banner { long: true },
        Odd::Same { times: 3 },
        Odd::Long { kilobytes: 40 },
        Odd::Long { kilobytes: 1000 },
        Odd::Long { kilobytes: 2000 },
    ] {
        let ops = [Op::Write { log: 0, lines: 2 }, Op::Odd { log: 0, what }, Op::Write { log: 0, lines: 2 }, Op::Look];
        play(&ops, Family::Gentle).unwrap_or_else(|failure| panic!("{what:?}: {failure}"));
    }
}
