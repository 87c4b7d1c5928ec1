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
mod tests;
