//! What is odd in any profile: legacy names, empty leftovers, things a reader has to guess.

use super::report::Report;
use super::{Profile, content, extension, field};
use crate::entry::Entry;
use crate::json::Elements;
use crate::section::Section;
use crate::timestamp;
use crate::vcon::Vcon;

/// (old, new) at the top level.
const ROOT_NAMES: [(&str, &str); 2] = [("appended", "amended"), ("must_support", "critical")];
/// (old, new) in entries; a name that two drafts renamed differently stands with what replaces it today.
const ENTRY_NAMES: [(&str, &str); 9] = [
    ("mimetype", "mediatype"),
    ("alg", "content_hash"),
    ("signature", "content_hash"),
    ("schema_version", "schema"),
    ("vendor_schema", "schema"),
    ("must_support", "critical"),
    ("transfer-target", "transfer_target"),
    ("target-dialog", "target_dialog"),
    ("dtmf", "button"),
];
const ANALYSIS_TYPES: [&str; 6] = ["report", "sentiment", "summary", "transcript", "translation", "tts"];

pub(super) fn check(doc: &Vcon, profile: Profile, report: &mut Report) {
    check_root(doc, report);
    let has_extensions = doc.raw("extensions").is_some();
    let declared = extension::declared(doc);
    for section in Section::ALL {
        for entry in doc.section(section) {
            let path = format!("/{}/{}", section.name(), entry.index());
            if extension::is_history(section, &entry) {
                let message =
                    "an event of the party history between the dialogs, as MIMI has it; it is no dialog";
                report.warn(path, "history-in-dialog", "4.3.13", message);
                continue;
            }
            check_names(section, &path, &entry, has_extensions, report);
            match section {
                Section::Parties => check_party(&path, &entry, report),
                Section::Dialog => check_dialog(&path, &entry, profile, &declared, report),
                Section::Analysis => check_analysis(&path, &entry, report),
                Section::Attachments => {}
            }
            if section != Section::Parties {
                content::check_oddities(section, &path, &entry, report);
            }
        }
    }
    extension::check(doc, report);
}

fn check_root(doc: &Vcon, report: &mut Report) {
    if doc.raw("vcon").is_some_and(|version| version != "\"0.4.0\"") {
        let message =
            "`vcon` is deprecated and no other version than `0.4.0` is current; the shape is what counts";
        report.warn("/vcon", "version", "4.1.1", message);
    }
    for (old, new) in ROOT_NAMES {
        if doc.raw(old).is_some() {
            report.warn(format!("/{old}"), "legacy-name", "7", format!("`{old}` is called `{new}` today"));
        }
    }
    for name in ["group", "redacted", "amended", "appended"] {
        if doc.raw(name).is_some_and(|raw| raw == "null" || is_empty(raw)) {
            report.warn(
                format!("/{name}"),
                "empty-member",
                "4.1",
                format!("`{name}` is empty; leave it out"),
            );
        }
    }
    let is_v8 = |uuid: &str| uuid::Uuid::try_parse(uuid).map_or(true, |uuid| uuid.get_version_num() == 8);
    if doc.text("uuid").is_some_and(|uuid| !is_v8(&uuid)) {
        report.warn("/uuid", "uuid-version", "4.1.2", "`uuid` should be of version 8");
    }
    let seconds = |name: &str| Some(timestamp::parse(&doc.text(name)?)?.0);
    if let (Some(created), Some(updated)) = (seconds("created_at"), seconds("updated_at"))
        && updated < created
    {
        report.warn("/updated_at", "updated-before-created", "4.1.6", "`updated_at` is before `created_at`");
    }
    if doc.raw("extensions").is_none() {
        let legacy = ROOT_NAMES.map(|(old, _)| old);
        for name in doc.members().filter(|name| !is_known(name, field::ROOT) && !legacy.contains(&&**name)) {
            report.warn(format!("/{}", escape(&name)), "unknown-member", "2.5", unknown(&name));
        }
    }
}

