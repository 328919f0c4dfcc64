//! What the disk holds at an instant, as far as it can be found.
//! This file never changes the disk.

use super::*;

impl World {
    /// The files that can be found now.
    pub fn files(&self) -> BTreeSet<FileKey> {
        let found = self.found();
        found.iter().filter_map(|path| fs::metadata(path).ok()).map(|metadata| FileKey::of(&metadata)).collect()
    }

    /// The numbers of the lines that stand whole in any file that can be found.
    pub fn on_disk(&self) -> BTreeSet<usize> {
        let mut numbers = BTreeSet::new();
        for path in self.found() {
            let Ok(mut bytes) = fs::read(&path) else { continue };
            if bytes.starts_with(&[0x1f, 0x8b]) {
                let mut content = Vec::new();
                if MultiGzDecoder::new(&*bytes).read_to_end(&mut content).is_err() {
                    continue;
                }
                bytes = content;
            }
            numbers.extend(self.lines_in(&bytes));
        }
        numbers
    }

    /// The lines that stand whole in a log's file.
    pub fn lines_of(&self, log: u8) -> BTreeSet<usize> {
        let bytes = fs::read(self.path(usize::from(log) % LOGS.len())).unwrap_or_default();
        self.lines_in(&bytes)
    }

    pub(super) fn lines_in(&self, bytes: &[u8]) -> BTreeSet<usize> {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        lines.filter_map(|line| self.whole_line(line)).collect()
    }

    /// The number of the line that these bytes are; `None` of half a line, of two in one, of any other.
    pub(super) fn whole_line(&self, line: &[u8]) -> Option<usize> {
        let start = line.iter().position(|byte| *byte != 0)?;
        let line = line[start..].trim_ascii_end();
        let name = b"\"operation\":\"";
        let at = memmem::find(line, name)? + name.len();
        let end = memchr::memchr(b'"', &line[at..])?;
        let number = self.line_of(std::str::from_utf8(&line[at..at + end]).ok()?)?;
        (self.lines[number].hash == xxh3_64(line)).then_some(number)
    }

    pub(super) fn found(&self) -> Vec<PathBuf> {
        let entries = walkdir::WalkDir::new(self.logs()).max_depth(2).into_iter().filter_map(Result::ok);
        let files = entries.filter(|entry| !entry.file_type().is_dir()).map(walkdir::DirEntry::into_path);
        files.filter(|path| path.extension().is_none_or(|extension| extension != "tmp")).collect()
    }

    /// The directory, for a failure's message.
    pub fn listing(&self) -> String {
        let mut listing = String::new();
        for path in self.found() {
            let len = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            let name = path.strip_prefix(self.logs()).expect("below it").display();
            listing += &format!("  {name}: {len} bytes\n");
        }
        listing
    }
}
