//! Why a document, or a change to one, was refused.
//!
//! One opaque type for the whole crate. It carries a rule id for machines, the place, and a text for
//! people that names the way out. It never quotes document text beyond the name of a member.

use std::fmt;

use crate::json::Fault;

/// A refusal: which rule, where, and what to do about it.
#[derive(Clone, PartialEq, Eq)]
pub struct DocumentError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    rule: &'static str,
    message: String,
    path: String,
    position: Option<Position>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Position {
    offset: usize,
    line: usize,
    column: usize,
}

impl DocumentError {
    pub(crate) fn new(rule: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { rule, message: message.into(), path: String::new(), position: None }))
    }

    /// From a fault of the JSON scanner; `bytes` is the text it scanned, for line and column.
    pub(crate) fn from_fault(fault: &Fault, bytes: &[u8]) -> Self {
        Self::new(fault.rule, fault.message.clone()).at_offset(fault.at, bytes)
    }

    pub(crate) fn at_path(mut self, path: impl Into<String>) -> Self {
        self.0.path = path.into();
        self
    }

    pub(crate) fn at_offset(mut self, offset: usize, bytes: &[u8]) -> Self {
        let before = &bytes[..offset.min(bytes.len())];
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        let column = 1 + before.len() - memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
        self.0.position = Some(Position { offset, line, column });
        self
    }

    /// The id of the broken rule, such as `not-json`, `too-large`, `too-deep`, `duplicate-key`,
    /// `not-an-object`, `not-utf8`, `no-uuid`, `signed` or `encrypted`.
    pub fn rule(&self) -> &'static str {
        self.0.rule
    }

    /// Where in the document, as a JSON pointer (RFC 6901); empty when it concerns the whole.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The offset in bytes at which the scan stopped, when the error has one.
    pub fn offset(&self) -> Option<usize> {
        self.0.position.map(|position| position.offset)
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(Position { offset, line, column }) = self.0.position {
            write!(f, " (line {line}, column {column}, byte {offset}")?;
            if !self.0.path.is_empty() {
                write!(f, ", in `{}`", self.0.path)?;
            }
            f.write_str(")")
        } else if !self.0.path.is_empty() {
            write!(f, " (in `{}`)", self.0.path)
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentError({}: {self})", self.0.rule)
    }
}

impl std::error::Error for DocumentError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_line_column_and_place() {
        let error =
            DocumentError::new("not-json", "expected a value").at_offset(5, b"{\n \n x").at_path("/a");
        assert_eq!(error.to_string(), "expected a value (line 3, column 2, byte 5, in `/a`)");
    }

    #[test]
    fn without_a_place_the_text_is_the_message() {
        assert_eq!(DocumentError::new("signed", "it is signed").to_string(), "it is signed");
    }
}
