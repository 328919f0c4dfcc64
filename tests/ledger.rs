//! The ledger as another engine sees it: DuckDB reads the files by their Hive layout and must find the
//! documented columns and the sums that were committed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use daycap::collect::request::{Bucket, Decoded, Series, pack};
use daycap::count::ledger::{Completeness, Ledger, Reason};
use daycap::count::tally::Tally;
use daycap::day::Minute;
use expect_test::expect;

#[test]
fn duckdb_finds_the_documented_columns_and_the_committed_sums() {
    let state = tempfile::tempdir().unwrap();
    for host in ["web-1", "web-2"] {
        let ledger = Ledger::new(state.path(), host);
        for _ in 0..2 {
            let committed = ledger.commit(&two_days(), &BTreeMap::new(), &BTreeMap::new());
            assert!(committed.failed.is_none(), "{:?}", committed.failed);
        }
    }
    // Days of which only a loss is known have files too, and they are in nobody's way.
    let lost = Reason::of_day("2026-11-21".parse().unwrap(), "a log was truncated".to_owned());
    let at_least = BTreeMap::from([("2026-11-21".parse().unwrap(), Completeness::AtLeast { reasons: vec![lost] })]);
    let committed = Ledger::new(state.path(), "web-1").commit(&Tally::default(), &BTreeMap::new(), &at_least);
    assert!(committed.failed.is_none(), "{:?}", committed.failed);
    assert!(state.path().join("usage/date=2026-11-21/web-1.parquet").exists());
    let stale = state.path().join("usage/date=2026-11-22/.web-1.parquet.tmp");
    std::fs::write(stale, "half a file").unwrap();
    expect![[r#"
        minute TIMESTAMP
        host VARCHAR
        service VARCHAR
        key VARCHAR
        api VARCHAR
        method VARCHAR
        operation VARCHAR
        status USMALLINT
        duration_le_ms DOUBLE
        requests UBIGINT
        units UBIGINT
        bytes UBIGINT
        duration_ms DOUBLE
        date DATE

        2026-11-22 10:00:00|/orders|200|8|16|800|1200
        2026-11-22 23:59:00|/größe|404|4|8|400|600
        2026-11-23 00:00:00|/orders||4|8|400|0
    "#]]
    .assert_eq(&read_with_duckdb(state.path()));
}

fn two_days() -> Tally {
    let mut decoded = Decoded::default();
    request(&mut decoded, "2026-11-22T10:00:00Z", "/orders", Some(200), Some(100.0));
    request(&mut decoded, "2026-11-22T10:00:00Z", "/orders", Some(200), Some(200.0));
    request(&mut decoded, "2026-11-22T23:59:00Z", "/größe", Some(404), Some(150.0));
    request(&mut decoded, "2026-11-23T00:00:00Z", "/orders", None, None);
    let mut tally = Tally::default();
    tally.add(&mut decoded);
    tally
}

/// One request of two units and 100 bytes.
fn request(decoded: &mut Decoded, at: &str, operation: &str, status: Option<u16>, duration_ms: Option<f64>) {
    let series = Series {
        service: "web".into(),
        key: "prod".into(),
        api: "api.example".into(),
        method: "GET".into(),
        operation: operation.into(),
        status,
        duration: duration_ms.and_then(Bucket::of_ms),
    };
    let id = decoded.series.id(series);
    decoded.rows.key.push(pack(Minute::at(at.parse().unwrap()), id));
    decoded.rows.start.push(0);
    decoded.rows.units.push(2);
    decoded.rows.bytes.push(100);
    decoded.rows.duration_ms.push(duration_ms.unwrap_or(0.0));
}

/// Fails, and says how to help, where Python or DuckDB is missing: a format nobody else has read is no format.
fn read_with_duckdb(state: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_ledger.py");
    let output = Command::new("python3").arg(script).arg(state).output().expect("python3 is in PATH");
    assert!(output.status.success(), "read_ledger.py: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
