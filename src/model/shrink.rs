//! A failing history becomes a small one: operations are left out as long as it still fails.
//! This file never changes what an operation does.

use super::history::Op;

/// Plays until a history is called small: some seconds' worth.
const PLAYS_MAX: u32 = 600;

/// The smallest history found that still fails, and how.
pub fn shrink(history: Vec<Op>, failure: String, fails: impl Fn(&[Op]) -> Option<String>) -> (Vec<Op>, String) {
    let (mut smallest, mut failure, mut plays) = (history, failure, 0);
    let mut run = smallest.len().div_ceil(2);
    while run > 0 {
        let (mut at, mut is_smaller) = (0, false);
        while at < smallest.len() && plays < PLAYS_MAX {
            let without = [&smallest[..at], &smallest[(at + run).min(smallest.len())..]].concat();
            plays += 1;
            match fails(&without) {
                Some(what) => (smallest, failure, is_smaller) = (without, what, true),
                None => at += run,
            }
        }
        // A run that could be left out may make a longer one needless.
        run = if is_smaller && run == 1 && plays < PLAYS_MAX { 1 } else { run / 2 };
    }
    let fewer = |op: Op| match op {
        Op::Write { log, .. } => Op::Write { log, lines: 1 },
        other => other,
    };
    for at in 0..smallest.len() {
        let mut simpler = smallest.clone();
        simpler[at] = fewer(simpler[at]);
        if simpler != smallest
            && let Some(what) = fails(&simpler)
        {
            (smallest, failure) = (simpler, what);
        }
    }
    (smallest, failure)
}
