//! What a source says of its own fields, ahead of all that daycap knows: which place says what, which lines are
//! meant at all, how paths become operations. This file never looks at a line.

use std::collections::BTreeMap;

/// A source's `pattern`, `fields`, `only_if` and `operations`, as configured and checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mapping {
    /// The regular expression of `format = "regex"`.
    pub pattern: Option<String>,
    /// A field's name, or its unit's (`duration_unit`), and the place or unit.
    pub fields: BTreeMap<String, String>,
    /// A place, and the text that must be there.
    pub only_if: BTreeMap<String, String>,
    /// Paths with named gaps: `/users/{name}/posts`.
    pub operations: Vec<String>,
}
