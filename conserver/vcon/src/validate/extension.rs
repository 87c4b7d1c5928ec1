//! Extensions: which are known, who declares them, and which must be understood.

use super::report::Report;
use crate::entry::{Entry, text};
use crate::json::Elements;
use crate::section::Section;
use crate::vcon::Vcon;

/// Extensions whose data a pipeline can carry without harm: what it does not understand in them it hands
/// on as it is.
const SUPPORTED: [&str; 7] =
    ["CC", "wtf_transcription", "lawful_basis", "sip-signaling", "agent_session", "mcp_session", MIMI];

/// Messages of MIMI. Their draft has registered no name so far.
const MIMI: &str = "mimi";

/// Members that belong to an extension, by section.
const MEMBERS: [(Section, &str, &[&str]); 6] = [
    (Section::Parties, "CC", &["role", "contact_list"]),
    (Section::Dialog, "CC", &["campaign", "interaction_type", "interaction_id", "skill"]),
    (Section::Parties, "sip-signaling", &["sip_contact", "sip_user_agent", "sip_display_name"]),
    (Section::Dialog, "sip-signaling", &["sip_call_id", "sip_from_tag", "sip_to_tag", "sip_cseq"]),
    (Section::Parties, MIMI, &["im_uri", "thumbprint"]),
    (Section::Dialog, MIMI, &["salt", "topic_id", "in_reply_to", "mimi_extensions", "franking_tag", "frank"]),
];

/// Types of dialog and analysis, and purposes of attachments, that belong to an extension.
const TYPES: [(Section, &str, &str); 8] = [
    (Section::Dialog, "mcp_session", "mcp_session"),
    (Section::Dialog, "tombstone", MIMI),
    (Section::Analysis, "wtf_transcription", "wtf_transcription"),
    (Section::Analysis, "mcp_session_summary", "mcp_session"),
    (Section::Analysis, "mcp_tool_analysis", "mcp_session"),
    (Section::Analysis, "agent_trace", "agent_session"),
    (Section::Attachments, "lawful_basis", "lawful_basis"),
    (Section::Attachments, "mcp_artifact", "mcp_session"),
];

/// Returns the names in `critical` that this implementation does not support.
///
/// A consumer must not process a vCon that has one (draft-ietf-vcon-vcon-core-04 §4.1.4).
pub fn unsupported_extensions(doc: &Vcon) -> Vec<String> {
    let names = critical(doc);
    names.into_iter().filter(|name| !SUPPORTED.contains(&&**name)).collect()
}

/// The names in `critical`, under its name of today or the older one.
pub(super) fn critical(doc: &Vcon) -> Vec<String> {
    names(doc, "critical").or_else(|| names(doc, "must_support")).unwrap_or_default()
}

/// The names in `extensions`.
pub(super) fn declared(doc: &Vcon) -> Vec<String> {
    names(doc, "extensions").unwrap_or_default()
}

/// The names in a list of strings.
fn names(doc: &Vcon, member: &str) -> Option<Vec<String>> {
    let raw = doc.raw(member)?;
    Some(Elements::new(raw).filter_map(|(_, element)| Some(text(element.raw())?.into_owned())).collect())
}

/// The extension a member belongs to.
pub(super) fn of_member(section: Section, name: &str) -> Option<&'static str> {
    MEMBERS
        .iter()
        .find(|(of, _, names)| *of == section && names.contains(&name))
        .map(|(_, extension, _)| *extension)
}

/// The extension that a whole entry belongs to, by its type or purpose.
pub(super) fn of_entry(section: Section, entry: &Entry<'_>) -> Option<&'static str> {
    let has = |member: &str, value: &str| entry.text(member).is_some_and(|text| text == value);
    let is = |value: &str| has("type", value) || (section == Section::Attachments && has("purpose", value));
    TYPES.iter().find(|(of, value, _)| *of == section && is(value)).map(|(.., extension)| *extension)
}

/// True for an event of the party history that stands between the dialogs, where MIMI puts it.
pub(super) fn is_history(section: Section, entry: &Entry<'_>) -> bool {
    section == Section::Dialog && entry.get("type").is_none() && entry.get("event").is_some()
}

/// Notes what `extensions` ought to name and does not.
pub(super) fn check(doc: &Vcon, report: &mut Report) {
    let declared = declared(doc);
    for name in critical(doc).iter().filter(|name| !declared.contains(name)) {
        let message = format!("`critical` names `{name}`, which `extensions` does not");
        report.warn("/extensions", "critical-undeclared", "4.1.4", message);
    }
    let mut missing: Vec<&str> = Vec::new();
    for section in Section::ALL {
        for entry in doc.section(section) {
            let of_members = entry.members().filter_map(|(name, _)| of_member(section, &name));
            missing.extend(
                of_members
                    .chain(of_entry(section, &entry))
                    .filter(|name| !declared.iter().any(|d| d == name)),
            );
        }
    }
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        let message = format!("`extensions` should name what is used here: {}", missing.join(", "));
        report.warn("/extensions", "undeclared-extension", "4.1.3", message);
    }
}
