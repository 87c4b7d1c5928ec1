//! Extensions: which are known, who declares them, and which must be understood.

use super::report::Report;
use crate::entry::{Entry, text};
use crate::json::Elements;
use crate::section::Section;
use crate::vcon::Vcon;

/// Extensions whose data a pipeline can carry without harm: what it does not understand in them it hands
/// on as it is.
const SUPPORTED: [&str; 5] = ["CC", "wtf_transcription", "lawful_basis", "sip-signaling", "agent_session"];

/// Members that belong to an extension, by section.
const MEMBERS: [(Section, &str, &[&str]); 4] = [
    (Section::Parties, "CC", &["role", "contact_list"]),
    (Section::Dialog, "CC", &["campaign", "interaction_type", "interaction_id", "skill"]),
    (Section::Parties, "sip-signaling", &["sip_contact", "sip_user_agent", "sip_display_name"]),
    (Section::Dialog, "sip-signaling", &["sip_call_id", "sip_from_tag", "sip_to_tag", "sip_cseq"]),
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

/// The names in a list of strings.
pub(super) fn names(doc: &Vcon, member: &str) -> Option<Vec<String>> {
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
fn of_entry(section: Section, entry: &Entry<'_>) -> Option<&'static str> {
    let has = |member: &str, value: &str| entry.text(member).is_some_and(|text| text == value);
    match section {
        Section::Analysis if has("type", "wtf_transcription") => Some("wtf_transcription"),
        Section::Attachments if has("purpose", "lawful_basis") || has("type", "lawful_basis") => {
            Some("lawful_basis")
        }
        _ => None,
    }
}

/// Notes what `extensions` ought to name and does not.
pub(super) fn check(doc: &Vcon, report: &mut Report) {
    let declared = names(doc, "extensions").unwrap_or_default();
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