fn check_names(section: Section, path: &str, entry: &Entry<'_>, has_extensions: bool, report: &mut Report) {
    for (name, _) in entry.members() {
        let place = format!("{path}/{}", escape(&name));
        let known = is_known(&name, field::of(section));
        if let Some((_, new)) =
            ENTRY_NAMES.iter().find(|(old, _)| *old == name && section != Section::Parties)
        {
            report.warn(place, "legacy-name", "7", format!("`{name}` is replaced by `{new}` today"));
        } else if section == Section::Attachments && name == "type" && entry.get("purpose").is_none() {
            report.warn(place, "legacy-name", "4.4.1", "`type` of an attachment is called `purpose` today");
        } else if !known && !has_extensions && extension::of_member(section, &name).is_none() {
            report.warn(place, "unknown-member", "2.5", unknown(&name));
        }
    }
}

fn check_party(path: &str, party: &Entry<'_>, report: &mut Report) {
    for name in ["tel", "mailto", "name"] {
        if party.get(name) == Some("\"\"") {
            report.warn(
                format!("{path}/{name}"),
                "empty-text",
                "4.2",
                format!("`{name}` is empty; leave it out"),
            );
        }
    }
    let is_named = party.text("name").is_some_and(|name| !name.is_empty() && name != "anonymous");
    if is_named && party.get("validation").is_none() {
        let message = "`name` should come with `validation`, which says how the identity was checked";
        report.warn(format!("{path}/name"), "unvalidated-name", "4.2.7", message);
    }
}

fn check_dialog(path: &str, dialog: &Entry<'_>, profile: Profile, declared: &[String], report: &mut Report) {
    let kind = dialog.text("type");
    let is_known = kind.as_deref().is_some_and(|kind| field::DIALOG_TYPES.contains(&kind))
        || extension::of_entry(Section::Dialog, dialog)
            .is_some_and(|of| declared.iter().any(|name| name == of));
    let place = format!("{path}/type");
    // An extension may add a type of its own; without one it is a mistake.
    if !is_known && profile == Profile::Core04 && declared.is_empty() {
        report.error(
            place,
            "bad-value",
            "4.3.1",
            format!("expected one of: {}", field::DIALOG_TYPES.join(", ")),
        );
    } else if !is_known {
        let message =
            format!("expected one of: {}, or one of a declared extension", field::DIALOG_TYPES.join(", "));
        report.warn(place, "unknown-type", "4.3.1", message);
    }
    let is_placeholder = dialog.members().count() <= 1;
    if !is_placeholder
        && kind.as_deref() != Some("transfer")
        && dialog.get("start").is_none_or(|raw| raw == "null")
    {
        report.warn(format!("{path}/start"), "recommended", "4.3.2", "`start` should be there");
    }
    for (index, (_, element)) in Elements::new(dialog.get("party_history").unwrap_or_default()).enumerate() {
        if element.raw().contains("\"dtmf") {
            let message = "`dtmfdown` and `dtmfup` are called `keydown` and `keyup` today, with a `button`";
            report.warn(format!("{path}/party_history/{index}"), "legacy-name", "4.3.13", message);
        }
    }
}

fn check_analysis(path: &str, analysis: &Entry<'_>, report: &mut Report) {
    // Types of extensions are theirs to define.
    let is_own = extension::of_entry(Section::Analysis, analysis).is_some();
    if analysis.text("type").is_some_and(|kind| !is_own && !ANALYSIS_TYPES.contains(&&*kind)) {
        let message = format!("`type` should be one of: {}", ANALYSIS_TYPES.join(", "));
        report.warn(format!("{path}/type"), "unknown-type", "4.5.1", message);
    }
}

fn is_known(name: &str, fields: &[field::Field]) -> bool {
    fields.iter().any(|(known, ..)| *known == name)
}

fn is_empty(raw: &str) -> bool {
    let inner = raw.strip_prefix(['[', '{']).and_then(|rest| rest.strip_suffix([']', '}']));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}

fn unknown(name: &str) -> String {
    format!("`{name}` is not defined, and no `extensions` say where it comes from")
}

/// A name as a token of a JSON pointer.
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
