//! What rotators, accidents and administrators do to files.
//! This file never writes a line, but into an archive that is new.

use super::*;

impl World {
    /// Renamed, and by default made anew. A log that is a link is swapped instead.
    pub fn rotate(&mut self, log: u8, dated: bool, reopen: bool) {
        let log = usize::from(log) % LOGS.len();
        self.finish_jobs(log);
        if log == LINK {
            return self.swap_link();
        }
        if let Some(target) = self.free_name(log, dated) {
            fs::rename(self.path(log), target).expect("renames");
        }
        if reopen {
            self.reopen(u8::try_from(log).expect("few logs"));
        }
    }

    pub fn rename_back(&mut self, log: u8) {
        let log = usize::from(log) % LOGS.len();
        self.finish_jobs(log);
        let (path, first) = (self.path(log), numbered(&self.path(log), 1));
        if log != LINK && !path.exists() && first.exists() {
            fs::rename(first, path).expect("renames");
        }
    }

    /// The copy; the truncation is the caller's, after what comes between.
    pub fn copy(&mut self, log: u8, dated: bool) -> bool {
        let log = usize::from(log) % LOGS.len();
        self.finish_jobs(log);
        if log == LINK {
            return false;
        }
        let Some(target) = self.free_name(log, dated) else { return false };
        fs::copy(self.path(log), &target).expect("copies");
        self.date(&target);
        true
    }

    pub fn truncate(&mut self, log: u8, len: u64) {
        let path = self.path(usize::from(log) % LOGS.len());
        if let Ok(file) = OpenOptions::new().write(true).open(path) {
            file.set_len(len).expect("truncates");
            file.set_modified(self.wall.into()).expect("is open to be written");
        }
    }

    pub fn slow_copy(&mut self, log: u8) {
        let log = usize::from(log) % LOGS.len();
        self.finish_jobs(log);
        if log == LINK {
            return;
        }
        if let Some(target) = self.free_name(log, false) {
            let bytes = fs::read(self.path(log)).expect("reads");
            // A copier writes whole blocks.
            fs::write(&target, &bytes[..bytes.len() / 2 / 4096 * 4096]).expect("writes");
            self.date(&target);
            self.jobs.push(Job { log, target, kind: JobKind::CopyTruncate });
        }
    }

    /// The name of the next archive, with older ones moved up. `None` while there is no log.
    pub(super) fn free_name(&mut self, log: usize, dated: bool) -> Option<PathBuf> {
        let path = self.path(log);
        if !path.exists() {
            return None;
        }
        self.serial += 1;
        if dated {
            let name = format!("{}-20261122-{:06}", path.file_name()?.to_str()?, self.serial);
            return Some(path.with_file_name(name));
        }
        for number in (1..100).rev() {
            for ending in ["", ".gz"] {
                let of = |number| PathBuf::from(format!("{}{ending}", numbered(&path, number).display()));
                if of(number).exists() {
                    fs::rename(of(number), of(number + 1)).expect("renames");
                }
            }
        }
        Some(numbered(&path, 1))
    }

    /// The archives of a log, gz or not, by name.
    pub(super) fn archives(&self, log: usize, gz: bool) -> Vec<PathBuf> {
        let path = self.path(log);
        let stem = path.file_name().expect("a name").to_string_lossy().into_owned();
        let Ok(entries) = fs::read_dir(path.parent().expect("a directory")) else { return Vec::new() };
        let names = entries.map(|entry| entry.expect("an entry").path());
        let is_archive = |path: &PathBuf| {
            let name = path.file_name().expect("a name").to_string_lossy();
            name.strip_prefix(&stem).is_some_and(|rest| rest.starts_with(['.', '-']) && !rest.ends_with(".tmp"))
                && name.ends_with(".gz") == gz
        };
        let mut archives: Vec<PathBuf> = names.filter(is_archive).collect();
        archives.sort();
        archives
    }

    pub(super) fn archive_to_pack(&mut self, log: usize, nth: u8) -> Option<PathBuf> {
        self.finish_jobs(log);
        let archives = self.archives(log, false);
        let plain = archives.get(usize::from(nth) % archives.len().max(1))?.clone();
        if self.family == Family::Gentle {
            // A compressor that starts while the archive is written to loses lines; here the writer closes it before.
            let inode = fs::metadata(&plain).expect("is there").ino();
            let is_open = |writer: &Writer| writer.file.metadata().expect("an open file").ino() == inode;
            if self.writers[log].as_ref().is_some_and(is_open) {
                self.reopen(u8::try_from(log).expect("few logs"));
            }
        }
        Some(plain)
    }

    pub fn gzip(&mut self, log: u8, nth: u8, parts: u8, members: u8) {
        let log = usize::from(log) % LOGS.len();
        let Some(plain) = self.archive_to_pack(log, nth) else { return };
        let packed = packed(&fs::read(&plain).expect("reads"), members);
        let mut parts: Vec<Vec<u8>> =
            packed.chunks(packed.len().div_ceil(usize::from(parts))).map(<[u8]>::to_vec).collect();
        parts.reverse();
        let target = PathBuf::from(format!("{}.gz", plain.display()));
        fs::write(&target, parts.pop().expect("a gz is never empty")).expect("writes");
        self.date(&target);
        self.jobs.push(Job { log, target, kind: JobKind::Gzip { parts, plain } });
        if matches!(&self.jobs.last().expect("just pushed").kind, JobKind::Gzip { parts, .. } if parts.is_empty()) {
            self.finish_jobs(log);
        }
    }

