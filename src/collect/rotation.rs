//! A rotated file's name tells the name it had: `app.log.1`, `app.log-20261122.gz` were `app.log`.
//! Names only say which files belong to a source; which log a file holds is never read from its name.

use std::path::{Path, PathBuf};

/// Extensions that a rotation adds last. Other compressions are not read.
const COMPRESSED: [&str; 2] = [".gz", ".zst"];
/// A counter behind a dot has at most this many digits; more are a date.
const COUNTER_DIGITS_MAX: usize = 4;
/// YYYYMMDD: the shortest date that rotations write. Fewer digits behind `-` are part of a name (`worker-2`).
const DATE_DIGITS_MIN: usize = 8;

/// The names this file may have had before it was rotated, the longest first.
/// `app.log-2026-11-22.1.gz`: `app.log-2026-11-22.1`, `app.log-2026-11-22`, `app.log`.
pub(super) fn former_names(name: &str) -> impl Iterator<Item = &str> {
    let plain = COMPRESSED.iter().find_map(|extension| name.strip_suffix(extension));
    let stem = plain.unwrap_or(name);
    let cuts = stem.char_indices().rev().filter(|(at, mark)| *at > 0 && is_rotation_suffix(*mark, &stem[at + 1..]));
    plain.into_iter().chain(cuts.map(|(at, _)| &stem[..at])).filter(|former| !former.is_empty())
}

/// The shortest of the former names, or the name itself: what a log and its archives share.
pub(super) fn base_name(name: &str) -> &str {
    former_names(name).last().unwrap_or(name)
}

/// The file name of a path, as text; bytes that are no text are replaced, which only a label and a guess see.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The paths this file may have had before it was rotated.
pub(super) fn former_paths(path: &Path) -> Vec<PathBuf> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Vec::new() };
    former_names(name).map(|former| path.with_file_name(former)).collect()
}

/// The service of a log whose lines and source name none: its base name up to the first dot.
pub fn default_service(path: &Path) -> String {
    let name = file_name(path);
    let base = base_name(&name).trim_start_matches('.');
    let service = base.split('.').next().unwrap_or(base);
    if service.is_empty() { name } else { service.to_owned() }
}

fn is_rotation_suffix(mark: char, suffix: &str) -> bool {
    if mark == '.' && suffix == "old" {
        return true;
    }
    let digits = suffix.bytes().filter(u8::is_ascii_digit).count();
    let is_stamp = suffix.starts_with(|first: char| first.is_ascii_digit())
        && suffix.bytes().all(|byte| byte.is_ascii_digit() || b"-_.:T".contains(&byte));
    let is_counter = digits == suffix.len() && digits <= COUNTER_DIGITS_MAX;
    match mark {
        '.' => is_stamp && (is_counter || digits >= DATE_DIGITS_MIN),
        '-' | '_' => is_stamp && digits >= DATE_DIGITS_MIN,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(name: &str) -> &str {
        base_name(name)
    }

    #[test]
    fn rotated_names_lead_back_to_the_log() {
        for name in [
            "app.log",
            "app.log.1",
            "app.log.14.gz",
            "app.log.gz",
            "app.log.2.zst",
            "app.log-20261122",
            "app.log-20261122.gz",
            "app.log-2026112213",
            "app.log-20261122-235959.gz",
            "app.log.2026-11-22",
            "app.log.2026-11-22T10:00:00.gz",
            "app.log.20261122-100000",
            "app.log-20261122.1.gz",
            "app.log.old",
        ] {
            assert_eq!(base(name), "app.log", "{name}");
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in ["worker-2", "worker-2.log", "v1.2", "app.log.bak", "2026-11-22.log", "x.json", ".1", "app.log.xz"]
        {
            let expected = if name == "v1.2" { "v1" } else { name };
            assert_eq!(base(name), expected, "{name}");
        }
    }

    #[test]
    fn every_former_name_is_offered() {
        let names: Vec<_> = former_names("app.log-20261122.1.gz").collect();
        assert_eq!(names, ["app.log-20261122.1", "app.log-20261122", "app.log"]);
    }

    #[test]
    fn a_log_and_its_archives_share_a_service() {
        for name in ["orders.log", "orders.log.1", "orders.log-20261122.gz", ".orders.log", "orders"] {
            assert_eq!(default_service(Path::new("/var/log").join(name).as_path()), "orders", "{name}");
        }
        assert_eq!(default_service(Path::new("access_log-20261122")), "access_log");
    }
}
