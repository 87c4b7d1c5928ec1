//! The vCon as clients post it: the Python server's field rules, applied to the JSON as it came.
//!
//! One strict pass finds the members; only what the rules are about is looked into, and everything else is copied. What
//! comes out is what is stored and answered: members in the Python server's order, absent ones filled with null.
//! Signed and encrypted vCons pass untouched.

mod dialog;
mod moment;
mod number;
mod pattern;
mod problem;
mod sealed;

use bytes::Bytes;
use conserver_core::store::IndexKeys;
use conserver_core::vcon::{DocumentError, Entry, Form, Limits, Vcon, VconId};

pub(crate) use moment::Moment;
pub(crate) use problem::{Loc, Problem, Problems, echo};

/// A document that may come in.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// Its id: for a UUID in lower case with hyphens.
    pub(crate) id: VconId,
    /// What is stored and answered.
    pub(crate) json: Bytes,
    /// What it is found by.
    pub(crate) keys: IndexKeys,
}

/// Why a document may not come in.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It is no document at all.
    Document(DocumentError),
    /// It breaks rules; never empty.
    Rules(Vec<Problem>),
}

/// Top-level members that have rules, in the order in which they are written.
const MEMBERS: [&str; 11] = [
    "vcon",
    "uuid",
    "created_at",
    "subject",
    "redacted",
    "appended",
    "group",
    "parties",
    "dialog",
    "analysis",
    "attachments",
];

/// The version of the format that a document without one is in, as JSON.
const VERSION: &str = "\"0.4.0\"";

/// Checks a posted document and gives it the shape in which it is stored.
pub(crate) fn accept(body: Bytes, limits: &Limits) -> Result<Accepted, Refusal> {
    let vcon = Vcon::parse(VconId::new(""), body.clone(), limits).map_err(Refusal::Document)?;
    if vcon.form() != Form::Unsigned {
        return sealed::accept(body, limits);
    }
    let mut reading = Reading {
        whole: &body,
        problems: Problems::default(),
        keys: IndexKeys::default(),
        parties: 0,
        outside: None,
    };
    let mut out = Vec::with_capacity(body.len() + 256);
    let id = reading.document(&vcon, &mut out);
    if let (Some(id), true) = (id, reading.problems.is_empty()) {
        reading.party_indices();
        if reading.problems.is_empty() {
            return Ok(Accepted { id, json: out.into(), keys: reading.keys });
        }
    }
    Err(Refusal::Rules(reading.problems.into_vec()))
}

/// What is gathered on the way through a document.
struct Reading<'a> {
    whole: &'a [u8],
    problems: Problems,
    keys: IndexKeys,
    parties: usize,
    /// The first dialog in which somebody speaks who is not there, and which index that is.
    outside: Option<(usize, i64)>,
}

