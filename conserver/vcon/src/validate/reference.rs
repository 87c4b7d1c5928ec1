//! References between entries: indices that must point at something.

use super::report::Report;
use crate::entry::{Dialog, Entry};
use crate::json::{Elements, Object};
use crate::section::Section;
use crate::vcon::Vcon;

/// (where, member, what it points at, section of the draft).
const REFERENCES: [(Section, &str, Section, &str); 13] = [
    (Section::Dialog, "originator", Section::Parties, "4.3.5"),
    (Section::Dialog, "recordings", Section::Dialog, "4.3.6"),
    (Section::Dialog, "recording_set", Section::Dialog, "4.3.7"),
    (Section::Dialog, "transferee", Section::Parties, "4.3.14"),
    (Section::Dialog, "transferor", Section::Parties, "4.3.14"),
    (Section::Dialog, "transfer_target", Section::Parties, "4.3.14"),
    (Section::Dialog, "original", Section::Dialog, "4.3.14"),
    (Section::Dialog, "consultation", Section::Dialog, "4.3.14"),
    (Section::Dialog, "target_dialog", Section::Dialog, "4.3.14"),
    (Section::Attachments, "party", Section::Parties, "4.4.3"),
    (Section::Attachments, "dialog", Section::Dialog, "4.4.4"),
    (Section::Analysis, "dialog", Section::Dialog, "4.5.2"),
    (Section::Analysis, "attachment", Section::Attachments, "4.5.3"),
];

pub(super) fn check(doc: &Vcon, report: &mut Report) {
    let count = |section: Section| Elements::new(doc.raw(section.name()).unwrap_or_default()).count();
    let counts = Section::ALL.map(count);
    let count = |section: Section| counts[section as usize];
    for section in [Section::Dialog, Section::Attachments, Section::Analysis] {
        for entry in doc.section(section) {
            let path = format!("/{}/{}", section.name(), entry.index());
            for (_, member, target, chapter) in REFERENCES.iter().filter(|(of, ..)| *of == section) {
                if entry.indices(member).into_iter().any(|index| index >= count(*target)) {
                    let message = format!(
                        "`{member}` is out of range; there are {} in `{}`",
                        count(*target),
                        target.name()
                    );
                    report.error(format!("{path}/{member}"), "out-of-range", chapter, message);
                }
            }
            check_event_parties(&path, &entry, count(Section::Parties), report);
        }
    }
    let dialogs: Vec<_> = doc.dialog().collect();
    check_recording_sets(&dialogs, report);
    check_originals(&dialogs, report);
}

fn check_event_parties(path: &str, entry: &Entry<'_>, parties: usize, report: &mut Report) {
    for (index, (_, element)) in Elements::new(entry.get("party_history").unwrap_or_default()).enumerate() {
        let party = Object::parse(element.raw()).and_then(|event| event.get("party")?.parse::<usize>().ok());
        if party.is_some_and(|party| party >= parties) {
            let message = format!("`party` is out of range; there are {parties} in `parties`");
            report.error(format!("{path}/party_history/{index}/party"), "out-of-range", "4.3.13", message);
        }
    }
}

/// A recording names its set and the set names its recordings: both or the reader is lost.
fn check_recording_sets(dialogs: &[Dialog<'_>], report: &mut Report) {
    let at = |index: usize| dialogs.iter().find(|dialog| dialog.index() == index);
    for dialog in dialogs {
        let path = format!("/dialog/{}", dialog.index());
        for set in dialog.indices("recording_set").into_iter().filter_map(at) {
            if !set.indices("recordings").contains(&dialog.index()) {
                let message =
                    "`recording_set` names a dialog that does not list this one in its `recordings`";
                report.error(format!("{path}/recording_set"), "one-sided", "4.3.7", message);
            }
        }
        for recording in dialog.indices("recordings").into_iter().filter_map(at) {
            if recording.kind().as_deref() != Some("recording") {
                let message = "`recordings` names a dialog that is no recording";
                report.error(format!("{path}/recordings"), "not-a-recording", "4.3.6", message);
            }
        }
    }
}

/// What never was a conversation cannot have been transferred.
fn check_originals(dialogs: &[Dialog<'_>], report: &mut Report) {
    for dialog in dialogs {
        let originals = dialog.indices("original");
        let mut named = dialogs.iter().filter(|named| originals.contains(&named.index()));
        if named.any(|named| named.kind().as_deref() == Some("incomplete")) {
            let message = "`original` names a dialog of type `incomplete`, which cannot be transferred";
            let path = format!("/dialog/{}/original", dialog.index());
            report.error(path, "original-incomplete", "4.3.14", message);
        }
    }
}
