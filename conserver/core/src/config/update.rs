//! A configuration that comes back from a client: secrets that it was shown as stars are put back, and it is written as
//! YAML that both servers read.

use std::fmt::Write;

use serde_json::Value;

use super::redact;
use super::yaml::compose::compose;
use super::yaml::{Content, Node};
use crate::secret::MASK;

/// Puts what `current`, the text of the file, has in each place where `posted` has stars.
///
/// # Errors
/// The places of stars behind which nothing is stored.
pub fn unmask(posted: &Value, current: &str) -> Result<Value, Vec<String>> {
    let stored = compose(current).map(|composed| composed.root).ok();
    let mut lost = Vec::new();
    let value = put_back(posted, stored.as_ref(), &mut String::new(), &mut lost);
    if lost.is_empty() { Ok(value) } else { Err(lost) }
}

fn put_back(posted: &Value, stored: Option<&Node>, path: &mut String, lost: &mut Vec<String>) -> Value {
    let inside = |path: &mut String, step: &str| {
        let before = path.len();
        if before > 0 {
            path.push('.');
        }
        path.push_str(step);
        before
    };
    match posted {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| {
                let before = inside(path, key);
                let value = put_back(value, stored.and_then(|node| node.get(key)), path, lost);
                path.truncate(before);
                (key.clone(), value)
            })
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let node = match stored.map(|node| &node.content) {
                    Some(Content::List(nodes)) => same_item(item, index, items.len(), nodes),
                    _ => None,
                };
                let before = inside(path, &index.to_string());
                let value = put_back(item, node, path, lost);
                path.truncate(before);
                value
            })
            .collect(),
        Value::String(text) if text.contains(MASK) => match stored.map(Node::to_json) {
            Some(Value::String(known)) if text == MASK || *text == redact::url(&known) => {
                Value::String(known)
            }
            Some(known) if text == MASK && !known.is_object() && !known.is_array() && !known.is_null() => {
                known
            }
            _ => {
                lost.push(path.clone());
                posted.clone()
            }
        },
        other => other.clone(),
    }
}

/// What is stored for an item of a list: the one of its name, else the one in its place. Where items were taken out
/// nobody knows which, and a secret must not go to another's place.
fn same_item<'a>(item: &Value, index: usize, posted: usize, stored: &'a [Node]) -> Option<&'a Node> {
    let name_of = |node: &'a Node| Some(node.get("name")?.to_json());
    match item.get("name") {
        Some(name) => stored.iter().find(|node| name_of(node).as_ref() == Some(name)),
        None if posted < stored.len() => None,
        None => stored.get(index).filter(|node| node.get("name").is_none()),
    }
}

/// A whole number of a JSON text that has more digits than a [`Value`] keeps.
pub fn unkept_number(json: &[u8]) -> Option<String> {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|b| b.is_ascii_digit() || matches!(b, b'"' | b'-')) {
        rest = &rest[at..];
        if rest[0] == b'"' {
            let mut escaped = false;
            let ends = |b: &u8| {
                !std::mem::take(&mut escaped) && {
                    escaped = *b == b'\\';
                    *b == b'"'
                }
            };
            let end = rest[1..].iter().position(ends)?;
            rest = &rest[end + 2..];
            continue;
        }
        let is_part = |b: &u8| b.is_ascii_digit() || b"-+.eE".contains(b);
        let (number, after) = rest.split_at(rest.iter().take_while(|b| is_part(b)).count());
        let text = String::from_utf8_lossy(number);
        let is_whole = !text.contains(['.', 'e', 'E']);
        if is_whole && text.parse::<i64>().is_err() && text.parse::<u64>().is_err() {
            return Some(text.into_owned());
        }
        rest = after;
    }
    None
}

/// The value as YAML in block style. Texts are in double quotes, so that nothing is taken for something else.
pub fn yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(members) if members.is_empty() => out.push_str("{}\n"),
        value => block(value, 0, &mut out),
    }
    out
}

fn block(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let _ = write!(out, "{indent}{}:", name(key));
                nested(value, depth + 1, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                let _ = write!(out, "{indent}-");
                nested(item, depth + 1, out);
            }
        }
        scalar => {
            let _ = writeln!(out, "{indent}{}", flow(scalar));
        }
    }
}

fn nested(value: &Value, depth: usize, out: &mut String) {
    let is_block = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_block {
        out.push('\n');
        block(value, depth, out);
    } else {
        let _ = writeln!(out, " {}", flow(value));
    }
}