impl Reading<'_> {
    fn document(&mut self, vcon: &Vcon, out: &mut Vec<u8>) -> Option<VconId> {
        let mut id = None;
        for (n, name) in MEMBERS.into_iter().enumerate() {
            out.push(if n == 0 { b'{' } else { b',' });
            key(name, out);
            let raw = vcon.raw(name);
            let at = || Loc::body(name);
            match (name, raw) {
                // Deprecated since core-04, and wanted by readers of before: written as it is meant.
                ("vcon", None) => out.extend_from_slice(VERSION.as_bytes()),
                ("uuid" | "created_at", None) => {
                    self.problems.push(Problem::missing(at(), echo(self.whole)));
                }
                ("vcon", Some(raw)) if !raw.starts_with('"') => {
                    self.problems.push(Problem::string_type(at(), raw));
                }
                ("uuid", Some(raw)) => id = self.uuid(raw, out),
                ("created_at", Some(raw)) => self.created_at(raw, out),
                ("subject", Some(raw)) if raw != "null" && !raw.starts_with('"') => {
                    self.problems.push(Problem::string_type(at(), raw));
                }
                ("redacted", Some(raw)) if !raw.starts_with('{') => {
                    self.problems.push(Problem::dict_type(at(), raw));
                }
                ("appended", Some(raw)) if raw != "null" && !raw.starts_with('{') => {
                    self.problems.push(Problem::dict_type(at(), raw));
                }
                ("subject" | "appended", None) => out.extend_from_slice(b"null"),
                ("redacted", None) => out.extend_from_slice(b"{}"),
                ("group" | "parties" | "dialog" | "analysis" | "attachments", None) => {
                    out.extend_from_slice(b"[]");
                }
                ("group" | "parties" | "dialog" | "analysis" | "attachments", Some(raw)) => {
                    self.section(vcon, name, raw, out);
                }
                (_, Some(raw)) => out.extend_from_slice(raw.as_bytes()),
                (_, None) => {}
            }
        }
        for name in vcon.members().filter(|name| !MEMBERS.contains(&&**name)) {
            out.push(b',');
            key(&name, out);
            out.extend_from_slice(vcon.raw(&name).unwrap_or("null").as_bytes());
        }
        out.push(b'}');
        id
    }

    fn uuid(&mut self, raw: &str, out: &mut Vec<u8>) -> Option<VconId> {
        let Some(text) = text(raw) else {
            self.problems.push(Problem::uuid_type(Loc::body("uuid"), raw));
            return None;
        };
        match uuid::Uuid::parse_str(&text) {
            Ok(uuid) => {
                let mut buffer = uuid::Uuid::encode_buffer();
                let lower: &str = uuid.as_hyphenated().encode_lower(&mut buffer);
                out.push(b'"');
                out.extend_from_slice(lower.as_bytes());
                out.push(b'"');
                Some(VconId::new(lower))
            }
            Err(error) => {
                self.problems.push(Problem::uuid_parsing(Loc::body("uuid"), &error, raw));
                None
            }
        }
    }

    fn created_at(&mut self, raw: &str, out: &mut Vec<u8>) {
        match Moment::of_json(raw) {
            Ok(moment) => {
                self.keys.created = Some(moment.unix());
                out.push(b'"');
                out.extend_from_slice(moment.iso().as_bytes());
                out.push(b'"');
            }
            Err(fault) => self.problems.push(fault.problem(Loc::body("created_at"), raw)),
        }
    }

    fn section(&mut self, vcon: &Vcon, name: &'static str, raw: &str, out: &mut Vec<u8>) {
        if !raw.starts_with('[') {
            return self.problems.push(Problem::list_type(Loc::body(name), raw));
        }
        if !matches!(name, "parties" | "dialog") {
            out.extend_from_slice(raw.as_bytes());
            for (index, value) in vcon.odd_elements(name) {
                self.problems.push(Problem::dict_type(Loc::body(name).index(index), value));
            }
            return;
        }
        out.push(b'[');
        let mut first = true;
        for (index, element) in vcon.elements(name).enumerate() {
            let entry = match element {
                Ok(entry) => entry,
                Err(raw) => {
                    self.problems.push(Problem::model_type(Loc::body(name).index(index), raw));
                    continue;
                }
            };
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            if name == "parties" {
                self.party(&entry, out);
            } else {
                dialog::write(&entry, &mut self.problems, out);
                self.outside = self.outside.or_else(|| {
                    let all = entry.get("parties").map(dialog::indices).unwrap_or_default();
                    let is_there = |n: i64| usize::try_from(n).is_ok_and(|n| n < self.parties);
                    Some((index, all.into_iter().find(|n| !is_there(*n))?))
                });
            }
        }
        out.push(b']');
    }

    fn party(&mut self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        self.parties = entry.index() + 1;
        let tel = entry.get("tel").unwrap_or("null");
        if tel != "null" {
            let at = || Loc::body("parties").index(entry.index()).name("tel");
            match text(tel) {
                None => self.problems.push(Problem::string_type(at(), tel)),
                Some(number) if !pattern::is_tel(&number) => {
                    let says = format!("tel has invalid format: {}", pattern::repr(&number));
                    self.problems.push(Problem::value(at(), says, tel));
                }
                Some(_) => {}
            }
        }
        out.extend_from_slice(b"{\"tel\":");
        out.extend_from_slice(tel.as_bytes());
        copy_members(entry, &["tel"], out);
        out.push(b'}');
        let found =
            [(&mut self.keys.tel, "tel"), (&mut self.keys.mailto, "mailto"), (&mut self.keys.name, "name")];
        for (list, member) in found {
            list.extend(entry.text(member).filter(|value| !value.is_empty()).map(|value| value.into_owned()));
        }
    }

    /// The one rule about the whole document, asked when nothing else is wrong: nobody speaks who is not there.
    fn party_indices(&mut self) {
        let Some((dialog, outside)) = self.outside else { return };
        let parties = self.parties;
        let says = format!(
            "dialog[{dialog}].parties contains index {outside} which is out of range (parties has {parties} entries)"
        );
        self.problems.push(Problem::value_of(Loc::whole_body(), says, echo(self.whole)));
    }
}

/// Copies all members but these.
fn copy_members(entry: &Entry<'_>, but: &[&str], out: &mut Vec<u8>) {
    for (name, raw) in entry.members().filter(|(name, _)| !but.contains(&&**name)) {
        out.push(b',');
        key(&name, out);
        out.extend_from_slice(raw.as_bytes());
    }
}

/// A member's name with its colon.
fn key(name: &str, out: &mut Vec<u8>) {
    if name.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
    } else {
        out.extend_from_slice(serde_json::Value::from(name).to_string().as_bytes());
        out.push(b':');
    }
}

/// The text of a raw JSON string; `None` for other values.
pub(crate) fn text(raw: &str) -> Option<std::borrow::Cow<'_, str>> {
    if !raw.starts_with('"') {
        return None;
    }
    match raw.get(1..raw.len().saturating_sub(1)) {
        Some(inner) if !inner.contains('\\') => Some(inner.into()),
        // A lone surrogate is legal JSON and no text: it is shown as what replaces it.
        _ => Some(serde_json::from_str::<String>(raw).unwrap_or_else(|_| "\u{fffd}".to_owned()).into()),
    }
}

#[cfg(test)]
mod tests;
