//! `docs/faults.md` names the test that shows each row. This holds it to tests that exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn sources() -> Vec<PathBuf> {
    let mut open = vec![PathBuf::from("src"), PathBuf::from("tests")];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("lists") {
            let path = entry.expect("lists").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).expect("reads")
}

/// Names in backticks that can only be a test's: words joined by at least three underscores.
fn named(text: &str) -> BTreeSet<&str> {
    let in_ticks = text.split('`').skip(1).step_by(2);
    let is_test = |word: &&str| word.matches('_').count() >= 3 && !word.starts_with("daycap_");
    in_ticks.filter(is_test).collect()
}

#[test]
fn every_test_that_the_fault_table_names_is_there() {
    let code: String = sources().into_iter().map(read).collect();
    let text = read("docs/faults.md");
    let named = named(&text);
    assert!(named.len() > 50, "found {}", named.len());
    let gone: Vec<_> = named.into_iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert!(gone.is_empty(), "docs/faults.md names tests that are gone: {gone:?}");
}

#[test]
fn every_row_of_the_fault_table_names_a_test() {
    let text = read("docs/faults.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| fault")).collect();
    assert!(rows.len() > 40, "found {}", rows.len());
    let bare: Vec<_> = rows.into_iter().filter(|row| named(row).is_empty()).collect();
    assert!(bare.is_empty(), "rows without a test: {bare:#?}");
}
