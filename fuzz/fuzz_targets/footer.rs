#![no_main]

#[path = "../targets.rs"]
#[allow(dead_code, reason = "each binary is one target")]
mod targets;

use libfuzzer_sys::fuzz_target;

// libFuzzer's own hook aborts at every panic. Those that the Parquet decoder raises are caught by daycap, which is what
// is tried here; one that gets past it still ends the run.
fuzz_target!(
    init: std::panic::set_hook(Box::new(|panic| eprintln!("{panic}"))),
    |data: &[u8]| targets::footer(data)
);
