//! Real journal files without a running journald: entries in the export format become files by systemd-journal-remote,
//! which continues the numbers of what is there and sets it aside, as journald does when it rotates.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::lines::line;

/// Debian keeps it where no PATH leads; `make test` unpacks it where its own PATH does.
const REMOTE: [&str; 2] = ["systemd-journal-remote", "/lib/systemd/systemd-journal-remote"];
/// When the first entry was received, in microseconds: 2026-03-02T09:00:00Z. Each is a second later than the one before.
const RECEIVED: u64 = 1_772_442_000_000_000;

/// A directory of journal files.
pub struct JournalDirectory {
    pub path: PathBuf,
    entries: u64,
}

impl JournalDirectory {
    pub fn new(path: PathBuf) -> JournalDirectory {
        fs::create_dir(&path).expect("a directory");
        JournalDirectory { path, entries: 0 }
    }

    /// These lines as entries of the unit. The file that was written before is an archive now.
    pub fn write(&mut self, unit: &str, numbers: Range<u64>) {
        let entries: Vec<u8> = numbers.flat_map(|number| self.request(unit, number)).collect();
        self.store("system", &entries);
    }

    /// An entry with this message, whatever its bytes.
    pub fn write_message(&mut self, unit: &str, message: &[u8]) {
        let mut entry = self.head(unit);
        entry.extend(field("MESSAGE", message));
        entry.push(b'\n');
        self.store("system", &entry);
    }

    /// A request as clients log it.
    fn request(&mut self, unit: &str, number: u64) -> Vec<u8> {
        let mut entry = self.head(unit);
        entry.extend(field("MESSAGE", line(number).trim_end().as_bytes()));
        entry.push(b'\n');
        entry
    }

    fn head(&mut self, unit: &str) -> Vec<u8> {
        let received = RECEIVED + self.entries * 1_000_000;
        self.entries += 1;
        let head = format!(
            "__REALTIME_TIMESTAMP={received}\n__MONOTONIC_TIMESTAMP={}\n_BOOT_ID=0123456789abcdef0123456789abcdef\n\
             _SYSTEMD_UNIT={unit}\nSYSLOG_IDENTIFIER=app\n",
            received - RECEIVED + 1
        );
        head.into_bytes()
    }

    fn store(&self, name: &str, entries: &[u8]) {
        let file = self.path.join(format!("{name}.journal"));
        rotate_at_next_write(&file);
        let run = |program: &str| {
            let mut command = Command::new(program);
            command.arg("-o").arg(&file).arg("-").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()
        };
        let child = REMOTE.iter().find_map(|program| run(program).ok());
        let mut child = child.expect("systemd-journal-remote is there; `make test` unpacks it");
        child.stdin.take().expect("a pipe").write_all(entries).expect("writes");
        let ended = child.wait_with_output().expect("ends");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }

    /// All files but the one that was written last: what journald removes when it vacuums.
    pub fn archives(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(&self.path).expect("lists").map(|entry| entry.expect("lists").path());
        files.filter(|path| path.file_name() != Some(OsStr::new("system.journal"))).collect()
    }

    pub fn vacuum(&self) {
        self.archives().iter().for_each(|file| fs::remove_file(file).expect("removes"));
    }
}

/// A file that was not closed, as its header says, is set aside by the next writer, who continues its numbers.
fn rotate_at_next_write(file: &Path) {
    const STATE_AT: u64 = 16;
    const ONLINE: u8 = 1;
    if let Ok(file) = fs::OpenOptions::new().write(true).open(file) {
        file.write_all_at(&[ONLINE], STATE_AT).expect("writes");
    }
}

/// In the export format, a value of any bytes has its length in front.
fn field(name: &str, value: &[u8]) -> Vec<u8> {
    let length = (value.len() as u64).to_le_bytes();
    [name.as_bytes(), b"\n", &length, value, b"\n"].concat()
}

/// daycap, for which `journalctl` is this script.
pub fn with_journalctl(folder: &Path, script: &str) -> Command {
    use std::os::unix::fs::PermissionsExt;
    let program = folder.join("journalctl");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("writes");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("may be run");
    let mut command = super::daycap();
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", folder.display()));
    command
}
