//! The whole job on real files: logs into a report, and logs into the ledger, in bytes and lines a second.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use daycap::collect::tail::Tail;
use daycap::collect::{Reading, Source, Start};
use daycap::commit::{self, Commit};
use daycap::count::ledger::Ledger;
use daycap::count::query::{By, Query};
use daycap::day::Now;
use daycap::harvest::{Counted, Harvester};
use daycap::quota::Match;
use daycap::raw;
use daycap::state::State;

/// The sample log is written out again and again up to about this size.
const LOG_BYTES: usize = 64_000_000;

fn pipeline(criterion: &mut Criterion) {
    let room = tempfile::tempdir().expect("a directory");
    for sample in ["sync.log", "billing.log", "gateway.log"] {
        let text = fs::read(Path::new("sample-logs").join(sample)).expect("the sample log");
        let log = room.path().join(sample);
        let text = text.repeat(LOG_BYTES / text.len());
        fs::write(&log, &text).expect("writes");
        let mut group = criterion.benchmark_group(format!("pipeline/{sample}"));
        group.sample_size(10);
        let lines = text.iter().filter(|byte| **byte == b'\n').count();
        group.throughput(Throughput::ElementsAndBytes { elements: lines as u64, bytes: text.len() as u64 });
        group.bench_function("report", |bencher| bencher.iter(|| report(&log)));
        group.bench_function("ledger", |bencher| {
            bencher.iter(|| into_ledger(&log, &tempfile::tempdir().expect("a directory")))
        });
        group.finish();
    }
}

fn report(log: &Path) -> u64 {
    let query = Query { span: None..None, by: vec![By::Day], matching: Match::default(), zone: Tz::UTC };
    let paths = [log.to_string_lossy().into_owned()];
    let counted = raw::report(&paths, &Reading::unsettled(Tz::UTC), &query, "host", &|_| {});
    counted.expect("counts").0.total.requests
}

/// As `daycap ingest` does it: passes until nothing is left, then one commit.
fn into_ledger(log: &Path, state: &tempfile::TempDir) -> u64 {
    let source = Source {
        name: "log".to_owned(),
        paths: vec![log.to_string_lossy().into_owned()],
        journal: None,
        reading: Reading::unsettled(Tz::UTC),
        start: Start::Beginning,
    };
    let mut harvester = Harvester::new(Tail::new(vec![source], Vec::new()), Counted::default());
    let (mut tally, mut marks) = (daycap::count::tally::Tally::default(), Vec::new());
    loop {
        let harvest = harvester.pass(Now::first(DateTime::<Utc>::UNIX_EPOCH));
        tally.merge(harvest.tally);
        marks.extend(harvest.marks.into_values());
        if harvest.caught_up {
            break;
        }
    }
    let requests = tally.rows().iter().map(|(_, _, requests, _)| requests).sum();
    let marks = tally.days().into_iter().map(|day| (day, marks.clone())).collect();
    let folder: PathBuf = state.path().to_owned();
    let done = commit::perform(
        Commit {
            tally,
            marks,
            at_least: std::collections::BTreeMap::new(),
            state: State::default(),
            said: Vec::new(),
            said_from: None,
        },
        &Ledger::new(&folder, "host"),
        &folder,
    );
    assert!(done.error.is_none(), "{:?}", done.error);
    requests
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
