//! The unmodified binary under strace: what it asks of the kernel is recorded, or one of its calls is made to
//! fail or to be its last. strace runs beside the daemon (`-D`), so that the child is daycap itself.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The calls that change what is on disk, or make it durable. `openat` is in because it creates.
const CALLS: &str = "openat,creat,write,pwrite64,writev,pwritev,ftruncate,fallocate,copy_file_range,sendfile,fsync,fdatasync,sync_file_range,rename,renameat,renameat2,mkdir,mkdirat,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir";

/// One system call that names a path, or works on an open file.
#[derive(Clone, Debug)]
pub struct Call {
    pub thread: u32,
    pub name: String,
    /// Of its file or its names.
    pub paths: Vec<PathBuf>,
    /// As strace prints them.
    pub arguments: String,
    pub succeeded: bool,
    /// Places in the record: two calls whose spans do not overlap happened in this order.
    pub begun: usize,
    pub ended: usize,
}

impl Call {
    pub fn is(&self, name: &str, path: &Path) -> bool {
        self.name == name && self.paths.first().is_some_and(|first| first == path)
    }

    pub fn creates(&self) -> bool {
        self.name == "openat" && self.arguments.contains("O_CREAT")
    }

    /// Whether it changes names or content, or makes them durable.
    pub fn matters(&self) -> bool {
        self.creates() || self.name != "openat"
    }
}

/// daycap, recorded into a file.
pub fn recorded(record: &Path) -> Command {
    strace(&["-y", "-s0", "-e", &format!("trace={CALLS}"), "-o", utf8(record)])
}

/// daycap, whose `call` on this path is tampered with: `error=EIO`, `signal=KILL:when=2`. A call that a signal kills is
/// not done any more. `when` counts in each thread.
pub fn tampered(call: &str, path: &Path, how: &str) -> Command {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:{how}"));
    strace(&["-P", utf8(path), "-e", &trace, "-e", &inject, "-o", "/dev/null"])
}

fn strace(options: &[&str]) -> Command {
    let mut command = Command::new("strace");
    // -I2: it lets go when it is told to end.
    command.args(["-D", "-I2", "-f", "-qq"]).args(options).arg(env!("CARGO_BIN_EXE_daycap"));
    command.env_remove("STATE_DIRECTORY").env_remove("JOURNAL_STREAM").env("NO_COLOR", "1");
    command
}

/// End the strace that watches this process; from then on its calls are as good as ever.
pub fn let_go(pid: u32) {
    let tracer = tracer(pid).expect("strace watches it");
    assert!(Command::new("kill").args(["-TERM", &tracer]).status().expect("kill runs").success());
    while self::tracer(pid).is_some() {
        std::thread::yield_now();
    }
}

fn tracer(pid: u32) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).expect("Linux").trim();
    (tracer != "0").then(|| tracer.to_owned())
}

/// What was recorded, of the calls on paths below this folder, in the order in which they ended.
pub fn read(record: &Path, folder: &Path) -> Vec<Call> {
    let text = String::from_utf8_lossy(&std::fs::read(record).expect("a record")).into_owned();
    let mut unfinished: HashMap<u32, (usize, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let (thread, rest) = line.split_once(' ').expect("a thread, then its call");
        let (thread, rest) = (thread.parse().expect("a thread's number"), rest.trim_start());
        if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            unfinished.insert(thread, (place, start.to_owned()));
            continue;
        }
        let (begun, whole) = match rest.split_once(" resumed>") {
            Some((_, end)) if rest.starts_with("<... ") => {
                let (begun, start) = unfinished.remove(&thread).expect("its first half");
                (begun, start + end)
            }
            _ => (place, rest.to_owned()),
        };
        calls.extend(parse(thread, &whole, begun, place));
    }
    calls.retain(|call| call.paths.iter().any(|path| path.starts_with(folder)));
    calls
}

/// `rename("/a", "/b") = 0`; `fsync(9</a>) = 0`. Lines that are no call (signals, exits) give none.
fn parse(thread: u32, text: &str, begun: usize, ended: usize) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") ")?;
    let result = result.trim_start().strip_prefix("= ")?;
    let quoted: Vec<_> = arguments.split('"').skip(1).step_by(2).filter(|path| path.starts_with('/')).collect();
    let paths = if quoted.is_empty() {
        arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path).into_iter().collect()
    } else {
        quoted
    };
    Some(Call {
        thread,
        name: name.to_owned(),
        paths: paths.into_iter().map(PathBuf::from).collect(),
        arguments: arguments.to_owned(),
        succeeded: !result.starts_with('-'),
        begun,
        ended,
    })
}

fn utf8(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
