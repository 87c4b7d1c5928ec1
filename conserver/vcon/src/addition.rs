//! New entries: what links add to a vCon.
//!
//! An addition says what it is; how a body is spelled is decided when it is added. Members come out in
//! the order that the Python server writes them.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytestring::ByteString;
use serde_json::Value;

use crate::body::BodyShape;
use crate::error::DocumentError;
use crate::json::{Fields, Gaps, check, quote, write_python_text};

/// The content of a new entry.
#[derive(Clone, Debug)]
pub enum NewBody<'a> {
    /// A JSON value.
    Json(Value),
    /// JSON that is text already; it is checked and copied as it is.
    RawJson(Cow<'a, str>),
    /// Text that stands for itself.
    Text(Cow<'a, str>),
    /// Bytes, to be written in base64url.
    Bytes(Cow<'a, [u8]>),
}

impl From<Value> for NewBody<'_> {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

impl<'a> From<&'a str> for NewBody<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for NewBody<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// The dialogs that an analysis was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DialogRef {
    /// Of the vCon as a whole.
    #[default]
    None,
    /// Of one dialog, by index.
    One(usize),
    /// Of several.
    Many(Vec<usize>),
}

impl From<usize> for DialogRef {
    fn from(index: usize) -> Self {
        Self::One(index)
    }
}

impl From<Vec<usize>> for DialogRef {
    fn from(indices: Vec<usize>) -> Self {
        Self::Many(indices)
    }
}

/// An entry for `analysis`.
#[derive(Clone, Debug)]
pub struct NewAnalysis<'a> {
    /// What it is: `transcript`, `summary`, …
    pub kind: Cow<'a, str>,
    /// What it was made from.
    pub dialog: DialogRef,
    /// Who made it.
    pub vendor: Cow<'a, str>,
    /// The content.
    pub body: NewBody<'a>,
    /// Further members, written after the others; one named as another replaces it.
    pub extra: Vec<(Cow<'a, str>, Value)>,
}

impl<'a> NewAnalysis<'a> {
    /// An analysis without further members.
    pub fn new(
        kind: impl Into<Cow<'a, str>>,
        dialog: impl Into<DialogRef>,
        vendor: impl Into<Cow<'a, str>>,
        body: impl Into<NewBody<'a>>,
    ) -> Self {
        Self {
            kind: kind.into(),
            dialog: dialog.into(),
            vendor: vendor.into(),
            body: body.into(),
            extra: Vec::new(),
        }
    }

    /// Adds a further member.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Value>) -> Self {
        self.extra.push((name.into(), value.into()));
        self
    }

    pub(crate) fn write(self, shape: BodyShape, gaps: Gaps<'_>) -> Result<ByteString, DocumentError> {
        let mut fields = Fields::new([]);
        fields.set("type", quote(&self.kind));
        match &self.dialog {
            DialogRef::None => {}
            DialogRef::One(index) => fields.set("dialog", index.to_string()),
            DialogRef::Many(indices) => fields.set("dialog", format!("{indices:?}")),
        }
        fields.set("vendor", quote(&self.vendor));
        finish(fields, self.body, &self.extra, shape, gaps)
    }
}

/// An entry for `attachments`.
#[derive(Clone, Debug)]
pub struct NewAttachment<'a> {
    /// What it is for.
    pub purpose: Cow<'a, str>,
    /// The content.
    pub body: NewBody<'a>,
    /// Further members, such as `start`, `party` and `dialog`; one named as another replaces it.
    pub extra: Vec<(Cow<'a, str>, Value)>,
}

impl<'a> NewAttachment<'a> {
    /// An attachment without further members.
    pub fn new(purpose: impl Into<Cow<'a, str>>, body: impl Into<NewBody<'a>>) -> Self {
        Self { purpose: purpose.into(), body: body.into(), extra: Vec::new() }
    }

    /// Adds a further member.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Value>) -> Self {
        self.extra.push((name.into(), value.into()));
        self
    }

    pub(crate) fn write(self, shape: BodyShape, gaps: Gaps<'_>) -> Result<ByteString, DocumentError> {
        let mut fields = Fields::new([]);
        fields.set("purpose", quote(&self.purpose));
        finish(fields, self.body, &self.extra, shape, gaps)
    }
}

/// Adds body, encoding and further members, and writes the entry.
fn finish(
    mut fields: Fields<'_, String>,
    body: NewBody<'_>,
    extra: &[(Cow<'_, str>, Value)],
    shape: BodyShape,
    gaps: Gaps<'_>,
) -> Result<ByteString, DocumentError> {
    let (body, encoding) = match body {
        NewBody::Json(value) => (shaped(value.to_string(), shape), "json"),
        NewBody::RawJson(json) => {
            check(&json, 64)
                .map_err(|fault| DocumentError::from_fault(&fault, json.as_bytes()).at_path("/body"))?;
            (shaped(json.trim_ascii().into(), shape), "json")
        }
        NewBody::Text(text) => (quote(&text), "none"),
        NewBody::Bytes(bytes) => (format!("\"{}\"", URL_SAFE_NO_PAD.encode(bytes)), "base64url"),
    };
    fields.set("body", body);
    fields.set("encoding", quote(encoding));
    for (name, value) in extra {
        fields.set(name, value.to_string());
    }
    let mut out = Vec::new();
    fields.write(gaps, &mut out, |value, out| out.extend_from_slice(value.as_bytes()));
    Ok(String::from_utf8(out).expect("pieces of text make text").into())
}

fn shaped(json: String, shape: BodyShape) -> String {
    if shape == BodyShape::Native || !json.starts_with(['{', '[']) {
        return json;
    }
    let mut text = Vec::with_capacity(json.len() + json.len() / 8);
    write_python_text(&json, &mut text);
    quote(&String::from_utf8(text).expect("the text is ASCII"))
}
