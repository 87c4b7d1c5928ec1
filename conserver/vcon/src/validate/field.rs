//! The members that the draft defines, object by object.

use super::kind::Kind::{
    self, Any, ChannelIndices, ContentHash, Date, HttpsUrl, Index, IndexList, Indices, MediaType, Number,
    Object, Objects, OneOf, SessionIds, Text, TextList,
};
use super::report::Report;
use crate::json::{Object as Members, unescape};
use crate::section::Section;

/// A member: its name, what it has to be, and the section that says so.
pub(super) type Field = (&'static str, Kind, &'static str);

pub(super) const ROOT: &[Field] = &[
    ("vcon", Text, "4.1.1"),
    ("uuid", Text, "4.1.2"),
    ("extensions", TextList, "4.1.3"),
    ("critical", TextList, "4.1.4"),
    ("created_at", Date, "4.1.5"),
    ("updated_at", Date, "4.1.6"),
    ("subject", Text, "4.1.7"),
    ("redacted", Object, "4.1.8"),
    ("amended", Object, "4.1.9"),
    ("parties", Objects, "4.1.10"),
    ("dialog", Objects, "4.1.11"),
    ("analysis", Objects, "4.1.12"),
    ("attachments", Objects, "4.1.13"),
    ("group", Any, "4.1"),
    // Of drafts after core-04; `session` says what they hold.
    ("sessions", Any, "4.1"),
    ("events", Any, "4.1"),
];

const PARTY: &[Field] = &[
    ("tel", Text, "4.2.1"),
    ("sip", Text, "4.2.2"),
    ("stir", Text, "4.2.3"),
    ("mailto", Text, "4.2.4"),
    ("name", Text, "4.2.5"),
    ("did", Text, "4.2.6"),
    ("validation", Text, "4.2.7"),
    ("gmlpos", Text, "4.2.8"),
    ("civicaddress", Object, "4.2.9"),
    ("uuid", Text, "4.2.10"),
    ("type", OneOf(&["person", "bot", "organization"]), "4.2.11"),
    ("org", Text, "4.2.12"),
    ("dept", Text, "4.2.13"),
];

pub(super) const DIALOG_TYPES: &[&str] = &["recording", "recording-set", "text", "transfer", "incomplete"];
const ENCODINGS: &[&str] = &["base64url", "json", "none"];
const DISPOSITIONS: &[&str] =
    &["no-answer", "congestion", "failed", "busy", "hung-up", "voicemail-no-message"];

const DIALOG: &[Field] = &[
    // Extensions may add types: `oddity` knows which are declared.
    ("type", Text, "4.3.1"),
    ("start", Date, "4.3.2"),
    ("duration", Number, "4.3.3"),
    ("parties", ChannelIndices, "4.3.4"),
    ("originator", Index, "4.3.5"),
    ("recordings", IndexList, "4.3.6"),
    ("recording_set", Index, "4.3.7"),
    ("mediatype", MediaType, "4.3.8"),
    ("filename", Text, "4.3.9"),
    ("body", Any, "2.3.1"),
    ("encoding", OneOf(ENCODINGS), "2.3.2"),
    ("url", HttpsUrl, "2.4.1"),
    ("content_hash", ContentHash, "2.4.2"),
    ("disposition", OneOf(DISPOSITIONS), "4.3.11"),
    ("session_id", SessionIds, "4.3.12"),
    ("party_history", Objects, "4.3.13"),
    ("transferee", Index, "4.3.14"),
    ("transferor", Index, "4.3.14"),
    ("transfer_target", Index, "4.3.14"),
    ("original", Index, "4.3.14"),
    ("consultation", Index, "4.3.14"),
    ("target_dialog", Index, "4.3.14"),
    ("application", Text, "4.3.15"),
    ("message_id", Text, "4.3.16"),
];

const EVENTS: &[&str] = &["join", "drop", "hold", "unhold", "mute", "unmute", "keydown", "keyup"];

pub(super) const PARTY_EVENT: &[Field] = &[
    ("party", Index, "4.3.13"),
    ("time", Date, "4.3.13"),
    ("event", OneOf(EVENTS), "4.3.13"),
    ("button", Text, "4.3.13"),
];

const ATTACHMENT: &[Field] = &[
    ("purpose", Text, "4.4.1"),
    ("start", Date, "4.4.2"),
    ("party", Index, "4.4.3"),
    ("dialog", Index, "4.4.4"),
    ("mediatype", MediaType, "4.4.5"),
    ("filename", Text, "4.4.6"),
    ("body", Any, "2.3.1"),
    ("encoding", OneOf(ENCODINGS), "2.3.2"),
    ("url", HttpsUrl, "2.4.1"),
    ("content_hash", ContentHash, "2.4.2"),
];

const ANALYSIS: &[Field] = &[
    ("type", Text, "4.5.1"),
    ("dialog", Indices, "4.5.2"),
    ("attachment", Indices, "4.5.3"),
    ("mediatype", MediaType, "4.5.4"),
    ("filename", Text, "4.5.5"),
    ("vendor", Text, "4.5.6"),
    ("product", Text, "4.5.7"),
    ("schema", Text, "4.5.8"),
    ("body", Any, "2.3.1"),
    ("encoding", OneOf(ENCODINGS), "2.3.2"),
    ("url", HttpsUrl, "2.4.1"),
    ("content_hash", ContentHash, "2.4.2"),
];

/// What a fuller or earlier version is referred to with.
pub(super) const REDACTED: &[Field] = &[
    ("uuid", Text, "4.1.8"),
    ("type", Text, "4.1.8"),
    ("url", HttpsUrl, "2.4.1"),
    ("content_hash", ContentHash, "2.4.2"),
];
pub(super) const AMENDED: &[Field] =
    &[("uuid", Text, "4.1.9"), ("url", HttpsUrl, "2.4.1"), ("content_hash", ContentHash, "2.4.2")];

/// The members of a section's entries.
pub(super) fn of(section: Section) -> &'static [Field] {
    match section {
        Section::Parties => PARTY,
        Section::Dialog => DIALOG,
        Section::Analysis => ANALYSIS,
        Section::Attachments => ATTACHMENT,
    }
}

/// The section of the draft on a section's entries.
pub(super) fn chapter(section: Section) -> &'static str {
    match section {
        Section::Parties => "4.2",
        Section::Dialog => "4.3",
        Section::Attachments => "4.4",
        Section::Analysis => "4.5",
    }
}

/// Checks the type of every member that the draft defines.
pub(super) fn check_types(path: &str, object: &Members<'_>, fields: &[Field], report: &mut Report) {
    for member in &object.members {
        let name = unescape(member.key);
        if let Some((name, kind, section)) = fields.iter().find(|(known, ..)| *known == name)
            && let Some((rule, message)) = kind.check(member.value)
        {
            report.error(format!("{path}/{name}"), rule, section, format!("`{name}`: {message}"));
        }
    }
}

/// Notes the members that must be there and are not.
pub(super) fn require(
    path: &str,
    object: &Members<'_>,
    names: &[&str],
    fields: &[Field],
    report: &mut Report,
) {
    for name in names.iter().filter(|name| !object.has(name)) {
        let section = fields.iter().find(|(known, ..)| known == name).map_or("4", |(.., section)| section);
        report.error(
            format!("{path}/{name}"),
            "required",
            section,
            format!("`{name}` is missing and must be there"),
        );
    }
}