    /// Under another name first; the plain archive goes with `GzipAside`'s second half.
    pub fn gzip_aside(&mut self, log: u8, nth: u8) -> Option<PathBuf> {
        let log = usize::from(log) % LOGS.len();
        let plain = self.archive_to_pack(log, nth)?;
        let aside = PathBuf::from(format!("{}.gz.tmp", plain.display()));
        fs::write(&aside, packed(&fs::read(&plain).expect("reads"), 1)).expect("writes");
        self.date(&aside);
        fs::rename(&aside, format!("{}.gz", plain.display())).expect("renames");
        Some(plain)
    }

    pub fn remove(&self, path: &Path) {
        fs::remove_file(path).expect("removes");
    }

    /// Every rotator does its next step.
    pub fn step(&mut self) {
        for mut job in std::mem::take(&mut self.jobs) {
            let is_done = match &mut job.kind {
                JobKind::Gzip { parts, plain } => {
                    if let Some(part) = parts.pop() {
                        append(&job.target, &part);
                    }
                    if parts.is_empty() {
                        fs::remove_file(plain).expect("removes");
                    }
                    parts.is_empty()
                }
                JobKind::CopyTruncate => {
                    let live = fs::read(self.path(job.log)).unwrap_or_default();
                    let copied = fs::metadata(&job.target).expect("is there").len() as usize;
                    append(&job.target, live.get(copied..).unwrap_or_default());
                    self.truncate(u8::try_from(job.log).expect("few logs"), 0);
                    true
                }
            };
            self.date(&job.target);
            if !is_done {
                self.jobs.push(job);
            }
        }
    }

    pub fn finish_jobs(&mut self, log: usize) {
        while self.jobs.iter().any(|job| job.log == log) {
            self.step();
        }
    }

    pub fn old_archive(&mut self, lines: u8) {
        self.serial += 1;
        let path = self.logs().join(format!("old{}.log.1.gz", label(self.serial as usize)));
        let written: Vec<_> = (0..lines).map(|_| self.fresh(0)).collect();
        let text: Vec<u8> = written.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        fs::write(&path, packed(&text, 1)).expect("writes");
        self.date(&path);
        let key = FileKey::of(&fs::metadata(&path).expect("is there"));
        for (number, bytes) in written {
            self.lines[number].hash = xxh3_64(bytes.trim_ascii_end());
            self.lines[number].whole = true;
            self.lines[number].file = Some(key);
        }
    }

    /// The last words to the link's present target.
    pub fn leave_link(&mut self) {
        self.finish_half(LINK);
    }

    pub fn swap_link(&mut self) {
        self.leave_link();
        self.point_link();
        self.writers[LINK] = Some(self.open(LINK, true));
    }

    /// As kubelet does: another name, renamed over the old one.
    pub(super) fn point_link(&mut self) {
        self.serial += 1;
        let target = self.root.path().join(format!("pods/{}", self.serial));
        fs::write(&target, "").expect("writes");
        self.date(&target);
        let aside = self.logs().join("link.tmp");
        symlink(&target, &aside).expect("links");
        fs::rename(aside, self.path(LINK)).expect("renames");
    }

    pub fn hard_link(&mut self, log: u8) {
        let log = usize::from(log) % LOGS.len();
        self.serial += 1;
        let (path, directory) = (self.path(log), self.logs().join(format!("h{}", self.serial)));
        if log != LINK && path.exists() {
            fs::create_dir(&directory).expect("a directory");
            fs::hard_link(&path, directory.join(path.file_name().expect("a name"))).expect("links");
        }
    }

    // ---- destruction ----

    pub fn shrink(&mut self, log: u8, sixteenths: u8) {
        let path = self.path(usize::from(log) % LOGS.len());
        // A rest that comes later would make a line of what is left of another.
        if let Some(writer) = &mut self.writers[usize::from(log) % LOGS.len()] {
            writer.half = None;
        }
        if let Ok(metadata) = fs::metadata(path) {
            self.truncate(log, metadata.len() * u64::from(sixteenths) / 16);
        }
    }

    /// The file that went, and the lines that stood in it.
    pub fn delete(&mut self, log: u8) -> Option<(FileKey, BTreeSet<usize>)> {
        let log = usize::from(log) % LOGS.len();
        self.finish_jobs(log);
        let path = self.path(log);
        let key = FileKey::of(&fs::metadata(&path).ok()?);
        let lines = self.lines_in(&fs::read(&path).expect("reads"));
        fs::remove_file(&path).expect("removes");
        // A link's target is still there.
        (log != LINK).then_some((key, lines))
    }

    /// The archive that is to go.
    pub fn archive(&mut self, log: u8, nth: u8) -> Option<PathBuf> {
        let log = usize::from(log) % LOGS.len();
        self.finish_jobs(log);
        let archives = [self.archives(log, false), self.archives(log, true)].concat();
        let path = archives.get(usize::from(nth) % archives.len().max(1))?.clone();
        Some(path)
    }
}
