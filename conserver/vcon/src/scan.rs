//! The one pass over a new document.
//!
//! Checks that the text is strict JSON within the limits and without duplicate keys where they would
//! matter, and remembers where the top-level members are. Entries are walked but not kept; what is kept
//! of them is one note per section, so that rendering knows without looking whether there is anything
//! to rename.

use crate::error::DocumentError;
use crate::json::{Cursor, Fault, Gaps, KeySet, Member, unescape};
use crate::limits::Limits;
use crate::section::Section;

/// The top level of a document.
pub(crate) struct Outline<'a> {
    pub(crate) members: Vec<(Member<'a>, Notes)>,
    pub(crate) gaps: Gaps<'a>,
}

/// What the entries of a section have, seen in passing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// Some entry has a legacy name.
    pub(crate) legacy_name: bool,
    /// Some entry has an object or array as its body.
    pub(crate) native_body: bool,
    /// Some entry has such a body without saying `"encoding": "json"`.
    pub(crate) mislabelled_body: bool,
    /// Some element is no object, and so no entry.
    pub(crate) other_element: bool,
}

impl Notes {
    /// What holds of a section nobody has looked at.
    pub(crate) const UNKNOWN: Self =
        Self { legacy_name: true, native_body: true, mislabelled_body: true, other_element: true };
}

/// Scans `text`.
///
/// # Errors
///
/// `not-an-object`, `not-json`, `too-deep` or `duplicate-key`, with the place.
pub(crate) fn outline<'a>(text: &'a str, limits: &Limits) -> Result<Outline<'a>, DocumentError> {
    let mut cursor = Cursor::new(text, limits.max_depth);
    cursor.space();
    if let Some(found) = cursor.peek().filter(|&byte| byte != b'{') {
        let message = match found {
            b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                "a vCon is a JSON object; send one document"
            }
            _ => "this is no JSON; a vCon is a JSON object and begins with `{`",
        };
        let rule = if message.starts_with("this") { "not-json" } else { "not-an-object" };
        return Err(DocumentError::new(rule, message).at_offset(cursor.at(), text.as_bytes()));
    }
    let mut scan = Scan::default();
    scan.document(&mut cursor)
        .map_err(|fault| DocumentError::from_fault(&fault, text.as_bytes()).at_path(scan.place.pointer()))?;
    let members: Vec<Member<'a>> = scan.members.iter().map(|(member, _)| *member).take(2).collect();
    let gaps = Gaps::of_object(text.trim_ascii(), &members);
    Ok(Outline { gaps, members: scan.members })
}

#[derive(Default)]
struct Scan<'a> {
    members: Vec<(Member<'a>, Notes)>,
    keys: KeySet<'a>,
    entry_keys: KeySet<'a>,
    place: Place<'a>,
}

/// Where the scan is, for the error that may come.
#[derive(Default)]
struct Place<'a> {
    member: Option<&'a str>,
    index: Option<usize>,
    entry_member: Option<&'a str>,
}

impl<'a> Scan<'a> {
    fn document(&mut self, cursor: &mut Cursor<'a>) -> Result<(), Fault> {
        let start = cursor.at();
        self.members.reserve(16);
        cursor.object(|cursor, key| {
            let (key_at, value_at) = (cursor.key_at() - start, cursor.at());
            self.place = Place { member: Some(key), ..Place::default() };
            refuse_duplicate(&mut self.keys, key, key_at + start)?;
            let notes = match Section::of_key(key) {
                Some(section) if cursor.peek() == Some(b'[') => self.section(cursor, section)?,
                _ => {
                    cursor.value()?;
                    Notes::default()
                }
            };
            let value = cursor.slice(value_at);
            self.members.push((Member { key, value, key_at, value_at: value_at - start }, notes));
            Ok(())
        })?;
        self.place = Place::default();
        cursor.end()
    }

    fn section(&mut self, cursor: &mut Cursor<'a>, section: Section) -> Result<Notes, Fault> {
        let mut notes = Notes::default();
        cursor.array(|cursor, index| {
            self.place.index = Some(index);
            self.place.entry_member = None;
            if cursor.peek() == Some(b'{') {
                return self.entry(cursor, section, &mut notes);
            }
            notes.other_element = true;
            cursor.value()
        })?;
        Ok(notes)
    }

