//! Path patterns become the files they name, and the rotated siblings of those: one walk a pattern, from its
//! literal beginning down and no deeper than it reaches.
//! This file never opens a file, and never decides which log one holds.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use walkdir::{DirEntry, WalkDir};

use super::Source;
use super::rotation::former_paths;
use super::stream::STDIN;
use super::tail::Problem;

/// How deep `**` reaches: deeper trees are loops or mistakes.
const DEPTH_MAX: usize = 32;
/// Directories offered for watching; beyond these the regular scan has to do.
pub(super) const DIRECTORIES_MAX: usize = 4096;
const WILDCARDS: [char; 5] = ['*', '?', '[', '{', '\\'];

/// One path pattern of a source.
pub(super) struct Pattern {
    pub(super) source: usize,
    text: String,
    /// Where the walk begins: the part before the first wildcard.
    root: PathBuf,
    depth: usize,
    matcher: Matcher,
}

enum Matcher {
    Path(PathBuf),
    Glob(GlobMatcher),
    /// Not a pattern; says why.
    Wrong(String),
}

/// A file that belongs to a source.
pub(super) struct Found {
    pub(super) source: usize,
    pub(super) path: PathBuf,
    pub(super) metadata: Metadata,
    /// Only what it was called before it was rotated matches.
    pub(super) rotated: bool,
}

/// What a look at the disk found.
#[derive(Default)]
pub(super) struct Findings {
    /// In the order of the configuration; within a pattern, files that match come before rotated ones.
    pub(super) files: Vec<Found>,
    pub(super) directories: BTreeSet<PathBuf>,
    pub(super) problems: Vec<Problem>,
}

/// The files that this pattern names now, rotated siblings left out; for commands that read logs once.
pub fn matching(pattern: &str) -> Vec<PathBuf> {
    let mut findings = Findings::default();
    Pattern::new(0, pattern).find(&mut findings);
    findings.files.into_iter().filter(|found| !found.rotated).map(|found| found.path).collect()
}

impl Pattern {
    pub(super) fn all(sources: &[Source]) -> Vec<Pattern> {
        let numbered = sources.iter().enumerate();
        numbered
            .flat_map(|(index, source)| {
                let files = source.paths.iter().filter(|path| *path != STDIN);
                files.map(move |text| Pattern::new(index, text))
            })
            .collect()
    }

    fn new(source: usize, text: &str) -> Pattern {
        let text = text.replace("//", "/");
        let Some(wildcard) = text.find(WILDCARDS) else {
            let path = PathBuf::from(&text);
            let root = path.parent().unwrap_or(Path::new("")).to_owned();
            return Pattern { source, text, root, depth: 1, matcher: Matcher::Path(path) };
        };
        let slash = text[..wildcard].rfind('/');
        let root = match slash {
            Some(0) => PathBuf::from("/"),
            Some(slash) => PathBuf::from(&text[..slash]),
            None => PathBuf::new(),
        };
        let wild = &text[slash.map_or(0, |slash| slash + 1)..];
        let depth = if wild.contains("**") { DEPTH_MAX } else { wild.matches('/').count() + 1 };
        let matcher = match GlobBuilder::new(&text).literal_separator(true).build() {
            Ok(glob) => Matcher::Glob(glob.compile_matcher()),
            Err(error) => Matcher::Wrong(error.kind().to_string()),
        };
        Pattern { source, text, root, depth, matcher }
    }

    /// Add what this pattern names now.
    pub(super) fn find(&self, findings: &mut Findings) {
        if let Matcher::Wrong(why) = &self.matcher {
            return self.complain(
                findings,
                &self.text,
                format!("is not a path pattern ({why}); correct it in its [[source]]"),
            );
        }
        let before = findings.files.len();
        self.walk(findings);
        // Live logs first: a copy of one is then compared with it, and not the other way round.
        findings.files[before..].sort_by_key(|found| found.rotated);
        let nothing_new = findings.problems.iter().all(|problem| problem.source != self.source);
        if findings.files.len() == before && nothing_new {
            let what = "waiting: nothing matches yet; check the path in its [[source]] if a log should be there";
            self.complain(findings, &self.text, what.to_owned());
        }
    }

