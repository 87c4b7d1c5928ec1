//! Inline and external content: the rules that dialog, analysis and attachments share.

use super::field;
use super::report::Report;
use crate::entry::{Entry, text};
use crate::section::Section;

pub(super) fn check(section: Section, path: &str, entry: &Entry<'_>, report: &mut Report) {
    let (object, fields) = (entry.object(), field::of(section));
    if object.has("url") {
        field::require(path, object, &["content_hash"], fields, report);
    }
    let Some(body) = entry.get("body").filter(|body| *body != "\"\"") else { return };
    field::require(path, object, &["encoding"], fields, report);
    if section == Section::Analysis {
        if !object.has("mediatype") {
            report.warn(format!("{path}/mediatype"), "recommended", "4.5.4", "`mediatype` should be there");
        }
    } else {
        field::require(path, object, &["mediatype"], fields, report);
    }
    check_body(path, body, entry.encoding().as_deref(), report);
}

fn check_body(path: &str, body: &str, encoding: Option<&str>, report: &mut Report) {
    let path = format!("{path}/body");
    match (encoding, text(body)) {
        (Some("json") | None, _) => {}
        (Some(_), None) => {
            let message = "`body` must be a string unless `encoding` is `json`";
            report.error(path, "body-not-text", "2.3.1", message);
        }
        (Some("base64url"), Some(text)) if !is_base64url(&text) => {
            let message = "`body` must be base64url without padding or white space (RFC 4648 §5)";
            report.error(path, "bad-base64", "2.3.2", message);
        }
        _ => {}
    }
}

fn is_base64url(text: &str) -> bool {
    text.len() % 4 != 1
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// What is odd about content in any profile.
pub(super) fn check_oddities(section: Section, path: &str, entry: &Entry<'_>, report: &mut Report) {
    let is_there = |name: &str| entry.get(name).is_some_and(|raw| !matches!(raw, "null" | "\"\""));
    if is_there("body") && is_there("url") {
        let message = "content is both inline and external; a reader cannot tell which one holds";
        report.warn(format!("{path}/url"), "body-and-url", field::chapter(section), message);
    }
    if let Some(body) = entry.body()
        && body.is_string()
        && body.encoding() == Some("json")
        && body.json_text().is_some()
    {
        let message = "`body` holds JSON as text; under `json` it should be the JSON value itself";
        report.warn(format!("{path}/body"), "json-in-text", "2.3.2", message);
    }
    for (name, rule, section) in [
        ("mimetype", "bad-mediatype", "2.3"),
        ("mediatype", "bad-mediatype", "2.3"),
        ("url", "bad-url", "2.4.1"),
    ] {
        let Some(raw) = entry.get(name).filter(|raw| !matches!(*raw, "null" | "\"\"")) else { continue };
        let kind = if name == "url" { super::kind::Kind::HttpsUrl } else { super::kind::Kind::MediaType };
        if let Some((_, message)) = kind.check(raw) {
            report.warn(format!("{path}/{name}"), rule, section, format!("`{name}`: {message}"));
        }
    }
}
