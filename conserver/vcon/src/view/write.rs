//! What a document looks like when it is written back: renamed, stamped, with labelled bodies.
//!
//! Only the bodies of analysis and attachments are looked at; those of dialogs are media or text and stay.
//! Bodies that are numbers, strings, booleans or null stay as well.

use super::rename;
use super::{Part, Piece, is_container, says_json};
use crate::body::BodyShape;
use crate::json::{Fields, Object};
use crate::section::Section;

const VERSION: &str = "\"0.4.0\"";
const JSON: &str = "\"json\"";

pub(super) fn touches_root<'a>(raw: impl Fn(&str) -> Option<&'a str>) -> bool {
    raw("vcon") != Some(VERSION)
        || raw("group").is_some_and(|group| is_empty(group, '['))
        || raw("redacted").is_some_and(|redacted| is_empty(redacted, '{'))
}

pub(super) fn convert_root<'a>(root: &mut Fields<'a, Part<'a>>) {
    root.set("vcon", Part::Literal(VERSION));
    for (name, bracket) in [("group", '['), ("redacted", '{')] {
        if root
            .get(name)
            .is_some_and(|part| matches!(part, Part::Member(member) if is_empty(member.raw(), bracket)))
        {
            root.remove(name);
        }
    }
}

pub(super) fn convert_entry<'a>(
    section: Section,
    entry: &Object<'a>,
    shape: BodyShape,
) -> Option<Fields<'a, Piece<'a>>> {
    let has_bodies = matches!(section, Section::Analysis | Section::Attachments);
    let body = entry.get("body").filter(|body| has_bodies && is_container(body));
    let text = body.filter(|_| shape == BodyShape::Text);
    let label = body.is_some() && !says_json(entry);
    if text.is_none() && !label && !rename::touches_entry(section, entry) {
        return None;
    }
    let mut fields = rename::renamed(section, entry);
    if let Some(body) = text {
        fields.set("body", Piece::AsText(body));
    }
    if label {
        fields.set("encoding", Piece::Literal(JSON));
    }
    Some(fields)
}

/// True for an empty object or array, white space inside allowed.
fn is_empty(raw: &str, bracket: char) -> bool {
    raw.strip_prefix(bracket).is_some_and(|rest| rest.trim_ascii_start().len() == 1)
}
