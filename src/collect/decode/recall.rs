//! What the labels of a line mean, remembered in two steps: by their bytes as they are, and, where a url is
//! new, by what a label set can depend on in it: its server, and its path with the ids cut out.
//! This file never decides what a label means.

use std::sync::Arc;

use super::cache::{Cache, Meaning};
use super::field::Field;
use super::operation;
use super::routes::Routes;
use super::value::{self, Scalar};

/// Kinds of lines whose luck is known apart; those that share a place only share speed.
const LUCKS: usize = 64;

/// A lookup by the bytes as they are pays if more than two of three lines hit; below, it is left out. Fewer
/// in tests, whose logs are short.
const MISS_COST: u16 = 2;
const MISSES_MAX: u16 = if cfg!(test) { 16 } else { 128 };
/// After this many lines it is tried again, and sooner given up.
const LINES_SKIPPED: u16 = if cfg!(test) { 8 } else { 2048 };
const MISSES_AFTER_SKIP: u16 = MISSES_MAX - MISSES_MAX / 4;

/// Whether the labels of a kind of lines come again as they are.
#[derive(Clone, Copy, Default)]
struct Luck {
    misses: u16,
    lines_to_skip: u16,
}

impl Luck {
    /// Whether to look this line up as it is.
    #[inline]
    fn try_it(&mut self) -> bool {
        let try_it = self.lines_to_skip == 0;
        self.lines_to_skip = self.lines_to_skip.saturating_sub(1);
        try_it
    }

    #[inline]
    fn hit(&mut self) {
        self.misses = self.misses.saturating_sub(1);
    }

    fn miss(&mut self) {
        self.misses += MISS_COST;
        if self.misses >= MISSES_MAX {
            *self = Luck { misses: MISSES_AFTER_SKIP, lines_to_skip: LINES_SKIPPED };
        }
    }
}

pub struct Recall {
    raw: Cache,
    reduced: Cache,
    lucks: [Luck; LUCKS],
    reduced_lucks: [Luck; LUCKS],
    /// The key of `reduced` in the making.
    key: Vec<u8>,
    path: String,
    routes: Arc<Routes>,
}

impl Recall {
    /// `routes` are those that the labels are resolved with.
    pub fn new(routes: Arc<Routes>) -> Recall {
        Recall {
            routes,
            raw: Cache::new(),
            reduced: Cache::new(),
            lucks: [Luck::default(); LUCKS],
            reduced_lucks: [Luck::default(); LUCKS],
            key: Vec::new(),
            path: String::new(),
        }
    }

    /// The meaning of a line's labels; `kind` tells lines apart whose equal labels mean different things, and
    /// `resolve` is asked for what is not known. Its `None` is handed on and not remembered. `reducible`: a url is among
    /// the labels, and none of them has escapes, which are only ever compared as they are.
    #[inline]
    pub fn meaning<'a>(
        &mut self,
        kind: u64,
        reducible: bool,
        labels: impl Iterator<Item = (Field, &'a [u8])> + Clone,
        resolve: impl FnOnce() -> Option<Meaning>,
    ) -> Option<Meaning> {
        // The remainder is below LUCKS.
        let luck = (kind % LUCKS as u64) as usize;
        if !self.lucks[luck].try_it() {
            return if reducible { self.by_reduced(kind, luck, labels, resolve) } else { resolve() };
        }
        let bytes = labels.clone().map(|(_, bytes)| bytes);
        let hash = Cache::hash(kind, bytes.clone());
        if let Some(meaning) = self.raw.get(hash, kind, bytes.clone()) {
            self.lucks[luck].hit();
            return Some(meaning);
        }
        self.lucks[luck].miss();
        let meaning = if reducible { self.by_reduced(kind, luck, labels, resolve) } else { resolve() }?;
        self.raw.insert(hash, kind, bytes, meaning);
        Some(meaning)
    }