    fn walk(&self, findings: &mut Findings) {
        let is_here = self.root.as_os_str().is_empty();
        let root = if is_here { Path::new(".") } else { &self.root };
        // Links to directories are followed as a shell does, but not below `**`, where they may loop.
        let walk = WalkDir::new(root).max_depth(self.depth).follow_links(self.depth < DEPTH_MAX).sort_by_file_name();
        for entry in walk {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => self.visit_directory(&entry, findings),
                Ok(entry) => self.visit_file(&entry, is_here, findings),
                Err(error) => self.visit_error(&error, findings),
            }
        }
    }

    fn visit_directory(&self, entry: &DirEntry, findings: &mut Findings) {
        if entry.depth() < self.depth {
            add_directory(findings, entry.path());
        } else if self.accepts(entry.path()) && matches!(self.matcher, Matcher::Path(_)) {
            let what = format!("is a directory; name the logs in it, such as {}/*.log", self.text);
            self.complain(findings, &self.text, what);
        }
    }

    fn visit_file(&self, entry: &DirEntry, is_here: bool, findings: &mut Findings) {
        let path = if is_here { entry.path().strip_prefix(".").unwrap_or(entry.path()) } else { entry.path() };
        if !self.is_wanted(path) {
            return;
        }
        let rotated = !self.accepts(path);
        if entry.path_is_symlink()
            && let Some(directory) = fs::canonicalize(path).ok().as_deref().and_then(Path::parent)
        {
            add_directory(findings, directory);
        }
        match fs::metadata(path) {
            // Pipes, sockets and devices are not logs.
            Ok(metadata) if !metadata.is_file() => {}
            Ok(metadata) => {
                findings.files.push(Found { source: self.source, path: path.to_owned(), metadata, rotated })
            }
            // It went away since it was listed, or is a link to nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.complain(findings, &path.to_string_lossy(), cannot("be looked at", &error)),
        }
    }

    fn visit_error(&self, error: &walkdir::Error, findings: &mut Findings) {
        let path = error.path().unwrap_or(&self.root);
        match error.io_error() {
            Some(failure) if failure.kind() == io::ErrorKind::NotFound => {
                if let Some(directory) = path.ancestors().skip(1).find(|ancestor| ancestor.is_dir()) {
                    add_directory(findings, directory);
                }
            }
            Some(failure) if error.depth() < self.depth || self.is_wanted(path) => {
                self.complain(findings, &path.to_string_lossy(), cannot("be looked at", failure));
            }
            Some(_) => {}
            // A loop of links: the directory is walked under its other name.
            None => {}
        }
    }

    /// Whether this path, or one it may have had before it was rotated, matches.
    pub(super) fn is_wanted(&self, path: &Path) -> bool {
        self.accepts(path) || former_paths(path).iter().any(|former| self.accepts(former))
    }

    fn accepts(&self, path: &Path) -> bool {
        match &self.matcher {
            Matcher::Path(named) => named == path,
            Matcher::Glob(glob) => glob.is_match(path),
            Matcher::Wrong(_) => false,
        }
    }

    fn complain(&self, findings: &mut Findings, path: &str, what: String) {
        let problem = Problem { source: self.source, path: path.to_owned(), what };
        if !findings.problems.contains(&problem) {
            findings.problems.push(problem);
        }
    }
}

/// What a person can do about a path that cannot be used.
pub(super) fn cannot(act: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!(
                "cannot {act}: permission denied; let daycap's user read it (and search its directories), by group or ACL"
            )
        }
        _ => format!("cannot {act}: {error}; it is tried again at every scan"),
    }
}

fn add_directory(findings: &mut Findings, directory: &Path) {
    if findings.directories.len() < DIRECTORIES_MAX {
        let is_here = directory.as_os_str().is_empty();
        findings.directories.insert(if is_here { PathBuf::from(".") } else { directory.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// The names found below a fresh directory that holds these files.
    fn found(files: &[&str], pattern: &str) -> (Vec<String>, Vec<Problem>) {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        found_in(directory.path(), pattern)
    }

    fn found_in(directory: &Path, pattern: &str) -> (Vec<String>, Vec<Problem>) {
        let mut findings = Findings::default();
        Pattern::new(0, &format!("{}/{pattern}", directory.display())).find(&mut findings);
        let names = findings.files.iter().map(|found| found.path.strip_prefix(directory).unwrap());
        (names.map(|name| name.to_string_lossy().into_owned()).collect(), findings.problems)
    }

    #[test]
    fn a_star_stays_in_its_directory() {
        assert_eq!(found(&["a.log", "b.txt", "c/d.log"], "*.log").0, ["a.log"]);
        assert_eq!(found(&["a.log", "c/d.log", "c/e/f.log"], "*/*.log").0, ["c/d.log"]);
    }

    #[test]
    fn two_stars_reach_any_depth() {
        assert_eq!(found(&["a.log", "c/d.log", "c/e/f.log"], "**/*.log").0, ["a.log", "c/d.log", "c/e/f.log"]);
    }

    #[test]
    fn braces_and_classes_match() {
        assert_eq!(found(&["a1.log", "b2.log", "c3.log"], "{a,b}[0-9].log").0, ["a1.log", "b2.log"]);
    }

    #[test]
    fn rotated_siblings_follow_the_logs_they_were() {
        let files = ["app.log", "app.log.1", "app.log.2.gz", "app.log-20261122", "app.txt", "other.log"];
        assert_eq!(found(&files, "app.log").0, ["app.log", "app.log-20261122", "app.log.1", "app.log.2.gz"]);
        assert_eq!(found(&files[1..], "a*.log").0, ["app.log-20261122", "app.log.1", "app.log.2.gz"]);
    }

    #[test]
    fn nothing_found_is_said_until_something_is() {
        let (names, problems) = found(&["a.txt"], "*.log");
        assert!(names.is_empty());
        assert!(problems[0].what.starts_with("waiting: nothing matches yet"), "{problems:?}");
        assert!(found(&[], "no/such/dir/*.log").1[0].what.starts_with("waiting"));
        assert!(found(&["a.log"], "*.log").1.is_empty());
    }

    #[test]
    fn a_directory_in_a_logs_place_is_told() {
        let (_, problems) = found(&["app/x"], "app");
        assert!(problems[0].what.starts_with("is a directory"), "{problems:?}");
    }

    #[test]
    fn a_wrong_pattern_is_told() {
        assert!(found(&[], "a[.log").1[0].what.starts_with("is not a path pattern"));
    }

    #[test]
    fn linked_files_are_found_and_their_directories_watched() {
        let directory = tempfile::tempdir().unwrap();
        let pods = directory.path().join("pods");
        fs::create_dir(&pods).unwrap();
        fs::create_dir(directory.path().join("containers")).unwrap();
        fs::write(pods.join("0.log"), "").unwrap();
        symlink(pods.join("0.log"), directory.path().join("containers/web.log")).unwrap();
        symlink("nowhere", directory.path().join("containers/gone.log")).unwrap();

        let mut findings = Findings::default();
        Pattern::new(0, &format!("{}/containers/*.log", directory.path().display())).find(&mut findings);
        assert_eq!(findings.files.len(), 1);
        assert!(findings.directories.contains(&pods.canonicalize().unwrap()), "{:?}", findings.directories);
    }
}
