//! From YAML text to a tree in which every value knows where it stands.
//!
//! The tree is what the rest of `config` reads: [`compose`] makes it from the parser's events, [`scalar`] gives plain
//! scalars the meaning of YAML 1.1 (which the Python server reads), [`reference`] resolves `${VAR}` and `file:`, and
//! [`decode`] turns parts of it into Rust types while collecting everything that is wrong. serde-saphyr, built on the
//! same parser, stops at the first error and reads YAML 1.2; two dialects with all problems at once need the tree.

pub(crate) mod compose;
pub(crate) mod decode;
mod decode_error;
pub(crate) mod node;
pub(crate) mod path;
pub(crate) mod reference;
mod scalar;

pub(crate) use decode::decode;
pub(crate) use node::{Content, Mark, Node};
pub(crate) use path::Path;
