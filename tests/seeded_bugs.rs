//! The proof that the tests find what tailers get wrong: each bug of the table is sown into a copy of the tree, and the
//! model of `src/model.rs` (or the unit test that the table names) has to fail, as it has to pass without one.
//!
//! All bugs are sown at once, each behind a switch that is read from the environment, so that one build serves all.
//! The copy lies in the target directory and shares its dependencies.

#[path = "seeded_bugs/table.rs"]
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use table::{BUGS, Bug, Edit};

/// Runs side by side: as many as the smallest machine has cores.
const RUNS: usize = 2;
/// The variable that names the bug of a run.
const SWITCH: &str = "DAYCAP_SEEDED_BUG";
/// The switch, as a module of the copy.
const SWITCH_SOURCE: &str = "//! Which of the seeded bugs this run has.\n\n\
    /// Whether it is this one.\n\
    pub fn is(name: &str) -> bool {\n\
    \x20   static BUG: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();\n\
    \x20   BUG.get_or_init(|| std::env::var(\"DAYCAP_SEEDED_BUG\").ok()).as_deref() == Some(name)\n\
    }\n";

#[test]
fn every_seeded_bug_is_caught() {
    let tree = sown_tree();
    let tests = built(&tree);
    let mut controls: Vec<&str> = BUGS.iter().map(|bug| bug.caught_by).collect();
    controls.sort_unstable();
    controls.dedup();
    let mut runs: Vec<(Option<&Bug>, &str)> = controls.into_iter().map(|test| (None, test)).collect();
    runs.extend(BUGS.iter().map(|bug| (Some(bug), bug.caught_by)));

    let mut wrong = Vec::new();
    println!("{:<28} {:<32} {:<66} caught after", "seeded bug", "also in", "caught by");
    for ((bug, test), (passed, output)) in runs.iter().zip(run_all(&tests, &runs)) {
        match (bug, passed) {
            (None, false) => wrong.push(format!("{test} fails without any bug:\n{output}")),
            (None, true) if !output.contains("1 passed") => wrong.push(format!("there is no test {test}")),
            (None, true) => {}
            (Some(bug), true) => wrong.push(format!("{test} does not notice {:?}: {}", bug.name, bug.story)),
            (Some(bug), false) => {
                println!("{:<28} {:<32} {test:<66} {}", bug.name, bug.also_in, operations(&output));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How many operations a failing model had played.
fn operations(output: &str) -> String {
    let after = output.split("), after ").nth(1).and_then(|rest| rest.split(" operations").next());
    after.map_or_else(|| "its one history".to_owned(), |count| format!("{count} operations"))
}

/// Where the program under test was built: the copy finds its dependencies there.
fn target_dir() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_daycap"));
    program.ancestors().nth(2).expect("it is in a profile's folder of the target directory").to_owned()
}

// ---- the copy ----

/// The tree with all bugs in it, each behind its switch.
fn sown_tree() -> PathBuf {
    let (root, tree) = (Path::new(env!("CARGO_MANIFEST_DIR")), target_dir().join("seeded-bugs"));
    let mut files = BTreeMap::new();
    for folder in ["src", "benches", "sample-logs"] {
        read(root, Path::new(folder), &mut files);
    }
    for file in ["Cargo.toml", "Cargo.lock", "presets/quotas.toml"] {
        files.insert(PathBuf::from(file), fs::read_to_string(root.join(file)).expect("a file of the tree"));
    }
    // Under the same name, cargo would take what was built of the copy for what was built of the tree.
    let manifest = files.get_mut(Path::new("Cargo.toml")).expect("the manifest");
    *manifest = manifest.replacen("name = \"daycap\"", "name = \"daycap-seeded\"", 1) + "\n[lib]\nname = \"daycap\"\n";
    let lock = files.get_mut(Path::new("Cargo.lock")).expect("the lock");
    *lock = lock.replacen("name = \"daycap\"", "name = \"daycap-seeded\"", 1);
    for bug in BUGS {
        for edit in bug.edits {
            sow(bug, edit, files.get_mut(Path::new(edit.file)).unwrap_or_else(|| panic!("no file {}", edit.file)));
        }
    }
    files.insert(PathBuf::from("src/seeded.rs"), SWITCH_SOURCE.to_owned());
    let lib = files.get_mut(Path::new("src/lib.rs")).expect("the library");
    *lib = lib.replacen("pub mod day;", "pub mod seeded;\npub mod day;", 1);
    let mut stale = BTreeMap::new();
    if tree.join("src").is_dir() {
        read(&tree, Path::new("src"), &mut stale);
    }
    for path in stale.keys().filter(|path| !files.contains_key(*path)) {
        fs::remove_file(tree.join(path)).expect("removes");
    }
    for (path, text) in &files {
        // What is as it was keeps its time, so that nothing is built twice.
        let path = tree.join(path);
        if fs::read_to_string(&path).ok().as_ref() != Some(text) {
            fs::create_dir_all(path.parent().expect("in the tree")).expect("a directory");
            fs::write(path, text).expect("writes");
        }
    }
    tree
}

/// The Rust files below a folder.
fn read(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(root.join(folder)).expect("a folder of the tree") {
        let path = folder.join(entry.expect("an entry").file_name());
        if root.join(&path).is_dir() {
            read(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(root.join(&path)).expect("a file of the tree");
            files.insert(path, text);
        }
    }
}

fn sow(bug: &Bug, edit: &Edit, text: &mut String) {
    let found = text.matches(edit.right).count();
    assert_eq!(found, 1, "seeded bug {:?}: {} has its text {found} times:\n{}", bug.name, edit.file, edit.right);
    let either = format!("if crate::seeded::is({:?}) {{ {} }} else {{ {} }}", bug.name, edit.wrong, edit.right);
    let either = if edit.right.ends_with([';', '}']) { either } else { format!("({either})") };
    *text = text.replacen(edit.right, &either, 1);
}

// ---- its tests ----

/// Build the copy's unit tests; the program that runs them.
fn built(tree: &Path) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(tree)
        .args(["test", "--lib", "--no-run", "--locked", "--message-format=json-render-diagnostics"])
        .env("CARGO_TARGET_DIR", target_dir())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "the copy does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).expect("UTF-8");
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let programs = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    programs.max().expect("cargo names the tests' program")
}

/// Whether each run passed, and what it said, in order.
fn run_all(tests: &Path, runs: &[(Option<&Bug>, &str)]) -> Vec<(bool, String)> {
    let next = Mutex::new(0..runs.len());
    let results = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..RUNS {
            scope.spawn(|| {
                loop {
                    let Some(index) = next.lock().expect("nobody panics holding it").next() else { break };
                    let (bug, test) = runs[index];
                    let result = run(tests, bug, test);
                    results.lock().expect("nobody panics holding it").insert(index, result);
                }
            });
        }
    });
    results.into_inner().expect("nobody panics holding it").into_values().collect()
}

fn run(tests: &Path, bug: Option<&Bug>, test: &str) -> (bool, String) {
    let mut command = Command::new(tests);
    command.args([test, "--exact", "--nocapture"]);
    command.env("DAYCAP_MODEL_UNSHRUNK", "1").env("RUST_BACKTRACE", "0");
    command.env_remove("DAYCAP_MODEL_OPERATIONS").env_remove("DAYCAP_MODEL_SEED").env_remove(SWITCH);
    if let Some(bug) = bug {
        command.env(SWITCH, bug.name);
    }
    let output = command.output().expect("the tests run");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
