//! The fields of a dialog that have rules.

use conserver_core::vcon::Entry;

use super::{Loc, Problem, Problems, copy_members, number, pattern, text};

/// Fields that have rules, in the order in which they are written.
const FIELDS: [&str; 6] = ["duration", "start", "parties", "url", "mimetype", "alg"];
/// How deep party indices may be nested: a list for each channel.
const CHANNELS: usize = 2;

/// Writes one dialog, absent fields filled with null.
pub(super) fn write(entry: &Entry<'_>, problems: &mut Problems, out: &mut Vec<u8>) {
    for (n, field) in FIELDS.into_iter().enumerate() {
        out.push(if n == 0 { b'{' } else { b',' });
        super::key(field, out);
        let raw = entry.get(field).unwrap_or("null");
        if raw == "null" {
            out.extend_from_slice(b"null");
            continue;
        }
        let at = || Loc::body("dialog").index(entry.index()).name(field);
        let written = match field {
            "duration" => duration(raw, at, out),
            "parties" => parties(raw, &at(), 0, out),
            _ => match rule(field, raw, at) {
                None => {
                    out.extend_from_slice(raw.as_bytes());
                    Ok(())
                }
                Some(problem) => Err(vec![problem]),
            },
        };
        written.unwrap_or_else(|found| found.into_iter().for_each(|problem| problems.push(problem)));
    }
    copy_members(entry, &FIELDS, out);
    out.push(b'}');
}

fn duration(raw: &str, at: impl Fn() -> Loc, out: &mut Vec<u8>) -> Result<(), Vec<Problem>> {
    let seconds = number::float(raw, &at).map_err(|problem| vec![*problem])?;
    if seconds < 0.0 {
        return Err(vec![Problem::value(at(), "duration must be >= 0", raw)]);
    }
    out.extend_from_slice(serde_json::Value::from(seconds).to_string().as_bytes());
    Ok(())
}

/// Indices of parties, lists of them for channels included.
fn parties(raw: &str, at: &Loc, depth: usize, out: &mut Vec<u8>) -> Result<(), Vec<Problem>> {
    if depth > 0 && raw == "null" {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    if !raw.starts_with('[') {
        if depth == 0 && !raw.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(vec![Problem::list_type(at.clone(), raw)]);
        }
        let index = number::integer(raw, || at.clone()).map_err(|problem| vec![*problem])?;
        out.extend_from_slice(index.to_string().as_bytes());
        return Ok(());
    }
    if depth >= CHANNELS {
        return Err(vec![Problem::int_type(at.clone(), raw)]);
    }
    let elements: Vec<&serde_json::value::RawValue> = serde_json::from_str(raw).unwrap_or_default();
    let mut problems = Vec::new();
    out.push(b'[');
    for (n, element) in elements.into_iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        let inner = at.clone().index(n);
        parties(element.get(), &inner, depth + 1, out).unwrap_or_else(|found| problems.extend(found));
    }
    out.push(b']');
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The rule of a text field, if the value breaks it.
fn rule(field: &str, raw: &str, at: impl Fn() -> Loc) -> Option<Problem> {
    let Some(text) = text(raw) else { return Some(Problem::string_type(at(), raw)) };
    let says = match field {
        "url" if !pattern::is_url(&text) => {
            format!("url does not look like a valid URL: {}", pattern::repr(&text))
        }
        "mimetype" if !pattern::is_media_type(&text) => {
            format!("mimetype has invalid format: {}", pattern::repr(&text))
        }
        "alg" if !pattern::ALGORITHMS.contains(&&*text) => {
            format!("alg {} is not a recognised algorithm", pattern::repr(&text))
        }
        _ => return None,
    };
    Some(Problem::value(at(), says, raw))
}

/// All indices in a value that has passed the rules.
pub(super) fn indices(raw: &str) -> Vec<i64> {
    let parts = raw.split(|c: char| "[], \t\r\n".contains(c)).filter(|part| !part.is_empty());
    parts.filter_map(|part| number::integer(part, Loc::whole_body).ok()).collect()
}
