//! The door: what a pipeline must be able to rely on.
//!
//! Five rules that nearly all real vCons keep, and two that protect the reader. Everything else is let in.

use super::extension;
use super::kind::is_index;
use super::report::Report;
use crate::entry::text;
use crate::json::{Element, Elements};
use crate::section::Section;
use crate::timestamp::{self, Spelling};
use crate::vcon::Vcon;

pub(super) fn check(doc: &Vcon, report: &mut Report) {
    check_form(doc, report);
    check_uuid(doc, report);
    check_created_at(doc, report);
    for section in Section::ALL {
        check_section(doc, section, report);
    }
    check_dialogs(doc, report);
    check_history(doc, report);
    for name in extension::unsupported_extensions(doc) {
        let message = format!("the vCon must not be processed without support for the extension `{name}`");
        report.error("/critical", "unsupported-critical", "4.1.4", message);
    }
}

fn check_form(doc: &Vcon, report: &mut Report) {
    if Section::ALL.iter().all(|section| doc.raw(section.name()).is_none()) {
        let message = "no form of a vCon: none of `parties`, `dialog`, `analysis` and `attachments` is there, \
                       and no signature or encryption";
        report.error("", "no-form", "5.4", message);
    }
}

fn check_uuid(doc: &Vcon, report: &mut Report) {
    match doc.raw("uuid") {
        None => report.error("/uuid", "required", "4.1.2", "`uuid` is missing and must be there"),
        Some(raw) if text(raw).is_none_or(|uuid| uuid::Uuid::try_parse(&uuid).is_err()) => {
            report.error("/uuid", "bad-uuid", "4.1.2", "`uuid` must be a UUID in a string, of any version");
        }
        Some(_) => {}
    }
}

fn check_created_at(doc: &Vcon, report: &mut Report) {
    let Some(raw) = doc.raw("created_at") else {
        return report.error("/created_at", "required", "4.1.5", "`created_at` is missing and must be there");
    };
    match text(raw).and_then(|date| timestamp::parse(&date)) {
        Some((_, Spelling::Proper)) => {}
        Some((_, Spelling::Naive)) => {
            let message = "`created_at` has no time zone and is taken as UTC; add `Z` or an offset";
            report.warn("/created_at", "naive-date", "4.1.5", message);
        }
        Some((_, Spelling::Odd)) => {
            let message = "`created_at` is not written as RFC 3339 asks, such as `2026-01-02T03:04:05Z`";
            report.warn("/created_at", "odd-date", "4.1.5", message);
        }
        None => {
            let message = "`created_at` must be a date in a string, such as `2026-01-02T03:04:05Z`";
            report.error("/created_at", "bad-date", "4.1.5", message);
        }
    }
}

fn check_section(doc: &Vcon, section: Section, report: &mut Report) {
    let name = section.name();
    let Some(raw) = doc.raw(name) else { return };
    if !raw.starts_with('[') {
        let message =
            format!("`{name}` must be an array of objects; leave it out when there is nothing in it");
        return report.error(format!("/{name}"), "wrong-type", "4.1", message);
    }
    for (index, (_, element)) in Elements::new(raw).enumerate() {
        if let Element::Other(_) = element {
            let message = format!("an entry of `{name}` must be an object");
            report.error(format!("/{name}/{index}"), "wrong-type", super::field::chapter(section), message);
        }
    }
}

fn check_dialogs(doc: &Vcon, report: &mut Report) {
    let parties = Elements::new(doc.raw("parties").unwrap_or_default()).count();
    for dialog in doc.dialog() {
        let path = format!("/dialog/{}", dialog.index());
        if let Some(raw) = dialog.get("parties") {
            check_party_indices(&format!("{path}/parties"), raw, parties, 0, report);
        }
        if let Some(raw) = dialog.get("duration").filter(|raw| *raw != "null")
            && !raw.parse::<f64>().is_ok_and(|seconds| seconds >= 0.0)
        {
            let message = "`duration` must be a number of seconds from 0 on";
            report.error(format!("{path}/duration"), "bad-duration", "4.3.3", message);
        }
    }
}

/// Indices may be nested once, for channels, and null, for a channel with nobody.
fn check_party_indices(path: &str, raw: &str, parties: usize, depth: usize, report: &mut Report) {
    if raw == "null" {
    } else if raw.starts_with('[') && depth < 2 {
        for (index, (_, element)) in Elements::new(raw).enumerate() {
            check_party_indices(&format!("{path}/{index}"), element.raw(), parties, depth + 1, report);
        }
    } else if !is_index(raw) {
        report.error(path, "bad-party-index", "4.3.4", "a party index must be an integer from 0 on");
    } else if raw.parse().is_ok_and(|index: usize| index >= parties) {
        let message = format!("the party index is out of range; there are {parties} parties");
        report.error(path, "out-of-range", "4.3.4", message);
    }
}

fn check_history(doc: &Vcon, report: &mut Report) {
    let is_there = |names: [&str; 2]| {
        names.iter().filter_map(|name| doc.raw(name)).any(|raw| !matches!(raw, "null" | "{}" | "[]"))
    };
    if is_there(["redacted", "redacted"]) && is_there(["amended", "appended"]) {
        let message = "a vCon is either redacted or amended; refer to the one version it was made from";
        report.error("/redacted", "redacted-and-amended", "4.1.8", message);
    }
}
