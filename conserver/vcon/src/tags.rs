//! Tags: `name:value` pairs in an attachment with the purpose `tags`.
//!
//! A convention of the field rather than a draft. The body is a list of `"name:value"` strings or an
//! object, native or as JSON text; all four are read, and what is there keeps its shape when a tag is
//! added. Nothing here looks at a dialog.

use std::borrow::Cow;

use bytestring::ByteString;

use crate::body::BodyShape;
use crate::document::Document;
use crate::entry::{Attachment, text};
use crate::error::DocumentError;
use crate::json::{Elements, Fields, Gaps, Object, check, quote, quote_ascii_into, unescape};

const PURPOSE: &str = "tags";

/// A tags attachment, as far as adding to it needs to know.
struct TagList<'a> {
    attachment: Attachment<'a>,
    body: TagBody<'a>,
}

enum TagBody<'a> {
    /// Nothing there yet.
    Absent,
    /// A list or object; `as_text` when it is JSON text in a string.
    Json { json: Cow<'a, str>, as_text: bool },
    /// Something else, which is left alone.
    Foreign,
}

/// Every tag of the document, in order.
///
/// # Errors
///
/// `bad-tags` when a body says it is JSON and is none.
pub(crate) fn read<'a>(
    attachments: impl Iterator<Item = Attachment<'a>>,
) -> Result<Vec<(String, String)>, DocumentError> {
    let mut tags = Vec::new();
    for list in lists(attachments) {
        if let TagBody::Json { json, .. } = list?.body {
            collect(&json, &mut tags);
        }
    }
    Ok(tags)
}

/// What has to be done so that the document has `tags`.
pub(crate) enum Edit {
    Nothing,
    Replace(usize, ByteString),
    Push(ByteString),
}

/// Works out the edit for the tags that are missing.
pub(crate) fn plan<'a>(
    document: &Document,
    attachments: impl Iterator<Item = Attachment<'a>>,
    tags: &[(&str, &str)],
    shape: BodyShape,
) -> Result<Edit, DocumentError> {
    let mut present = Vec::new();
    let mut target = None;
    for list in lists(attachments) {
        let list = list?;
        if let TagBody::Json { json, .. } = &list.body {
            collect(json, &mut present);
        }
        if target.is_none() && !matches!(list.body, TagBody::Foreign) {
            target = Some(list);
        }
    }
    let mut missing: Vec<(&str, &str)> = Vec::new();
    for &(name, value) in tags {
        let joined = join(name, value);
        let there = present.iter().any(|(name, value)| join(name, value) == joined);
        if !there && !missing.iter().any(|(name, value)| join(name, value) == joined) {
            missing.push((name, value));
        }
    }
    if missing.is_empty() {
        return Ok(Edit::Nothing);
    }
    Ok(match target {
        Some(list) => Edit::Replace(list.attachment.index(), extended(&list, &missing, shape)),
        None => Edit::Push(created(document, &missing, shape)),
    })
}

fn lists<'a>(
    attachments: impl Iterator<Item = Attachment<'a>>,
) -> impl Iterator<Item = Result<TagList<'a>, DocumentError>> {
    attachments
        .filter(|attachment| attachment.purpose().is_some_and(|purpose| purpose == PURPOSE))
        .map(|attachment| Ok(TagList { body: tag_body(&attachment)?, attachment }))
}

fn tag_body<'a>(attachment: &Attachment<'a>) -> Result<TagBody<'a>, DocumentError> {
    let Some(body) = attachment.body().filter(|body| body.raw() != "\"\"") else {
        return Ok(TagBody::Absent);
    };
    if let Some(json) = body.json_text() {
        return Ok(TagBody::Json { json, as_text: body.is_string() });
    }
    let claims_json = body.is_string() && body.encoding() == Some("json");
    if claims_json && check(&unescape(body.raw()), 64).is_err() {
        let message =
            "the body of the tags attachment says it is JSON and is none; correct it or its `encoding`";
        let path = format!("/attachments/{}/body", attachment.index());
        return Err(DocumentError::new("bad-tags", message).at_path(path));
    }
    Ok(TagBody::Foreign)
}

