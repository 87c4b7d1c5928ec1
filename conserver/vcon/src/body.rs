//! The content of an entry: raw until somebody reads it.
//!
//! Real data labels bodies wrongly in every way there is, so reading is lenient: JSON as text or as a
//! value, base64 of both alphabets, padded or not, with line breaks inside. Nothing is fetched from a
//! `url`, and nothing is written: what a body is stays as it came.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use crate::error::DocumentError;
use crate::json::unescape;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const SLOPPY_STANDARD: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
pub(crate) const SLOPPY_URL_SAFE: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// How deep JSON inside a string may nest to be taken for JSON.
const TEXT_DEPTH: usize = 64;

/// How object and array bodies are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BodyShape {
    /// As JSON values, as draft-ietf-vcon-vcon-core-04 §2.3.2 defines `"encoding": "json"`.
    #[default]
    Native,
    /// As JSON text in a string, as the Python server did before that draft.
    Text,
}

/// A body and the encoding its entry names.
#[derive(Clone)]
pub struct Body<'a> {
    raw: &'a str,
    encoding: Option<Cow<'a, str>>,
}

/// What a body turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded<'a> {
    /// A JSON value: native, or an object or array that was JSON text.
    Json(Value),
    /// Text that stands for itself.
    Text(Cow<'a, str>),
    /// What base64 stood for.
    Bytes(Vec<u8>),
}

impl<'a> Body<'a> {
    pub(crate) fn new(raw: &'a str, encoding: Option<Cow<'a, str>>) -> Self {
        Self { raw, encoding }
    }

    /// Returns the JSON value as it is written in the document.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// Returns the encoding the entry names.
    pub fn encoding(&self) -> Option<&str> {
        self.encoding.as_deref()
    }

    /// True if the body is a JSON string, whatever that string holds.
    pub fn is_string(&self) -> bool {
        self.raw.starts_with('"')
    }

    /// Reads the body by its encoding (draft-ietf-vcon-vcon-core-04 §2.3).
    ///
    /// A value that is no string is that value, whatever `encoding` says. A string under `json` is the
    /// object or array it spells, else itself. `base64url` and `base64` are decoded; any other encoding,
    /// or none, is text.
    ///
    /// # Errors
    ///
    /// `bad-base64` when such a body does not decode; `unreadable-body` when a value cannot be held, such as a number beyond
    /// 64-bit range or an escaped lone surrogate.
    pub fn decode(&self) -> Result<Decoded<'a>, DocumentError> {
        #[cfg(test)]
        crate::counting::count(self.raw.len());
        if !self.is_string() {
            return value_of(self.raw).map(Decoded::Json);
        }
        match self.encoding() {
            Some("json") => Ok(match self.json_text() {
                Some(json) => Decoded::Json(value_of(&json)?),
                None => Decoded::Text(unescape(self.raw)),
            }),
            Some("base64url" | "base64") => decode_base64(&unescape(self.raw)).map(Decoded::Bytes),
            _ => Ok(Decoded::Text(unescape(self.raw))),
        }
    }

    /// Reads the bytes of inline media: `base64url`, `base64`, or no encoding at all, which older
    /// adapters write for base64.
    ///
    /// # Errors
    ///
    /// `bad-base64` when the text does not decode; `not-media` when the body is no string or its encoding
    /// says that it is no media.
    pub fn decode_media(&self) -> Result<Vec<u8>, DocumentError> {
        match self.encoding() {
            Some("base64url" | "base64") | None if self.is_string() => decode_base64(&unescape(self.raw)),
            _ => {
                let message =
                    "the body is no inline media; expected a string with `encoding` set to `base64url`";
                Err(DocumentError::new("not-media", message))
            }
        }
    }

    /// Returns the JSON of an object or array body: the value itself, or the text of a string that spells
    /// one, whatever `encoding` says. `None` for everything else.
    pub fn json_text(&self) -> Option<Cow<'a, str>> {
        if !self.is_string() {
            return self.raw.starts_with(['{', '[']).then_some(Cow::Borrowed(self.raw));
        }
        // The first character decides for most strings, without unescaping the rest of them.
        let start = self.raw[1..].trim_start_matches(' ');
        if !start.starts_with(['{', '[', '\\']) {
            return None;
        }
        let text = match unescape(self.raw) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_ascii()),
            Cow::Owned(text) => Cow::Owned(text.trim_ascii().into()),
        };
        let is_json = text.starts_with(['{', '[']) && crate::json::check(&text, TEXT_DEPTH).is_ok();
        is_json.then_some(text)
    }
}

