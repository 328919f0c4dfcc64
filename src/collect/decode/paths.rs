//! Keys of JSON lines, remembered as they are written: what a key says below another is found once, not once a line.
//! This file never decides what a path says.

use super::dialect::{self, Marking};
use super::field::{self, Aliases, Meaning};

/// Keys remembered; a power of two. What shares a place only shares speed.
const SLOTS: usize = 512;
/// Longer keys are looked up each time; `http.response.status_code` is not.
const KEY_BYTES_MAX: usize = 31;

/// A place in lines: of an object, by the path to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node(u32);

impl Node {
    /// The line itself.
    pub const ROOT: Node = Node(0);
}

/// What is known of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub node: Node,
    pub meaning: Option<Meaning>,
    pub marking: Marking,
}

impl Known {
    /// Whether it is what a server says of its quota: no reason to doubt the line around it.
    #[inline]
    pub fn is_observed(&self) -> bool {
        matches!(self.meaning, Some(Meaning::Says(rank)) if rank.field.is_observed())
    }
}

#[derive(Clone, Copy)]
struct Slot {
    parent: Node,
    length: u8,
    key: [u8; KEY_BYTES_MAX],
    known: Option<Known>,
}

/// All paths that say, mark or hold something, as far as they were met.
pub struct Paths {
    /// By their nodes, as they are compared; no more than there are aliases and marks.
    paths: Vec<String>,
    nodes: hashbrown::HashMap<String, Node>,
    slots: Box<[Slot]>,
    scratch: String,
}

impl Paths {
    pub fn new() -> Paths {
        // No key is that long, so the slot is free.
        let free = Slot { parent: Node::ROOT, length: u8::MAX, key: [0; KEY_BYTES_MAX], known: None };
        Paths {
            paths: vec![String::new()],
            nodes: hashbrown::HashMap::new(),
            slots: vec![free; SLOTS].into(),
            scratch: String::new(),
        }
    }

    /// What is known of the place that `key` names below `parent`; `None` where neither it nor any place below it says
    /// anything.
    #[inline]
    pub fn below(&mut self, parent: Node, key: &str, aliases: &Aliases) -> Option<Known> {
        let place = slot(parent, key.as_bytes());
        let Some(found) = self.slots.get(place).filter(|slot| slot.is(parent, key.as_bytes())) else {
            return self.look_up(parent, key, place, aliases);
        };
        found.known
    }

    #[cold]
    fn look_up(&mut self, parent: Node, key: &str, place: usize, aliases: &Aliases) -> Option<Known> {
        self.scratch.clear();
        self.scratch.push_str(self.paths.get(parent.0 as usize).map_or("", String::as_str));
        field::push_key(&mut self.scratch, key);
        let (meaning, marking) = (aliases.meaning(&self.scratch), dialect::marking(&self.scratch));
        let is_known = meaning.is_some() || marking.is_some();
        let known = is_known.then(|| Known { node: self.node(), meaning, marking: marking.unwrap_or_default() });
        if let (Ok(length), Some(slot)) = (u8::try_from(key.len()), self.slots.get_mut(place))
            && let Some(bytes) = slot.key.get_mut(..key.len())
        {
            bytes.copy_from_slice(key.as_bytes());
            (slot.parent, slot.length, slot.known) = (parent, length, known);
        }
        known
    }

    /// The node of the path at hand.
    fn node(&mut self) -> Node {
        if let Some(node) = self.nodes.get(&self.scratch) {
            return *node;
        }
        let node = Node(u32::try_from(self.paths.len()).expect("no more than aliases and marks"));
        self.paths.push(self.scratch.clone());
        self.nodes.insert(self.scratch.clone(), node);
        node
    }
}

impl Slot {
    #[inline]
    fn is(&self, parent: Node, key: &[u8]) -> bool {
        usize::from(self.length) == key.len() && self.parent == parent && self.key.get(..key.len()) == Some(key)
    }
}

/// A key's place by its length and its first and last bytes.
#[inline]
fn slot(parent: Node, key: &[u8]) -> usize {
    let word = |bytes: &[u8]| bytes.iter().fold(0u64, |word, byte| word << 8 | u64::from(*byte));
    let (first, last) = match (key.first_chunk::<4>(), key.last_chunk::<4>()) {
        (Some(first), Some(last)) => (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into()),
        _ => (word(key), 0u64),
    };
    let mixed = (first ^ last.rotate_left(32) ^ (u64::from(parent.0) << 16) ^ key.len() as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // The shift leaves fewer bits than there are slots.
    (mixed >> (64 - SLOTS.trailing_zeros())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_key_says_what_it_said_first() {
        let aliases = Aliases::standard();
        let mut paths = Paths::new();
        let keys = ["method", "res", "statusCode", "status_code", "nothing", "x", "", "http.response.status_code"];
        for _ in 0..3 {
            for key in keys {
                let fresh = Paths::new().below(Node::ROOT, key, &aliases);
                let known = paths.below(Node::ROOT, key, &aliases);
                assert_eq!(known.map(|known| known.meaning), fresh.map(|known| known.meaning), "{key}");
            }
            let res = paths.below(Node::ROOT, "res", &aliases).expect("holds something");
            assert_eq!(res.meaning, Some(Meaning::Holds));
            let status = paths.below(res.node, "statusCode", &aliases).expect("says something");
            assert!(matches!(status.meaning, Some(Meaning::Says(_))));
            assert_eq!(paths.below(res.node, "method", &aliases), None);
        }
    }
}
