//! What every link says in the same words when the document is not what it needs.

use conserver_core::vcon::{DocumentError, Vcon};
use conserver_core::{Error, ErrorKind, Result};

/// The document of a link that said it needs one.
pub(crate) fn needed(vcon: Option<Vcon>) -> Result<Vcon> {
    vcon.ok_or_else(|| Error::new(ErrorKind::Internal, "the link was run without the document it needs"))
}

/// A document that the link cannot read or may not change: trying again does not help.
pub(crate) fn refused(error: &DocumentError) -> Error {
    Error::new(ErrorKind::Invalid, error.to_string())
}
