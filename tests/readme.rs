//! What the README shows is what the commands print. `UPDATE_README=1 cargo test --test readme` writes
//! the present output into it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const BEGIN: &str = "<!-- BEGIN output of: ";
const END: &str = "<!-- END output of: ";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text with what stands between each pair of marks replaced by `output(command)`.
fn refreshed(text: &str, output: impl Fn(&str) -> String) -> String {
    let mut fresh = String::new();
    let mut inside = None;
    for line in text.lines() {
        if let Some(command) = marked(line, BEGIN) {
            assert_eq!(inside, None, "a block begins inside another: {command}");
            fresh.push_str(&format!("{line}\n```console\n$ {command}\n{}```\n", output(command)));
            inside = Some(command);
        } else if let Some(command) = marked(line, END) {
            assert_eq!(inside.take(), Some(command), "the marks of a block name two commands");
            fresh.push_str(&format!("{line}\n"));
        } else if inside.is_none() {
            fresh.push_str(&format!("{line}\n"));
        }
    }
    assert_eq!(inside, None, "a block does not end");
    fresh
}

fn marked<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.strip_prefix(mark)?.strip_suffix(" -->")
}

/// What a shell in the repository's root prints.
fn run(command: &str) -> String {
    let daycap = PathBuf::from(env!("CARGO_BIN_EXE_daycap"));
    let folders = [daycap.parent().expect("a folder").to_owned(), "/usr/bin".into(), "/bin".into()];
    let ran = Command::new("bash")
        .args(["-euc", command])
        .current_dir(root())
        .env("PATH", std::env::join_paths(folders).expect("a search path"))
        .env("NO_COLOR", "1")
        .output()
        .expect("bash");
    assert!(ran.status.success(), "{command}: {}", String::from_utf8_lossy(&ran.stderr));
    // Editors cut spaces at the end of lines, and so do we.
    let printed = String::from_utf8(ran.stdout).expect("text");
    printed.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn the_readme_shows_what_the_commands_print() {
    let path = root().join("README.md");
    let present = fs::read_to_string(&path).expect("README.md");
    let fresh = refreshed(&present, run);
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, &fresh).expect("README.md");
    } else {
        assert!(present == fresh, "README.md is out of date; UPDATE_README=1 cargo test --test readme\n{fresh}");
    }
}

#[test]
fn only_what_is_marked_is_replaced() {
    let text = "a\n<!-- BEGIN output of: x -->\nold\n<!-- END output of: x -->\nb\n";
    let fresh = "a\n<!-- BEGIN output of: x -->\n```console\n$ x\nnew\n```\n<!-- END output of: x -->\nb\n";
    assert_eq!(refreshed(text, |_| "new\n".to_owned()), fresh);
    assert_eq!(refreshed(fresh, |_| "new\n".to_owned()), fresh);
}

#[test]
#[should_panic(expected = "a block does not end")]
fn a_block_without_an_end_is_found() {
    refreshed("<!-- BEGIN output of: x -->\nold\n", |_| String::new());
}
