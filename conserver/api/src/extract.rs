//! What handlers read off a request: parameters with the Python server's messages, and whole bodies within bounds.

mod body;
mod lines;
mod query;

pub(crate) use body::{Budget, Payload};
pub(crate) use lines::{Line, Lines, is_lines};
pub(crate) use query::{PathText, Query, header_text, path_uuid};
