//! The alert rules, checked and played through by Prometheus' own tool.

use std::process::Command;

fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/prometheus"))
        .output()
        .expect("this test needs promtool: install the Debian package `prometheus`");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {}:\n{said}", arguments.join(" "));
}

#[test]
fn the_rules_are_valid() {
    promtool(&["check", "rules", "rules.yml"]);
}

#[test]
fn every_alert_fires_when_it_should_and_only_then() {
    promtool(&["test", "rules", "rules_test.yml"]);
}

/// promtool does not notice an alert that no test plays through.
#[test]
fn every_alert_is_played_through() {
    let rules = include_str!("../prometheus/rules.yml");
    let played = include_str!("../prometheus/rules_test.yml");
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!alerts.is_empty());
    let unplayed: Vec<_> = alerts.into_iter().filter(|alert| !fires(played, alert)).collect();
    assert!(unplayed.is_empty(), "never expected to fire in rules_test.yml: {unplayed:?}");
}

/// Whether a case expects this alert to fire: `exp_alerts` follows its name.
fn fires(played: &str, alert: &str) -> bool {
    let lines: Vec<_> = played.lines().map(str::trim).collect();
    let name = format!("alertname: {alert}");
    lines.windows(2).any(|pair| pair[0] == name && pair[1].starts_with("exp_alerts:"))
}
