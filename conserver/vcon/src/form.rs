//! Unsigned, signed or encrypted: which of the three forms a document has.
//!
//! A signed vCon is a JWS in JSON serialisation (RFC 7515), an encrypted one a JWE (RFC 7516); both in the
//! general or the flattened form. Some writers leave the signature beside the plain sections, so the
//! signature is looked for first. Signatures are neither verified nor removed here: such documents are
//! carried byte for byte.

use std::borrow::Cow;

use base64::Engine;

use crate::body::SLOPPY_URL_SAFE;
use crate::json::{Elements, Object, unescape};

/// The form of a document (draft-ietf-vcon-vcon-core-04 §5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A plain vCon.
    Unsigned,
    /// Signed: `payload` with `signatures` (or one `signature`).
    Jws,
    /// Encrypted: `ciphertext` with its recipients.
    Jwe,
}

impl Form {
    /// Judges by the top-level members; `value` gives the raw value of one.
    pub(crate) fn of<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Self {
        let is_text = |name| value(name).is_some_and(|raw| raw.starts_with('"'));
        let is_array = |name| value(name).is_some_and(|raw| raw.starts_with('['));
        if is_text("payload") && (is_array("signatures") || is_text("signature")) {
            Self::Jws
        } else if is_text("ciphertext") && (is_array("recipients") || is_text("iv") || is_text("protected")) {
            Self::Jwe
        } else {
            Self::Unsigned
        }
    }
}

/// The uuid that a signed or encrypted document says it has: in a header, protected or not, of the whole
/// or of a signature or recipient; else in the payload of a JWS.
pub(crate) fn jose_uuid<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let plain = ["header", "unprotected"].into_iter().filter_map(&value).find_map(uuid_of);
    plain
        .or_else(|| value("protected").and_then(encoded_uuid))
        .or_else(|| ["signatures", "recipients"].into_iter().filter_map(&value).find_map(uuid_of_any))
        .or_else(|| value("payload").and_then(encoded_uuid))
}

fn uuid_of_any(list: &str) -> Option<String> {
    Elements::new(list).find_map(|(_, element)| {
        let signature = Object::parse(element.raw())?;
        signature
            .get("header")
            .and_then(uuid_of)
            .or_else(|| signature.get("protected").and_then(encoded_uuid))
    })
}

fn uuid_of(raw: &str) -> Option<String> {
    let uuid = Object::parse(raw)?.get("uuid")?;
    uuid.starts_with('"').then(|| unescape(uuid).into_owned()).filter(|uuid| !uuid.is_empty())
}

/// The uuid inside base64url-encoded JSON, such as a protected header.
fn encoded_uuid(raw: &str) -> Option<String> {
    let text: Cow<'_, str> = unescape(raw);
    let json = String::from_utf8(SLOPPY_URL_SAFE.decode(text.as_bytes()).ok()?).ok()?;
    crate::json::check(&json, 64).ok()?;
    uuid_of(json.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(json: &'static str) -> Form {
        let object = Object::parse(json).unwrap();
        Form::of(|name| object.get(name))
    }

    fn uuid(json: &'static str) -> Option<String> {
        let object = Object::parse(json).unwrap();
        jose_uuid(|name| object.get(name))
    }

    #[test]
    fn general_and_flattened_forms_are_recognised() {
        assert_eq!(form(r#"{"payload":"e30","signatures":[{}]}"#), Form::Jws);
        assert_eq!(form(r#"{"payload":"e30","signature":"x"}"#), Form::Jws);
        assert_eq!(form(r#"{"payload":"e30","signatures":[{}],"parties":[]}"#), Form::Jws);
        assert_eq!(form(r#"{"ciphertext":"x","recipients":[]}"#), Form::Jwe);
        assert_eq!(form(r#"{"ciphertext":"x","iv":"y","encrypted_key":"z"}"#), Form::Jwe);
    }

    #[test]
    fn members_that_only_share_a_name_make_no_form() {
        assert_eq!(form(r#"{"payload":{"a":1},"signature":"x"}"#), Form::Unsigned);
        assert_eq!(form(r#"{"payload":"x"}"#), Form::Unsigned);
        assert_eq!(form(r#"{"parties":[]}"#), Form::Unsigned);
    }

    #[test]
    fn the_uuid_is_found_in_header_protected_header_or_payload() {
        assert_eq!(uuid(r#"{"signatures":[{"header":{"uuid":"a"}}]}"#).as_deref(), Some("a"));
        // {"uuid":"b"}
        assert_eq!(uuid(r#"{"signatures":[{"protected":"eyJ1dWlkIjoiYiJ9"}]}"#).as_deref(), Some("b"));
        assert_eq!(uuid(r#"{"payload":"eyJ1dWlkIjoiYiJ9","signatures":[{}]}"#).as_deref(), Some("b"));
        assert_eq!(uuid(r#"{"unprotected":{"uuid":"c"},"ciphertext":"x"}"#).as_deref(), Some("c"));
        assert_eq!(uuid(r#"{"payload":"!!","signatures":[{}]}"#), None);
    }
}
