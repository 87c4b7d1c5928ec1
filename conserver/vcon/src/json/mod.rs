//! Reading JSON without building it.
//!
//! A strict scanner that knows where values begin and end, and what sits on top of it: iterators over the
//! parts of an object or array, string decoding, member lists that can be edited and written again, and
//! the text form of Python. Nothing here knows what a vCon is; values are built by `serde_json` elsewhere,
//! when somebody wants one.

mod cursor;
mod fields;
mod gaps;
mod keys;
mod parts;
mod plain;
mod python;
mod string;

pub(crate) use cursor::{Cursor, Fault};
pub(crate) use fields::Fields;
pub(crate) use gaps::Gaps;
pub(crate) use keys::KeySet;
pub(crate) use parts::{Element, Elements, Member, Object, Values};
pub use python::python_text;
pub(crate) use python::write_python_text;
pub(crate) use string::{is_key, quote, quote_ascii_into, unescape, unescape_into};

/// Checks that `text` is one strict JSON value, nested at most `max_depth` deep.
pub(crate) fn check(text: &str, max_depth: usize) -> Result<(), Fault> {
    let mut cursor = Cursor::new(text, max_depth);
    cursor.space();
    cursor.value()?;
    cursor.end()
}