/// Reads a list or object of tags. A bare name has no value; items that are no text are skipped.
fn collect(json: &str, tags: &mut Vec<(String, String)>) {
    for (_, element) in Elements::new(json) {
        if let Some(item) = text(element.raw()) {
            let (name, value) = item.split_once(':').unwrap_or((&item, ""));
            tags.push((name.into(), value.into()));
        }
    }
    for member in Object::parse(json).into_iter().flat_map(|object| object.members) {
        let value = match member.value {
            "null" => Cow::Borrowed(""),
            raw => text(raw).unwrap_or(Cow::Borrowed(raw)),
        };
        tags.push((unescape(member.key).into_owned(), value.into_owned()));
    }
}

fn join(name: &str, value: &str) -> String {
    format!("{name}:{value}")
}

/// The attachment with the tags added to its body, in the shape that is there.
fn extended(list: &TagList<'_>, tags: &[(&str, &str)], shape: BodyShape) -> ByteString {
    let entry = list.attachment.object();
    let body = match &list.body {
        TagBody::Json { json, as_text: true } => quote(&add(json, tags, quote_ascii, Gaps::SPACED)),
        TagBody::Json { json, as_text: false } => add(json, tags, quote, entry.gaps().one_line()),
        _ => new_body(tags, shape, entry.gaps()),
    };
    let mut fields =
        Fields::new(entry.members.iter().map(|member| (member.key, Cow::Borrowed(member.value))));
    fields.set("body", Cow::Owned(body));
    if list.attachment.encoding().is_none_or(|encoding| encoding != "json") {
        fields.set("encoding", Cow::Borrowed("\"json\""));
    }
    write(&fields, entry.gaps())
}

/// An attachment of its own for the tags.
fn created(document: &Document, tags: &[(&str, &str)], shape: BodyShape) -> ByteString {
    let gaps = document.gaps().one_line();
    let mut fields = Fields::new([]);
    fields.set("purpose", Cow::Owned(quote(PURPOSE)));
    fields.set("body", Cow::Owned(new_body(tags, shape, gaps)));
    fields.set("encoding", Cow::Borrowed("\"json\""));
    write(&fields, gaps)
}

fn new_body(tags: &[(&str, &str)], shape: BodyShape, around: Gaps<'_>) -> String {
    match shape {
        BodyShape::Native => append("[]", tags, quote, around.one_line()),
        BodyShape::Text => quote(&append("[]", tags, quote_ascii, Gaps::SPACED)),
    }
}

/// Adds to a list or object, in the way the text is written.
fn add(json: &str, tags: &[(&str, &str)], quote: fn(&str) -> String, around: Gaps<'_>) -> String {
    let Some(object) = Object::parse(json) else { return append(json, tags, quote, around) };
    let mut fields =
        Fields::new(object.members.iter().map(|member| (member.key, Cow::Borrowed(member.value))));
    for (name, value) in tags {
        fields.set(name, Cow::Owned(quote(value)));
    }
    let mut out = Vec::with_capacity(json.len() + 64);
    fields.write(object.gaps(), &mut out, |value, out| out.extend_from_slice(value.as_bytes()));
    String::from_utf8(out).expect("pieces of text make text")
}

fn append(list: &str, tags: &[(&str, &str)], quote: fn(&str) -> String, around: Gaps<'_>) -> String {
    let mut elements = Elements::new(list).map(|(at, element)| (at, element.raw()));
    let (first, second) = (elements.next(), elements.next());
    let gaps = Gaps::of_array(list, first, second.map(|(at, _)| at), around);
    let mut out = String::with_capacity(list.len() + 64);
    out.push_str(list[..list.len() - 1].trim_ascii_end());
    let mut is_empty = first.is_none();
    for (name, value) in tags {
        out.push_str(if is_empty { gaps.open } else { "," });
        out.push_str(if is_empty { "" } else { gaps.between });
        out.push_str(&quote(&join(name, value)));
        is_empty = false;
    }
    out + gaps.close + "]"
}

fn quote_ascii(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    quote_ascii_into(text, &mut out);
    String::from_utf8(out).expect("the text is ASCII")
}

