//! The systemd unit is one that systemd accepts and finds well locked up, and the configuration beside
//! it is one that daycap accepts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Of 100; what is left is what daycap needs: the network for /metrics, a group to read logs, a state folder.
const EXPOSURE_MAX: &str = "20";

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name)
}

/// The unit as it is shipped, but for its program: `verify` wants one that exists.
fn installed_unit(directory: &TempDir) -> PathBuf {
    let unit = fs::read_to_string(shipped("daycap.service")).expect("the unit");
    assert!(unit.contains("=/usr/bin/daycap "), "the unit runs an installed daycap");
    let path = directory.path().join("daycap.service");
    fs::write(&path, unit.replace("/usr/bin/daycap", env!("CARGO_BIN_EXE_daycap"))).expect("a copy of the unit");
    path
}

fn systemd_analyze(arguments: &[&str], unit: &Path) -> Output {
    Command::new("systemd-analyze")
        .args(arguments)
        .arg(unit)
        .output()
        .unwrap_or_else(|error| panic!("systemd-analyze: {error}; `make test` installs Debian's systemd package"))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

#[test]
fn systemd_accepts_the_unit() {
    let directory = TempDir::new().expect("a directory");
    let verified = systemd_analyze(&["verify", "--man=no"], &installed_unit(&directory));
    assert!(verified.status.success(), "{}", text(&verified));
    // An unknown key is a warning only, and would be ignored for ever.
    assert_eq!(text(&verified), "");
}

#[test]
fn the_unit_is_locked_up() {
    let directory = TempDir::new().expect("a directory");
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let judged =
        systemd_analyze(&["security", "--offline=true", "--no-pager", &threshold], &installed_unit(&directory));
    assert!(judged.status.success(), "{}", text(&judged));
}

#[test]
fn daycap_accepts_the_shipped_configuration() {
    let checked = Command::new(env!("CARGO_BIN_EXE_daycap"))
        .arg("check-config")
        .arg("--config")
        .arg(shipped("daycap.toml"))
        .output()
        .expect("daycap");
    assert!(checked.status.success(), "{}", text(&checked));
}

/// What is commented out is said to be possible: each such line must be accepted too.
#[test]
fn daycap_accepts_what_the_shipped_configuration_comments_out() {
    let directory = TempDir::new().expect("a directory");
    let shipped = fs::read_to_string(shipped("daycap.toml")).expect("the configuration");
    let uncommented = shipped.lines().map(|line| match line.strip_prefix("# ") {
        Some(setting) if setting.contains(" = ") || setting.starts_with('[') => setting,
        _ => line,
    });
    let path = directory.path().join("daycap.toml");
    fs::write(&path, uncommented.collect::<Vec<_>>().join("\n")).expect("a configuration");
    let daycap = Command::new(env!("CARGO_BIN_EXE_daycap")).arg("check-config").arg("--config").arg(&path).output();
    let checked = daycap.expect("daycap");
    assert!(checked.status.success(), "{}", text(&checked));
}
