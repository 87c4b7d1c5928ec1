//! Signed and encrypted documents: what can be said without keys.

use super::report::Report;
use crate::form::{Form, jose_uuid};
use crate::json::{Elements, Object};
use crate::section::Section;
use crate::vcon::Vcon;

pub(super) fn check(doc: &Vcon, report: &mut Report) {
    let (list, needed, section) = match doc.form() {
        Form::Jwe => ("recipients", "encrypted_key", "5.3"),
        _ => ("signatures", "signature", "5.2"),
    };
    if let Some(raw) = doc.raw(list) {
        if Elements::new(raw).next().is_none() {
            report.error(
                format!("/{list}"),
                "required",
                section,
                format!("`{list}` must have at least one entry"),
            );
        }
        for (index, (_, element)) in Elements::new(raw).enumerate() {
            if !Object::parse(element.raw())
                .is_some_and(|object| object.get(needed).is_some_and(|raw| raw.starts_with('"')))
            {
                let path = format!("/{list}/{index}/{needed}");
                report.error(path, "required", section, format!("`{needed}` must be there, in a string"));
            }
        }
    }
    if jose_uuid(|name| doc.raw(name)).is_none() {
        let message = "no header names the `uuid`, so the vCon cannot be known without opening it";
        report.warn("", "no-header-uuid", section, message);
    }
    if let Some(beside) = Section::ALL.iter().find(|section| doc.raw(section.name()).is_some()) {
        let message = format!("`{}` stands beside a signature that does not cover it", beside.name());
        report.warn(format!("/{}", beside.name()), "plain-beside-signed", section, message);
    }
}
