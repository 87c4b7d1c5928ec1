//! Writing a document in a view.
//!
//! One walk over the members; bodies go from the document to the output without a copy in between.

use bytes::Bytes;

use super::{Part, Piece, View};
use crate::document::{Content, Document, Member};
use crate::form::Form;
use crate::json::{Element, Elements, Fields, Gaps, Object, unescape_into, write_python_text};
use crate::scan::Notes;
use crate::section::Section;

/// The document in `view`; the original bytes themselves when the view changes nothing.
pub(crate) fn render(document: &Document, view: View) -> Bytes {
    let view = applicable(document, view);
    match document.untouched() {
        Some(source) if is_identity(document, view) => source.as_bytes().clone(),
        _ => {
            let mut out = Vec::with_capacity(document.size() + 256);
            write(document, view, &mut out);
            out.into()
        }
    }
}

/// Appends the document in `view`.
pub(crate) fn render_into(document: &Document, view: View, out: &mut Vec<u8>) {
    let view = applicable(document, view);
    match document.untouched() {
        Some(source) if view == View::Stored => out.extend_from_slice(source.as_bytes()),
        _ => write(document, view, out),
    }
}

/// What is signed or encrypted has one shape only.
fn applicable(document: &Document, view: View) -> View {
    if document.form() == Form::Unsigned { view } else { View::Stored }
}

fn is_identity(document: &Document, view: View) -> bool {
    !view.touches_root(|name| document.raw(name))
        && !document.members().iter().any(|member| touches(member, view))
}

/// True if some entry of the member would come out different.
fn touches(member: &Member, view: View) -> bool {
    let Some(section) = member.section.filter(|section| view.may_touch(*section, member.notes)) else {
        return false;
    };
    let mut scratch = Vec::new();
    Elements::new(member.raw()).any(|(_, element)| match element {
        Element::Object(entry) => view.convert_entry(section, &entry, &mut scratch).is_some(),
        Element::Other(_) => false,
    })
}

fn write(document: &Document, view: View, out: &mut Vec<u8>) {
    let mut root = Fields::new(document.members().iter().map(|member| (&*member.key, Part::Member(member))));
    view.convert_root(&mut root);
    root.write(document.gaps(), out, |part, out| match part {
        Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
        Part::Member(member) => write_member(member, view, out),
    });
}

fn write_member(member: &Member, view: View, out: &mut Vec<u8>) {
    match (&member.value, member.section) {
        (Content::Raw(raw), Some(section)) if view.may_touch(section, member.notes) => {
            write_section(section, raw, view, out);
        }
        (Content::Raw(raw), _) => out.extend_from_slice(raw.as_bytes()),
        (Content::Edited(edited), Some(section)) if view.may_touch(section, Notes::UNKNOWN) => {
            edited.write(out, |raw, out| match Object::parse(raw) {
                Some(entry) => write_entry(section, &entry, view, out),
                None => out.extend_from_slice(raw.as_bytes()),
            });
        }
        (Content::Edited(edited), _) => edited.write(out, |raw, out| out.extend_from_slice(raw.as_bytes())),
    }
}

/// Writes an unedited section; what lies between changed entries is copied as one run.
fn write_section(section: Section, raw: &str, view: View, out: &mut Vec<u8>) {
    let mut copied = 0;
    for (at, element) in Elements::new(raw) {
        if let Element::Object(entry) = element
            && let Some(fields) = view.convert_entry(section, &entry, out)
        {
            out.extend_from_slice(&raw.as_bytes()[copied..at]);
            write_fields(&fields, entry.gaps(), out);
            copied = at + entry.raw.len();
        }
    }
    out.extend_from_slice(&raw.as_bytes()[copied..]);
}

fn write_entry(section: Section, entry: &Object<'_>, view: View, out: &mut Vec<u8>) {
    match view.convert_entry(section, entry, out) {
        Some(fields) => write_fields(&fields, entry.gaps(), out),
        None => out.extend_from_slice(entry.raw.as_bytes()),
    }
}

fn write_fields(fields: &Fields<'_, Piece<'_>>, gaps: Gaps<'_>, out: &mut Vec<u8>) {
    fields.write(gaps, out, |piece, out| match piece {
        Piece::Raw(raw) => out.extend_from_slice(raw.as_bytes()),
        Piece::Literal(text) => out.extend_from_slice(text.as_bytes()),
        Piece::AsText(json) => write_text_of(json, out),
        Piece::AsValue(string) => {
            unescape_into(string, out);
        }
    });
}

/// Writes a string that holds the Python text of `json`.
fn write_text_of(json: &str, out: &mut Vec<u8>) {
    let mut text = Vec::with_capacity(json.len() + json.len() / 8);
    write_python_text(json, &mut text);
    out.push(b'"');
    // The text is printable ASCII: quotes and backslashes are all there is to escape.
    let mut rest = &text[..];
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(&[b'\\', rest[at]]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