impl fmt::Debug for Body<'_> {
    /// Says how long the body is, never what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("encoding", &self.encoding).field("bytes", &self.raw.len()).finish()
    }
}

fn value_of(json: &str) -> Result<Value, DocumentError> {
    serde_json::from_str(json).map_err(|error| {
        let reason =
            if error.is_syntax() { "it holds a number or character out of range" } else { "it is cut off" };
        DocumentError::new("unreadable-body", format!("the body cannot be read as a JSON value: {reason}"))
    })
}

/// Decodes base64 of either alphabet, with or without padding and white space.
pub(crate) fn decode_base64(text: &str) -> Result<Vec<u8>, DocumentError> {
    let is_url_safe = memchr::memchr2(b'-', b'_', text.as_bytes()).is_some();
    let engine = if is_url_safe { &SLOPPY_URL_SAFE } else { &SLOPPY_STANDARD };
    let decoded = if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        engine.decode(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<u8>>())
    } else {
        engine.decode(text)
    };
    decoded.map_err(|error| {
        DocumentError::new("bad-base64", format!("the body is no base64: {}", place(&error)))
    })
}

/// Says what is wrong without quoting a byte of the content.
fn place(error: &base64::DecodeError) -> String {
    match error {
        base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => {
            format!("character {at} does not belong there")
        }
        base64::DecodeError::InvalidLength(_) => "its length is impossible; it may have been cut off".into(),
        base64::DecodeError::InvalidPadding => "its padding is wrong".into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decode(raw: &'static str, encoding: Option<&'static str>) -> Decoded<'static> {
        Body::new(raw, encoding.map(Cow::Borrowed)).decode().unwrap()
    }

    #[test]
    fn a_native_value_is_itself_whatever_the_encoding_says() {
        for encoding in [None, Some("json"), Some("none"), Some("base64url")] {
            assert_eq!(decode(r#"{"a": [1]}"#, encoding), Decoded::Json(json!({"a": [1]})));
        }
        assert_eq!(decode("5", Some("json")), Decoded::Json(json!(5)));
    }

    #[test]
    fn a_string_under_json_is_the_object_or_array_it_spells() {
        assert_eq!(decode(r#""{\"a\":1}""#, Some("json")), Decoded::Json(json!({"a": 1})));
        assert_eq!(decode(r#"" [1] ""#, Some("json")), Decoded::Json(json!([1])));
        assert_eq!(decode(r#""5""#, Some("json")), Decoded::Text("5".into()));
        assert_eq!(decode(r#""{no""#, Some("json")), Decoded::Text("{no".into()));
    }

    #[test]
    fn base64_is_read_in_all_its_spellings() {
        let bytes = Decoded::Bytes(vec![0xfb, 0xff, 0xfe, 0x01]);
        for raw in [r#""-__-AQ""#, r#""-__-AQ==""#, r#""+//+AQ==""#, r#""+//+\r\nAQ""#, r#""+//+ AQ""#] {
            assert_eq!(decode(raw, Some("base64url")), bytes, "{raw}");
            assert_eq!(decode(raw, Some("base64")), bytes, "{raw}");
        }
    }

    #[test]
    fn bad_base64_is_told_without_quoting_it() {
        let error = Body::new("\"AA%A\"", Some("base64".into())).decode().unwrap_err();
        assert_eq!(error.rule(), "bad-base64");
        assert!(!error.to_string().contains('%'), "{error}");
    }

    #[test]
    fn media_may_lack_an_encoding_and_text_is_no_media() {
        assert_eq!(Body::new("\"AQID\"", None).decode_media().unwrap(), [1, 2, 3]);
        for encoding in ["none", "json", "text"] {
            let error = Body::new("\"AQID\"", Some(encoding.into())).decode_media().unwrap_err();
            assert_eq!(error.rule(), "not-media");
        }
    }

    #[test]
    fn everything_else_is_text() {
        assert_eq!(decode(r#""a\nb""#, None), Decoded::Text("a\nb".into()));
        assert_eq!(decode(r#""[1]""#, Some("none")), Decoded::Text("[1]".into()));
    }

    #[test]
    fn debug_shows_no_content() {
        assert!(!format!("{:?}", Body::new("\"hush\"", None)).contains("hush"));
    }
}