/// A value on one line: JSON, with what YAML takes for no text escaped.
fn flow(value: &Value) -> String {
    let is_printable = |c: char| {
        !matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    let mut json = value.to_string();
    // A float of YAML 1.1 has a point and a signed exponent: without them `1e-7` is a text.
    if value.is_f64()
        && let Some((mantissa, exponent)) = json.split_once('e')
    {
        let point = if mantissa.contains('.') { "" } else { ".0" };
        let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
        json = format!("{mantissa}{point}e{sign}{exponent}");
    }
    if json.chars().all(is_printable) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 8);
    for c in json.chars() {
        if is_printable(c) {
            out.push(c);
        } else {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
    }
    out
}

/// A key without quotes where nobody can take it for anything but a text.
fn name(key: &str) -> String {
    const WORDS: &[&str] = &["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_plain = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        && !WORDS.contains(&key.to_ascii_lowercase().as_str());
    if is_plain { key.to_owned() } else { flow(&Value::from(key)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stars_become_what_is_stored_and_the_rest_is_what_was_posted() {
        let current = "links:\n  a: {options: {api_key: sk-1, n: 1}}\nredis: redis://:pw@host\nkeys: [{key: \"${K}\"}]\n";
        let posted = json!({
            "links": {"a": {"options": {"api_key": MASK, "n": 2}}}, "redis": format!("redis://:{MASK}@host"),
            "keys": [{"key": MASK}],
        });
        let value = unmask(&posted, current).unwrap();
        assert_eq!(value["links"]["a"]["options"], json!({"api_key": "sk-1", "n": 2}));
        assert_eq!(value["redis"], "redis://:pw@host");
        assert_eq!(value["keys"][0]["key"], "${K}");
    }

    #[test]
    fn stars_with_nothing_behind_them_are_told() {
        let posted = json!({"links": {"b": {"options": {"api_key": MASK}}}, "redis": format!("redis://:{MASK}@other")});
        let lost = unmask(&posted, "redis: redis://:pw@host\n").unwrap_err();
        assert_eq!(lost, ["links.b.options.api_key", "redis"]);
    }

    #[test]
    fn a_number_that_would_lose_digits_is_found() {
        let big = "123456789012345678901234567890";
        assert_eq!(
            unkept_number(format!(r#"{{"a\\":"{big}","b":[1,-{big}]}}"#).as_bytes()),
            Some(format!("-{big}"))
        );
        let fine =
            format!(r#"{{"a":"\"{big}","b":[18446744073709551615,-9223372036854775808,1e300,{big}.5]}}"#);
        assert_eq!(unkept_number(fine.as_bytes()), None);
    }

    #[test]
    fn a_secret_stays_with_its_name_and_goes_to_nobody_elses_place() {
        let current = "keys: [{name: a, key: ka}, {name: b, key: kb}]\nopen: [x, y]\n";
        let b = json!({"keys": [{"name": "b", "role": "viewer", "key": MASK}], "open": [MASK, MASK, "z"]});
        let value = unmask(&b, current).unwrap();
        assert_eq!(value["keys"][0]["key"], "kb");
        assert_eq!(value["open"], json!(["x", "y", "z"]));
        let lost = |posted: Value| unmask(&posted, current).unwrap_err();
        assert_eq!(lost(json!({"keys": [{"name": "c", "key": MASK}]})), ["keys.0.key"]);
        assert_eq!(lost(json!({"keys": [{"key": MASK}, {"key": MASK}]})), ["keys.0.key", "keys.1.key"]);
        assert_eq!(lost(json!({"open": [MASK]})), ["open.0"]);
    }

    #[test]
    fn what_is_written_is_read_back_the_same() {
        let value = json!({
            "chains": {"main": {"links": ["a", "b"], "empty": [], "none": null, "deep": [[1, 2], {"x": "y: z\n\u{e9}"}]}},
            "yes": "no", "0644": "0644", "ratio": 1.5, "small": 1e-7, "huge": [1e300, -1.5e300, 2.5e-9], "on": true, "map": {},
            "\u{97}": "\u{7f}\u{85}\u{2028}\u{feff}\u{ffff}\u{10ffff}",
        });
        let text = yaml(&value);
        assert_eq!(compose(&text).map(|composed| composed.root.to_json()).ok(), Some(value), "{text}");
        assert_eq!(yaml(&json!({})), "{}\n");
    }
}
