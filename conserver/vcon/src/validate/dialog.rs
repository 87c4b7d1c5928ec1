//! Dialogs: which member goes with which type.

use super::report::Report;
use super::{content, field};
use crate::entry::{Entry, text};
use crate::json::{Elements, Object};
use crate::section::Section;

/// Table 1 of the draft (§4.3), a letter for each of [`field::DIALOG_TYPES`]: Must be there, Should be,
/// may Or may not, should Not, and X for must not. A dot is undefined.
const APPLICABILITY: [(&str, &[u8; 5]); 23] = [
    ("start", b"OOOOO"),
    ("duration", b"OOO.O"),
    ("parties", b"SSSXO"),
    ("originator", b"OOOXO"),
    ("recordings", b"XMXXX"),
    ("recording_set", b"OXXXX"),
    ("mediatype", b"OXOXX"),
    ("filename", b"OXOXX"),
    ("body", b"OXOXX"),
    ("encoding", b"OXOXX"),
    ("url", b"OXOXX"),
    ("content_hash", b"OXOXX"),
    ("disposition", b"NNNNM"),
    ("session_id", b"OOOXO"),
    ("party_history", b"OOOXO"),
    ("transferee", b"XXXSX"),
    ("transferor", b"XXXSX"),
    ("transfer_target", b"XXXOX"),
    ("consultation", b"XXXOX"),
    ("original", b"XXXSX"),
    ("target_dialog", b"XXXSX"),
    ("application", b"OOOOO"),
    ("message_id", b"OXOXX"),
];

pub(super) fn check(path: &str, dialog: &Entry<'_>, report: &mut Report) {
    let fields = field::of(Section::Dialog);
    field::require(path, dialog.object(), &["type"], fields, report);
    content::check(Section::Dialog, path, dialog, report);
    check_party_history(path, dialog, report);
    let kind = dialog.text("type");
    let Some(column) = field::DIALOG_TYPES.iter().position(|known| kind.as_deref() == Some(*known)) else {
        return;
    };
    let kind = field::DIALOG_TYPES[column];
    // A dialog that says nothing but its type stands for one that is not known.
    let is_placeholder = dialog.object().members.len() == 1;
    for (name, letters) in APPLICABILITY {
        let section = fields.iter().find(|(known, ..)| *known == name).map_or("4.3", |(.., section)| section);
        let place = format!("{path}/{name}");
        match (letters[column], dialog.get(name).is_some()) {
            (b'M', false) => report.error(
                place,
                "required",
                section,
                format!("`{name}` must be there in a dialog of type `{kind}`"),
            ),
            (b'X', true) => report.error(
                place,
                "not-allowed",
                section,
                format!("`{name}` must not be there in a dialog of type `{kind}`"),
            ),
            (b'S', false) if !is_placeholder => {
                report.warn(
                    place,
                    "recommended",
                    section,
                    format!("`{name}` should be there in a dialog of type `{kind}`"),
                );
            }
            (b'N', true) => {
                report.warn(
                    place,
                    "not-recommended",
                    section,
                    format!("`{name}` should not be there in a dialog of type `{kind}`"),
                );
            }
            _ => {}
        }
    }
}

fn check_party_history(path: &str, dialog: &Entry<'_>, report: &mut Report) {
    let events = Elements::new(dialog.get("party_history").unwrap_or_default());
    for (index, (_, element)) in events.enumerate() {
        let Some(event) = Object::parse(element.raw()) else { continue };
        let path = format!("{path}/party_history/{index}");
        field::check_types(&path, &event, field::PARTY_EVENT, report);
        field::require(&path, &event, &["party", "time", "event"], field::PARTY_EVENT, report);
        let is_key =
            event.get("event").and_then(text).is_some_and(|event| event == "keydown" || event == "keyup");
        if is_key {
            field::require(&path, &event, &["button"], field::PARTY_EVENT, report);
        }
    }
}
