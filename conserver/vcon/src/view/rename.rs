//! The names that changed between drafts, and the renames in both directions.
//!
//! A rename moves the value to the end of its object; where both names are present the target wins. The
//! one exception is the `type` of an attachment, which stays when there is a `purpose`.

use super::{Part, Piece, fields};
use crate::json::{Fields, Object};
use crate::section::Section;

/// (old, new) at the top level.
pub(super) const ROOT: [(&str, &str); 2] = [("appended", "amended"), ("must_support", "critical")];

/// (old, new) in each entry of dialog, analysis and attachments.
pub(super) const ENTRY: [(&str, &str); 3] =
    [("schema_version", "schema"), ("mimetype", "mediatype"), ("must_support", "critical")];

pub(super) fn touches_root<'a>(raw: impl Fn(&str) -> Option<&'a str>) -> bool {
    ROOT.iter().any(|(old, _)| raw(old).is_some())
}

pub(super) fn convert_root<'a>(root: &mut Fields<'a, Part<'a>>) {
    for (old, new) in ROOT {
        root.rename(old, new);
    }
}

pub(super) fn touches_entry(section: Section, entry: &Object<'_>) -> bool {
    ENTRY.iter().any(|(old, _)| entry.has(old)) || type_means_purpose(section, entry)
}

fn type_means_purpose(section: Section, entry: &Object<'_>) -> bool {
    section == Section::Attachments && entry.has("type") && !entry.has("purpose")
}

pub(super) fn convert_entry<'a>(section: Section, entry: &Object<'a>) -> Option<Fields<'a, Piece<'a>>> {
    touches_entry(section, entry).then(|| renamed(section, entry))
}

/// The entry's members under the names of today.
pub(super) fn renamed<'a>(section: Section, entry: &Object<'a>) -> Fields<'a, Piece<'a>> {
    let mut fields = fields(entry);
    for (old, new) in ENTRY {
        fields.rename(old, new);
    }
    if type_means_purpose(section, entry) {
        fields.rename("type", "purpose");
    }
    fields
}
