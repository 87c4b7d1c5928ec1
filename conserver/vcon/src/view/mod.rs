//! The shapes a document is rendered in.
//!
//! A view is a set of renames and small corrections on the way out; the document itself never changes.
//! What needs no correction is copied byte for byte, and a document that needs none at all is not even
//! copied. Signed and encrypted documents have one shape only: the one they came in.

mod legacy;
mod rename;
mod render;
mod write;

pub(crate) use render::{render, render_into};

use crate::body::BodyShape;
use crate::json::{Fields, Object};
use crate::scan::Notes;
use crate::section::Section;
use legacy::Wins;

/// A shape to render a document in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// As it is.
    Stored,
    /// With the names of today in place of legacy ones: what links and storages read.
    Read,
    /// As [`View::Read`], stamped as version 0.4.0, with object and array bodies in one shape and labelled
    /// as JSON: what is written back.
    Write(BodyShape),
    /// [`View::Read`] in the shape of version 0.0.1, for readers that never moved on.
    Legacy001,
    /// [`View::Stored`] in that shape: where a member has its old name and its new one, the old one wins.
    StoredLegacy001,
}

/// A top-level value on its way out.
pub(crate) enum Part<'a> {
    Member(&'a crate::document::Member),
    Literal(&'static str),
}

/// A value inside an entry on its way out.
pub(crate) enum Piece<'a> {
    /// As written.
    Raw(&'a str),
    Literal(&'static str),
    /// A JSON value, to be written as a string that holds its Python text.
    AsText(&'a str),
    /// A string that holds JSON, to be written as that JSON.
    AsValue(&'a str),
}

impl View {
    /// True if the top level would come out different. `raw` gives the value of a member.
    fn touches_root<'a>(self, raw: impl Fn(&str) -> Option<&'a str>) -> bool {
        match self {
            Self::Stored => false,
            Self::Read => rename::touches_root(raw),
            Self::Write(_) => rename::touches_root(&raw) || write::touches_root(&raw),
            Self::Legacy001 | Self::StoredLegacy001 => legacy::touches_root(raw),
        }
    }

    fn convert_root<'a>(self, fields: &mut Fields<'a, Part<'a>>) {
        match self {
            Self::Stored => {}
            Self::Read => rename::convert_root(fields),
            Self::Write(_) => {
                rename::convert_root(fields);
                write::convert_root(fields);
            }
            Self::Legacy001 => legacy::convert_root(Wins::New, fields),
            Self::StoredLegacy001 => legacy::convert_root(Wins::Old, fields),
        }
    }

    /// False if the notes on a section say that no entry can come out different.
    fn may_touch(self, section: Section, notes: Notes) -> bool {
        let has_bodies = matches!(section, Section::Analysis | Section::Attachments);
        match self {
            _ if section == Section::Parties => false,
            Self::Stored => false,
            Self::Read => notes.legacy_name,
            Self::Write(BodyShape::Native) => notes.legacy_name || (has_bodies && notes.mislabelled_body),
            Self::Write(BodyShape::Text) => notes.legacy_name || (has_bodies && notes.native_body),
            Self::Legacy001 | Self::StoredLegacy001 => true,
        }
    }

    /// The members of an entry as they come out, or `None` if it stays as it is. `scratch` lends its tail
    /// and gets it back.
    fn convert_entry<'a>(
        self,
        section: Section,
        entry: &Object<'a>,
        scratch: &mut Vec<u8>,
    ) -> Option<Fields<'a, Piece<'a>>> {
        match self {
            Self::Stored => None,
            Self::Read => rename::convert_entry(section, entry),
            Self::Write(shape) => write::convert_entry(section, entry, shape),
            Self::Legacy001 => legacy::convert_entry(Wins::New, section, entry, scratch),
            Self::StoredLegacy001 => legacy::convert_entry(Wins::Old, section, entry, scratch),
        }
    }
}

/// An entry's members, ready to be converted.
fn fields<'a>(entry: &Object<'a>) -> Fields<'a, Piece<'a>> {
    Fields::new(entry.members.iter().map(|member| (member.key, Piece::Raw(member.value))))
}

/// True if the raw value is an object or array.
fn is_container(raw: &str) -> bool {
    raw.starts_with(['{', '['])
}

fn says_json(entry: &Object<'_>) -> bool {
    entry.get("encoding").and_then(crate::entry::text).is_some_and(|encoding| encoding == "json")
}
