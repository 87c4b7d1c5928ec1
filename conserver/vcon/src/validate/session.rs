//! Sessions and events, which drafts after core-04 have at the top level.
//!
//! No published draft has them yet, so what is wrong with them is a warning. They refer to parties and dialogs
//! by index: a reader is lost where one of those is out of range.

use super::field::{self, Field};
use super::kind::Kind::{Date, Index, IndexList, Number, Objects, OneOf, Text};
use super::report::Report;
use crate::entry::{indices, text};
use crate::json::{Elements, Object};
use crate::vcon::Vcon;

/// The draft that has them is not numbered, so its sections are not either.
const DRAFT: &str = "after core-04";

const SESSION: &[Field] = &[
    ("start", Date, DRAFT),
    ("duration", Number, DRAFT),
    ("parties", IndexList, DRAFT),
    ("sessions", Objects, DRAFT),
    ("dialog", IndexList, DRAFT),
];

const RELATED: &[Field] = &[
    ("session", Index, DRAFT),
    ("type", OneOf(&["child", "peer", "precursor", "breakout"]), DRAFT),
    ("description", Text, DRAFT),
];

const EVENT: &[Field] = &[
    ("type", OneOf(EVENTS), DRAFT),
    ("time", Date, DRAFT),
    ("session", Index, DRAFT),
    ("party", Index, DRAFT),
    ("dialog", Index, DRAFT),
    ("button", Text, DRAFT),
    ("transferee", Index, DRAFT),
    ("transfer_target", Index, DRAFT),
    ("consultation", Index, DRAFT),
    ("target_session", Index, DRAFT),
];

const EVENTS: &[&str] = &[
    "join",
    "drop",
    "hold",
    "unhold",
    "mute",
    "unmute",
    "keydown",
    "keyup",
    "consultation-start",
    "blind-transfer",
    "consultative-transfer",
    "transfer-abandoned",
];

/// (event, what it must have, what it must not have) beside what each event has.
const RULES: [(&str, &[&str], &[&str]); 6] = [
    ("keydown", &["button"], &[]),
    ("keyup", &["button"], &[]),
    ("consultation-start", &["transferee", "transfer_target", "consultation"], &["target_session", "dialog"]),
    ("blind-transfer", &["transferee", "transfer_target", "target_session"], &["consultation", "dialog"]),
    (
        "consultative-transfer",
        &["transferee", "transfer_target", "consultation", "target_session"],
        &["dialog"],
    ),
    ("transfer-abandoned", &["transferee"], &["target_session", "dialog"]),
];

/// (member, what it points at), of sessions, of what they refer to and of events.
const REFERENCES: [(&str, &str); 8] = [
    ("parties", "parties"),
    ("party", "parties"),
    ("transferee", "parties"),
    ("transfer_target", "parties"),
    ("dialog", "dialog"),
    ("session", "sessions"),
    ("consultation", "sessions"),
    ("target_session", "sessions"),
];

pub(super) fn check(doc: &Vcon, report: &mut Report) {
    let mut draft = Report::default();
    for (name, check) in
        [("sessions", check_session as fn(&str, &Object<'_>, &mut Report)), ("events", check_event)]
    {
        let Some(raw) = doc.raw(name) else { continue };
        if let Some((rule, message)) = Objects.check(raw) {
            draft.error(format!("/{name}"), rule, DRAFT, format!("`{name}`: {message}"));
        }
        for (path, object) in objects(&format!("/{name}"), raw) {
            check(&path, &object, &mut draft);
            check_references(doc, &path, &object, &mut draft);
            for (path, related) in
                objects(&format!("{path}/sessions"), object.get("sessions").unwrap_or_default())
            {
                check_references(doc, &path, &related, &mut draft);
            }
        }
    }
    let is_empty = |name| Elements::new(doc.raw(name).unwrap_or_default()).next().is_none();
    if is_empty("sessions") && !is_empty("events") {
        draft.error("/sessions", "required", DRAFT, "`sessions` must have an entry where `events` has one");
    }
    report.take_as_warnings(draft);
}

fn check_session(path: &str, session: &Object<'_>, report: &mut Report) {
    field::check_types(path, session, SESSION, report);
    for (path, related) in objects(&format!("{path}/sessions"), session.get("sessions").unwrap_or_default()) {
        field::check_types(&path, &related, RELATED, report);
        field::require(&path, &related, &["session"], RELATED, report);
    }
}

fn check_event(path: &str, event: &Object<'_>, report: &mut Report) {
    field::check_types(path, event, EVENT, report);
    field::require(path, event, &["type", "time", "session", "party"], EVENT, report);
    let Some(kind) = event.get("type").and_then(text) else { return };
    let Some((kind, needed, banned)) = RULES.iter().find(|(of, ..)| *of == kind) else { return };
    field::require(path, event, needed, EVENT, report);
    for name in banned.iter().filter(|name| event.has(name)) {
        let message = format!("`{name}` must not be there in an event `{kind}`");
        report.error(format!("{path}/{name}"), "not-allowed", DRAFT, message);
    }
}

fn check_references(doc: &Vcon, path: &str, object: &Object<'_>, report: &mut Report) {
    for (member, target) in REFERENCES {
        let Some(raw) = object.get(member) else { continue };
        let count = Elements::new(doc.raw(target).unwrap_or_default()).count();
        if indices(raw).any(|index| index >= count) {
            let message = format!("`{member}` is out of range; there are {count} in `{target}`");
            report.error(format!("{path}/{member}"), "out-of-range", DRAFT, message);
        }
    }
}

/// The objects of an array, each with its place.
fn objects<'a>(path: &str, raw: &'a str) -> impl Iterator<Item = (String, Object<'a>)> {
    let places = Elements::new(raw).enumerate();
    places.filter_map(move |(index, (_, element))| {
        Some((format!("{path}/{index}"), Object::parse(element.raw())?))
    })
}
