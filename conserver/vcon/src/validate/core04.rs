//! The strict report: what draft-ietf-vcon-vcon-core-04 makes mandatory, beyond the door.

use super::report::Report;
use super::{content, dialog, extension, field, reference, session};
use crate::json::Object;
use crate::section::Section;
use crate::vcon::Vcon;

pub(super) fn check(doc: &Vcon, report: &mut Report) {
    check_root(doc, report);
    for section in Section::ALL {
        for entry in doc.section(section) {
            let path = format!("/{}/{}", section.name(), entry.index());
            if extension::is_history(section, &entry) {
                continue;
            }
            let (object, fields) = (entry.object(), field::of(section));
            field::check_types(&path, object, fields, report);
            match section {
                Section::Parties => {}
                Section::Dialog => dialog::check(&path, &entry, report),
                Section::Attachments => {
                    field::require(&path, object, &["start", "party", "dialog"], fields, report);
                    content::check(section, &path, &entry, report);
                }
                Section::Analysis => {
                    field::require(&path, object, &["type", "vendor"], fields, report);
                    content::check(section, &path, &entry, report);
                }
            }
        }
    }
    reference::check(doc, report);
    session::check(doc, report);
}

fn check_root(doc: &Vcon, report: &mut Report) {
    for (name, kind, section) in field::ROOT {
        // The sections have had their check at the door.
        let is_section = Section::ALL.iter().any(|section| section.name() == *name);
        if let Some(raw) = doc.raw(name).filter(|_| !is_section)
            && let Some((rule, message)) = kind.check(raw)
        {
            report.error(format!("/{name}"), rule, section, format!("`{name}`: {message}"));
        }
    }
    for (name, fields, required) in
        [("redacted", field::REDACTED, &["type"][..]), ("amended", field::AMENDED, &[])]
    {
        if let Some(object) = doc.raw(name).and_then(Object::parse) {
            check_earlier(name, &object, fields, required, report);
        }
    }
}

/// Checks the reference to an earlier or fuller version.
fn check_earlier(
    name: &str,
    object: &Object<'_>,
    fields: &[field::Field],
    required: &[&str],
    report: &mut Report,
) {
    let path = format!("/{name}");
    field::check_types(&path, object, fields, report);
    field::require(&path, object, required, fields, report);
    if object.has("url") {
        field::require(&path, object, &["content_hash"], fields, report);
    } else if name == "amended" && !object.has("uuid") {
        field::require(&path, object, &["uuid"], fields, report);
    }
}
