//! The types of the draft: what a value has to look like.

use crate::entry::text;
use crate::json::{Elements, Object};
use crate::timestamp::{self, Spelling};

/// A type of value (draft-ietf-vcon-vcon-core-04 §2.2).
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Any,
    Text,
    TextList,
    Date,
    Index,
    /// An index or a list of them.
    Indices,
    IndexList,
    /// Indices as deep as audio channels ask for, with null for a silent one.
    ChannelIndices,
    Number,
    Object,
    /// Objects in a list.
    Objects,
    /// An object, a list of them, or a list of lists: the shape of `parties`.
    SessionIds,
    MediaType,
    HttpsUrl,
    ContentHash,
    OneOf(&'static [&'static str]),
}

/// What a value breaks: rule and text.
pub(super) type Breach = (&'static str, String);

impl Kind {
    /// Checks a raw value.
    pub(super) fn check(self, raw: &str) -> Option<Breach> {
        let wrong_type = |good: bool, what: &str| (!good).then(|| ("wrong-type", format!("expected {what}")));
        match self {
            Self::Any => None,
            Self::Text => wrong_type(text(raw).is_some(), "a string"),
            Self::TextList => wrong_type(is_list(raw, |item| text(item).is_some()), "a list of strings"),
            Self::Index => wrong_type(is_index(raw), "an integer from 0 on"),
            Self::Indices => {
                wrong_type(is_index(raw) || is_list(raw, is_index), "an integer from 0 on, or a list of them")
            }
            Self::IndexList => wrong_type(is_list(raw, is_index), "a list of integers from 0 on"),
            Self::ChannelIndices => wrong_type(
                is_index(raw)
                    || is_list(raw, |item| item == "null" || is_index(item) || is_list(item, is_index)),
                "party indices: an integer, or a list of integers, lists and null",
            ),
            Self::Number => {
                wrong_type(raw.parse::<f64>().is_ok_and(|number| number >= 0.0), "a number from 0 on")
            }
            Self::Object => wrong_type(raw.starts_with('{'), "an object"),
            Self::Objects => wrong_type(is_list(raw, is_object), "a list of objects"),
            Self::SessionIds => wrong_type(
                is_object(raw)
                    || is_list(raw, |item| item == "null" || is_object(item) || is_list(item, is_object)),
                "an object with `local` and `remote`, or a list of them",
            ),
            Self::Date => match text(raw).map(|text| timestamp::parse(&text)) {
                None => wrong_type(false, "a date in a string"),
                Some(Some((_, Spelling::Proper))) => None,
                Some(Some((_, Spelling::Naive))) => {
                    Some(("bad-date", "the date has no time zone; add `Z` or an offset (RFC 3339)".into()))
                }
                Some(_) => {
                    Some(("bad-date", "expected a date such as `2026-01-02T03:04:05Z` (RFC 3339)".into()))
                }
            },
            Self::MediaType => match text(raw) {
                None => wrong_type(false, "a media type in a string"),
                Some(text) if is_media_type(&text) => None,
                Some(_) => {
                    Some(("bad-mediatype", "expected a media type such as `audio/ogg` (RFC 6838)".into()))
                }
            },
            Self::HttpsUrl => match text(raw) {
                None => wrong_type(false, "a URL in a string"),
                Some(text) if text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://")) => {
                    None
                }
                Some(_) => Some(("bad-url", "expected a URL that begins with `https://`".into())),
            },
            Self::ContentHash => {
                let good = text(raw).is_some_and(|hash| is_hash(&hash))
                    || (raw != "[]" && is_list(raw, |item| text(item).is_some_and(|hash| is_hash(&hash))));
                let message =
                    "expected `<algorithm>-<digest in base64url>`, such as `sha512-…`, or a list of them";
                (!good).then(|| ("bad-hash", message.into()))
            }
            Self::OneOf(words) => match text(raw) {
                None => wrong_type(false, "a string"),
                Some(word) if words.contains(&&*word) => None,
                Some(_) => Some(("bad-value", format!("expected one of: {}", words.join(", ")))),
            },
        }
    }
}

/// True for an integer from 0 on.
pub(super) fn is_index(raw: &str) -> bool {
    raw.bytes().all(|byte| byte.is_ascii_digit()) && raw.parse::<usize>().is_ok()
}

fn is_object(raw: &str) -> bool {
    Object::parse(raw).is_some()
}

fn is_list(raw: &str, item: impl Fn(&str) -> bool) -> bool {
    raw.starts_with('[') && Elements::new(raw).all(|(_, element)| item(element.raw()))
}

/// `type/subtype` in the characters of RFC 6838 §4.2, with or without parameters.
fn is_media_type(text: &str) -> bool {
    let name = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c))
    };
    let essence = text.split(';').next().unwrap_or_default().trim_ascii_end();
    essence.split_once('/').is_some_and(|(kind, subtype)| name(kind) && name(subtype))
}

/// An algorithm in lower case and a digest in base64url; that of SHA-512 has 64 bytes.
fn is_hash(text: &str) -> bool {
    let Some((algorithm, digest)) = text.split_once('-') else { return false };
    let is_algorithm = !algorithm.is_empty()
        && algorithm.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_digest = !digest.is_empty()
        && digest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    is_algorithm && is_digest && (algorithm != "sha512" || digest.len() == 86)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart() {
        for (kind, good, bad) in [
            (Kind::Index, "0", "-1"),
            (Kind::Index, "12", "1.0"),
            (Kind::Indices, "[0,1]", "[[0]]"),
            (Kind::ChannelIndices, "[0,[1,2],null]", "[\"0\"]"),
            (Kind::ChannelIndices, "3", "null"),
            (Kind::Number, "1.5", "-1"),
            (Kind::Number, "0", "\"1\""),
            (Kind::TextList, "[\"a\"]", "[1]"),
            (Kind::Date, "\"2026-01-02T03:04:05Z\"", "\"2026-01-02T03:04:05\""),
            (Kind::MediaType, "\"multipart/mixed; boundary=x\"", "\"wav\""),
            (Kind::HttpsUrl, "\"HTTPS://host.example\"", "\"s3://bucket\""),
            (Kind::ContentHash, "\"sha256-abc_-\"", "\"SHA-256:abc\""),
            (Kind::ContentHash, "[\"sha256-abc\"]", "[]"),
            (Kind::ContentHash, "\"sha3512-abc\"", "\"sha512-short\""),
            (Kind::SessionIds, "[{},[{}]]", "\"a\""),
            (Kind::OneOf(&["a", "b"]), "\"b\"", "\"c\""),
        ] {
            assert_eq!(kind.check(good), None, "{good}");
            assert!(kind.check(bad).is_some(), "{bad}");
        }
    }
}