fn write(fields: &Fields<'_, Cow<'_, str>>, gaps: Gaps<'_>) -> ByteString {
    let mut out = Vec::with_capacity(128);
    fields.write(gaps, &mut out, |value, out| out.extend_from_slice(value.as_bytes()));
    String::from_utf8(out).expect("pieces of text make text").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counting::decoded_by;
    use crate::{Limits, Vcon, View};

    fn vcon(attachments: &str) -> Vcon {
        let json = format!(r#"{{"uuid":"u","attachments":{attachments}}}"#);
        Vcon::from_json(json.into(), &Limits::default()).unwrap()
    }

    fn after(attachments: &str, tags: &[(&str, &str)], shape: BodyShape) -> String {
        let mut vcon = vcon(attachments);
        assert!(vcon.add_tags(tags, shape).unwrap());
        vcon.raw("attachments").unwrap().into()
    }

    fn tags(attachments: &str) -> Vec<(String, String)> {
        vcon(attachments).tags().unwrap()
    }

    #[test]
    fn tags_are_read_in_all_four_shapes() {
        for body in [r#"["a:1","b:x:y","c"]"#, r#"{"a":1,"b":"x:y","c":null}"#] {
            let text = quote(body);
            for body in [body, &*text] {
                let found = tags(&format!(r#"[{{"type":"tags","body":{body},"encoding":"json"}}]"#));
                let expected = [("a", "1"), ("b", "x:y"), ("c", "")];
                assert_eq!(found, expected.map(|(name, value)| (name.into(), value.into())), "{body}");
            }
        }
    }

    #[test]
    fn tags_of_all_tags_attachments_are_read_and_others_are_not() {
        let found = tags(
            r#"[{"purpose":"tags","body":["a:1"]},{"type":"x","body":["b:1"]},7,{"purpose":"","type":"tags","body":["c:1"]},{"purpose":"tags"}]"#,
        );
        assert_eq!(found, [("a".into(), "1".into()), ("c".into(), "1".into())]);
    }

    #[test]
    fn a_body_that_claims_to_be_json_and_is_none_is_an_error() {
        let mut vcon = vcon(r#"[{"purpose":"tags","body":"[oops","encoding":"json"}]"#);
        let error = vcon.tags().unwrap_err();
        assert_eq!((error.rule(), error.path()), ("bad-tags", "/attachments/0/body"));
        assert!(vcon.add_tag("a", "b", BodyShape::Native).is_err());
    }

    #[test]
    fn an_attachment_is_made_where_none_is() {
        let made = r#"[{"purpose":"tags","body":["a:b"],"encoding":"json"}]"#;
        assert_eq!(after("[]", &[("a", "b")], BodyShape::Native), made);
        assert_eq!(after("null", &[("a", "b")], BodyShape::Native), made);
        assert_eq!(
            after("[]", &[("é", "b"), ("c", "d")], BodyShape::Text),
            r#"[{"purpose":"tags","body":"[\"\\u00e9:b\", \"c:d\"]","encoding":"json"}]"#
        );
    }

    #[test]
    fn the_section_is_made_where_none_is() {
        let mut vcon = Vcon::from_json("{ \"uuid\": \"u\" }".into(), &Limits::default()).unwrap();
        vcon.add_tag("a", "b", BodyShape::Native).unwrap();
        let json =
            r#"{ "uuid": "u", "attachments": [{"purpose": "tags", "body": ["a:b"], "encoding": "json"}] }"#;
        assert_eq!(vcon.render(View::Stored), json);
    }

    #[test]
    fn what_is_there_keeps_its_shape() {
        for (before, then) in [
            (r#"["x:y"]"#, r#"["x:y","a:b"]"#),
            (r#"[]"#, r#"["a:b"]"#),
            (r#""[\"x:y\"]""#, r#""[\"x:y\", \"a:b\"]""#),
            (r#"{"x": "y"}"#, r#"{"x": "y", "a": "b"}"#),
            (r#""{\"x\":\"y\"}""#, r#""{\"x\":\"y\",\"a\":\"b\"}""#),
            (r#"["x:y", 5, {"odd":1}]"#, r#"["x:y", 5, {"odd":1}, "a:b"]"#),
        ] {
            for shape in [BodyShape::Native, BodyShape::Text] {
                let attachments =
                    format!(r#"[1, {{"keep":1.50,"type":"tags","body":{before},"encoding":"json"}}]"#);
                let expected = attachments.replace(before, then);
                assert_eq!(after(&attachments, &[("a", "b")], shape), expected);
            }
        }
    }

    #[test]
    fn a_wrong_or_missing_label_is_corrected() {
        let fixed = r#"[{"purpose":"tags","body":["x:y","a:b"],"encoding":"json"}]"#;
        let wrong = r#"[{"purpose":"tags","body":["x:y"],"encoding":"none"}]"#;
        assert_eq!(after(wrong, &[("a", "b")], BodyShape::Native), fixed);
        assert_eq!(after(r#"[{"purpose":"tags","body":["x:y"]}]"#, &[("a", "b")], BodyShape::Native), fixed);
        let empty = r#"[{"purpose":"tags","body":"","encoding":"none"}]"#;
        assert_eq!(after(empty, &[("x", "y"), ("a", "b")], BodyShape::Native), fixed);
    }

    #[test]
    fn text_that_is_no_list_is_left_alone() {
        let attachments = r#"[{"purpose":"tags","body":"urgent","encoding":"none"}]"#;
        let added = after(attachments, &[("a", "b")], BodyShape::Native);
        assert!(added.starts_with(&attachments[..attachments.len() - 1]), "{added}");
        assert_eq!(tags(&added), [("a".into(), "b".into())]);
    }

    #[test]
    fn an_object_has_one_value_for_a_name() {
        let attachments = r#"[{"purpose":"tags","body":{"a":"old","b":"x"},"encoding":"json"}]"#;
        let expected = attachments.replace("old", "new");
        assert_eq!(after(attachments, &[("a", "new")], BodyShape::Native), expected);
    }

    #[test]
    fn a_tag_that_is_there_changes_nothing() {
        for (body, name, value) in [
            (r#"["a:b:c"]"#, "a:b", "c"),
            (r#"["a"]"#, "a", ""),
            (r#"{"a":"b"}"#, "a", "b"),
            (r#""[\"a:b\"]""#, "a", "b"),
        ] {
            let mut vcon = vcon(&format!(r#"[{{"type":"tags","body":{body}}}]"#));
            let before = vcon.clone();
            assert!(!vcon.add_tag(name, value, BodyShape::Native).unwrap(), "{body}");
            assert!(vcon.same_as(&before));
        }
    }

    #[test]
    fn the_same_tag_twice_is_added_once() {
        let added = after("[]", &[("a", "b"), ("a", "b"), ("a", "c")], BodyShape::Native);
        assert_eq!(tags(&added).len(), 2);
    }

    #[test]
    fn attachments_that_are_no_array_are_an_error() {
        let error = vcon("{}").add_tag("a", "b", BodyShape::Native).unwrap_err();
        assert_eq!((error.rule(), error.path()), ("not-an-array", "/attachments"));
    }

    #[test]
    fn tagging_decodes_no_dialog_body() {
        let body = quote(&"line\n".repeat(200_000));
        let json = format!(
            r#"{{"uuid":"u","dialog":[{{"mimetype":"a/b","body":{body}}}],"attachments":[{{"type":"tags","body":["x:y"]}}]}}"#
        );
        let mut vcon = None;
        let decoded = decoded_by(|| {
            let mut tagged = Vcon::from_json(json.into(), &Limits::default()).unwrap();
            tagged.add_tag("a", "b", BodyShape::Native).unwrap();
            let mut out = Vec::new();
            tagged.render_into(View::Write(BodyShape::Native), &mut out);
            assert!(out.len() > 1_000_000);
            vcon = Some(tagged);
        });
        assert!(decoded < 1000, "{decoded} bytes were decoded");
        // The count does count: reading that body shows.
        let reading = decoded_by(|| drop(vcon.unwrap().dialog().next().unwrap().body().unwrap().decode()));
        assert!(reading > 1_000_000, "{reading}");
    }
}