    fn entry(&mut self, cursor: &mut Cursor<'a>, section: Section, notes: &mut Notes) -> Result<(), Fault> {
        self.entry_keys.clear();
        let (mut has_type, mut has_purpose, mut native_body, mut says_json) = (false, false, false, false);
        cursor.object(|cursor, key| {
            self.place.entry_member = Some(key);
            refuse_duplicate(&mut self.entry_keys, key, cursor.key_at())?;
            let value_at = cursor.at();
            let first = cursor.peek();
            cursor.value()?;
            match &*unescape(key) {
                "schema_version" | "mimetype" | "must_support" => notes.legacy_name = true,
                "type" => has_type = true,
                "purpose" => has_purpose = true,
                "body" => native_body = matches!(first, Some(b'{' | b'[')),
                "encoding" => says_json = unescape(cursor.slice(value_at)) == "json",
                _ => {}
            }
            Ok(())
        })?;
        notes.legacy_name |= section == Section::Attachments && has_type && !has_purpose;
        notes.native_body |= native_body;
        notes.mislabelled_body |= native_body && !says_json;
        Ok(())
    }
}

fn refuse_duplicate<'a>(keys: &mut KeySet<'a>, key: &'a str, at: usize) -> Result<(), Fault> {
    if keys.insert(key) {
        return Ok(());
    }
    let message = format!("the member `{}` occurs twice in one object; keep one of them", unescape(key));
    Err(Fault { rule: "duplicate-key", at, message })
}

impl Place<'_> {
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        let mut push = |token: &str| {
            pointer.push('/');
            pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
        };
        if let Some(member) = self.member {
            push(&unescape(member));
        }
        if let Some(index) = self.index {
            push(&index.to_string());
        }
        if let Some(member) = self.entry_member {
            push(&unescape(member));
        }
        pointer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> DocumentError {
        outline(text, &Limits { max_bytes: usize::MAX, max_depth: 6 }).err().expect("a refusal")
    }

    fn notes(section: &str, entry: &str) -> Notes {
        let text = format!(r#"{{"{section}": [1, {entry}]}}"#);
        outline(&text, &Limits::default()).unwrap().members[0].1
    }

    #[test]
    fn duplicate_keys_are_refused_at_the_top_and_in_entries() {
        let error = refusal(r#"{"uuid":"a","\u0075uid":"b"}"#);
        assert_eq!((error.rule(), error.path(), error.offset()), ("duplicate-key", "/uuid", Some(12)));
        let error = refusal(r#"{"dialog":[{"x":1},{"type":"a","type":"b"}]}"#);
        assert_eq!((error.rule(), error.path()), ("duplicate-key", "/dialog/1/type"));
    }

    #[test]
    fn equal_keys_in_different_entries_or_inside_a_body_are_fine() {
        let text = r#"{"dialog":[{"x":1},{"x":1}],"analysis":[{"body":{"a":1,"a":2}}],"meta":{"b":1,"b":1}}"#;
        assert_eq!(outline(text, &Limits::default()).unwrap().members.len(), 3);
    }

    #[test]
    fn faults_are_told_with_their_place() {
        let error = refusal("{\n \"dialog\": [{\"duration\": 01}]}");
        assert_eq!((error.rule(), error.path()), ("not-json", "/dialog/0/duration"));
        assert!(error.to_string().contains("line 2, column 27"), "{error}");
        assert_eq!(refusal(r#"{"x":[[[[[[]]]]]]}"#).rule(), "too-deep");
        assert_eq!(refusal("[1]").rule(), "not-an-object");
        assert_eq!(refusal("<vcon/>").rule(), "not-json");
        assert_eq!(refusal("").rule(), "not-json");
        assert_eq!(refusal("{} x").rule(), "not-json");
    }

    #[test]
    fn notes_say_what_rendering_will_find() {
        let nothing = Notes { other_element: true, ..Notes::default() };
        assert_eq!(notes("dialog", r#"{"type":"text","body":"x"}"#), nothing);
        assert!(notes("dialog", r#"{"mime\u0074ype":1}"#).legacy_name);
        assert!(notes("attachments", r#"{"type":"tags"}"#).legacy_name);
        assert!(!notes("attachments", r#"{"type":"tags","purpose":"x"}"#).legacy_name);
        let native = notes("analysis", r#"{"encoding":"json","body":[]}"#);
        assert!(native.native_body && !native.mislabelled_body);
        assert!(notes("analysis", r#"{"body":{},"encoding":"none"}"#).mislabelled_body);
        let entries = outline(r#"{"dialog":[{},{"x":1}]}"#, &Limits::default()).unwrap();
        assert_eq!(entries.members[0].1, Notes::default());
    }
}
