//! The shape of version 0.0.1, for readers that never moved on.
//!
//! A pipeline reads a document under the names of today, so what leaves it has their values; a stored
//! document is converted as it stands, and its legacy names win. Bodies of analysis and attachments that are JSON come out as values
//! under `"encoding": "none"`, as that version had them.

use super::rename::{ENTRY, ROOT};
use super::{Part, Piece, fields, is_container, says_json};
use crate::json::{Fields, Object, check, unescape_into};
use crate::section::Section;

const VERSION: &str = "\"0.0.1\"";
const NONE: &str = "\"none\"";
/// Members that version 0.0.1 always had, with their empty values.
const FILLERS: [(&str, &str); 3] = [("group", "[]"), ("redacted", "{}"), ("appended", "null")];

/// Which value stays where a member has its old name and its new one.
#[derive(Clone, Copy)]
pub(super) enum Wins {
    New,
    Old,
}

impl Wins {
    fn rename<V>(self, fields: &mut Fields<'_, V>, (old, new): (&str, &str)) {
        if matches!(self, Self::New) && fields.has(new) {
            fields.remove(old);
        }
        fields.rename(new, old);
    }
}

pub(super) fn touches_root<'a>(raw: impl Fn(&str) -> Option<&'a str>) -> bool {
    raw("vcon") != Some(VERSION)
        || ROOT.iter().any(|(_, new)| raw(new).is_some())
        || FILLERS.iter().any(|(name, _)| raw(name).is_none())
}

pub(super) fn convert_root<'a>(wins: Wins, root: &mut Fields<'a, Part<'a>>) {
    for names in ROOT {
        wins.rename(root, names);
    }
    for (name, filler) in FILLERS {
        if !root.has(name) {
            root.set(name, Part::Literal(filler));
        }
    }
    root.set("vcon", Part::Literal(VERSION));
}

pub(super) fn convert_entry<'a>(
    wins: Wins,
    section: Section,
    entry: &Object<'a>,
    scratch: &mut Vec<u8>,
) -> Option<Fields<'a, Piece<'a>>> {
    let purpose_means_type = section == Section::Attachments && entry.has("purpose") && !entry.has("type");
    let body = json_body(section, entry, scratch);
    if body.is_none() && !purpose_means_type && !ENTRY.iter().any(|(_, new)| entry.has(new)) {
        return None;
    }
    let mut fields = fields(entry);
    for names in ENTRY {
        wins.rename(&mut fields, names);
    }
    if purpose_means_type {
        fields.rename("purpose", "type");
    }
    if let Some(body) = body {
        fields.set("body", body);
        fields.set("encoding", Piece::Literal(NONE));
    }
    Some(fields)
}

/// The body that has to come out as a value: an object or array, or a string that spells any JSON.
fn json_body<'a>(section: Section, entry: &Object<'a>, scratch: &mut Vec<u8>) -> Option<Piece<'a>> {
    if section == Section::Dialog || !says_json(entry) {
        return None;
    }
    let body = entry.get("body")?;
    if is_container(body) {
        return Some(Piece::Raw(body));
    }
    if !body.starts_with('"') {
        return None;
    }
    // The text is judged at the tail of the output, where it will stand, and taken back.
    let start = scratch.len();
    let lossless = unescape_into(body, scratch);
    let is_json =
        lossless && str::from_utf8(&scratch[start..]).is_ok_and(|text| check(text, NESTING).is_ok());
    scratch.truncate(start);
    is_json.then_some(Piece::AsValue(body))
}

/// How deep text may nest to become a value of the document.
const NESTING: usize = 60;
