//! The whole of /metrics, compared with its expected text and read by Prometheus' own tool.

use std::io::Write;
use std::process::{Command, Stdio};

use daycap::publish::{example, metrics};
use expect_test::expect_file;

#[test]
fn the_whole_text_is_as_expected() {
    expect_file!["expected/metrics.txt"].assert_eq(&metrics::render(&example::snapshot()));
}

#[test]
fn two_scrapes_of_one_snapshot_are_equal() {
    let snapshot = example::snapshot();
    assert_eq!(metrics::render(&snapshot), metrics::render(&snapshot));
}

/// promtool's one remark is expected: it would have the label `quantile` only on summaries. The label is part
/// of daycap's contract and means what it means there; a summary could not be one, lacking sum and count.
#[test]
fn promtool_finds_only_the_quantile_label_to_remark_on() {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs promtool: install the Debian package `prometheus`");
    let text = metrics::render(&example::snapshot());
    promtool.stdin.take().expect("piped").write_all(text.as_bytes()).expect("promtool reads its input");
    let output = promtool.wait_with_output().expect("promtool ends");
    let remarks = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    // Once a series.
    let remarks: std::collections::BTreeSet<_> = remarks.trim().lines().collect();
    let expected = "daycap_quota_forecast non-summary metrics should not have \"quantile\" label";
    assert_eq!(remarks.into_iter().collect::<Vec<_>>(), [expected]);
}
