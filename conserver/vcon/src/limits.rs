//! How much of a document we are ready to hold.
//!
//! The numbers are checked while a document is parsed, before anything is kept of it. Duplicate keys at
//! the top level and directly inside the entries of the four sections are no setting: they are always
//! refused, because two readers of such a document may see two different conversations.

/// Bounds on the size and the shape of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest accepted document, in bytes of JSON. Default: 64 MiB.
    pub max_bytes: usize,
    /// The deepest accepted nesting of objects and arrays; the document itself is level 1. Default: 64.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_depth: 64 }
    }
}