    /// Messages are new in each line, and make what they stand beside new: then nothing is looked up at all.
    fn by_reduced<'a>(
        &mut self,
        kind: u64,
        luck: usize,
        labels: impl Iterator<Item = (Field, &'a [u8])>,
        resolve: impl FnOnce() -> Option<Meaning>,
    ) -> Option<Meaning> {
        if !self.reduced_lucks[luck].try_it() {
            return resolve();
        }
        self.key.clear();
        for (field, bytes) in labels {
            if field == Field::Url { self.push_url(bytes) } else { push(bytes, &mut self.key) }
        }
        let key = std::iter::once(&self.key[..]);
        let hash = Cache::hash(kind, key.clone());
        if let Some(meaning) = self.reduced.get(hash, kind, key.clone()) {
            self.reduced_lucks[luck].hit();
            return Some(meaning);
        }
        self.reduced_lucks[luck].miss();
        let meaning = resolve()?;
        self.reduced.insert(hash, kind, key, meaning);
        Some(meaning)
    }

    /// All that [`super::label`] takes from a url: whether there is one, its server, its path's label.
    fn push_url(&mut self, bytes: &[u8]) {
        // What is no text is told apart as it is; empty and `-` alike say nothing.
        let Some(url) = value::text(Scalar::Text(bytes)) else {
            return push(if bytes == b"-" { b"" } else { bytes }, &mut self.key);
        };
        self.routes.label(url, &mut self.path);
        // A path's label is never empty, so this is not the key of no url.
        push(self.path.as_bytes(), &mut self.key);
        push(operation::server(url).unwrap_or_default().as_bytes(), &mut self.key);
    }
}

/// With its length in front, so that no two lists of slices make one key.
#[inline]
fn push(slice: &[u8], key: &mut Vec<u8>) {
    key.extend_from_slice(&slice.len().to_le_bytes());
    key.extend_from_slice(slice);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::decode::field::Aliases;
    use crate::collect::decode::learn::learn;
    use crate::collect::decode::template::Values;
    use crate::collect::request::Skip;

    fn line(url: &str, status: u16) -> String {
        format!("{{\"method\":\"GET\",\"url\":\"{url}\",\"status\":{status}}}\n")
    }

    /// How many of these lines had to be resolved.
    fn resolved(lines: impl Iterator<Item = String>) -> usize {
        let template = learn(line("/", 200).trim_end().as_bytes(), &Aliases::standard()).expect("a plain line");
        let (mut recall, mut values, mut count) = (Recall::new(Arc::default()), Values::new(), 0);
        for line in lines {
            assert!(template.fits(line.as_bytes(), &mut values), "{line}");
            recall.meaning(7, true, template.label_bytes(line.as_bytes(), &values), || {
                count += 1;
                Some(Err(Skip::NotARequest))
            });
        }
        count
    }

    #[test]
    fn a_new_id_means_what_the_last_one_meant() {
        let uuid = |n: u32| format!("550e8400-e29b-41d4-a716-{n:012}");
        assert_eq!(resolved((0..1000).map(|n| line(&format!("/v1/invoices/{n}"), 200))), 1);
        assert_eq!(resolved((0..1000).map(|n| line(&format!("https://h/users/{}/x?page={n}", uuid(n)), 200))), 1);
    }

    #[test]
    fn what_a_label_set_depends_on_is_told_apart() {
        let lines = ["", "-", "/", "/a", "/a/1", "/a/1/b", "https://h/a", "https://g/a", "https://h", "/a;1/b"];
        assert_eq!(resolved(lines.iter().map(|url| line(url, 200))), lines.len() - 1, "\"\" and - both say nothing");
        assert_eq!(resolved((200..203).map(|status| line("/a/1", status))), 3);
    }

    #[test]
    fn a_log_whose_ids_end_is_remembered_as_it_is_again() {
        let mut luck = Luck::default();
        let mut tried = 0;
        for _ in 0..100 * LINES_SKIPPED {
            if luck.try_it() {
                tried += 1;
                luck.miss();
            }
        }
        assert!((100..2000).contains(&(tried * 16 / MISSES_MAX)), "{tried}");
        while !luck.try_it() {}
        for _ in 0..MISSES_MAX {
            assert!(luck.misses < MISSES_MAX);
            luck.hit();
            assert!(luck.try_it());
        }
        assert_eq!(luck.misses, 0);
    }
}
