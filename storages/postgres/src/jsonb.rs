//! What `jsonb` does not take, and how JSON text reaches it unparsed.
//!
//! `jsonb` refuses the escape `\u0000` and surrogates without their other half, both of which JSON allows. A vCon with
//! one of them is kept with the replacement character U+FFFD in its place, rather than lost.

use bytes::Bytes;
use memchr::memchr;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo};
use sqlx::{Encode, Postgres, Type};

/// JSON text as a parameter of type `jsonb`; only the server parses it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Jsonb<'a>(pub(crate) &'a [u8]);

impl Type<Postgres> for Jsonb<'_> {
    fn type_info() -> PgTypeInfo {
        // By its number, which is the same everywhere: a look for the name would take the place of the unnamed statement.
        PgTypeInfo::with_oid(Oid(3802))
    }
}

impl PgHasArrayType for Jsonb<'_> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(3807))
    }
}

impl Encode<'_, Postgres> for Jsonb<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        // The version of the binary form; the rest of it is the text.
        buffer.push(1);
        buffer.extend_from_slice(self.0);
        Ok(IsNull::No)
    }
}

/// Replaces what `jsonb` does not take; the text is JSON, so a backslash occurs only in strings. Nothing is copied where
/// there is nothing to replace.
pub(crate) fn acceptable(json: Bytes) -> Bytes {
    let mut fixed: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(found) = memchr(b'\\', &json[at..]) {
        let escape = at + found;
        at = escape + 2;
        let Some(unit) = code_unit(&json, escape) else { continue };
        at = escape + 6;
        match unit {
            0xd800..=0xdbff if matches!(code_unit(&json, at), Some(0xdc00..=0xdfff)) => at += 6,
            0 | 0xd800..=0xdfff => {
                let fixed = fixed.get_or_insert_with(|| json.to_vec());
                fixed[escape..at].copy_from_slice(br"\ufffd");
            }
            _ => {}
        }
    }
    fixed.map_or(json, Bytes::from)
}

/// The value of a `\uXXXX` that begins here.
fn code_unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix(br"\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Text that a text column takes: it may not hold the character U+0000.
pub(crate) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fix(json: &'static str) -> String {
        String::from_utf8(acceptable(Bytes::from_static(json.as_bytes())).to_vec()).unwrap()
    }

    #[test]
    fn nul_and_lone_surrogates_are_replaced() {
        assert_eq!(fix(r#"["a\u0000b"]"#), r#"["a\ufffdb"]"#);
        assert_eq!(fix(r#"["\ud83d"]"#), r#"["\ufffd"]"#);
        assert_eq!(fix(r#"["\uDE00x"]"#), r#"["\ufffdx"]"#);
        assert_eq!(fix(r#"["\ud83d\ud83d\ude00"]"#), r#"["\ufffd\ud83d\ude00"]"#);
        assert_eq!(fix(r#"{"\u0000": 1}"#), r#"{"\ufffd": 1}"#);
    }

    #[test]
    fn all_other_escapes_stay() {
        for json in [
            r#"["\ud83d\ude00"]"#,
            r#"["\\u0000"]"#,
            r#"["\\\\u0000", "\""]"#,
            r#"["\u00e9\n"]"#,
            r#"["x\\"]"#,
        ] {
            assert_eq!(fix(json), json);
        }
        assert_eq!(fix(r#"["\\\u0000"]"#), r#"["\\\ufffd"]"#);
    }

    #[test]
    fn what_needs_no_change_is_not_copied() {
        let json = Bytes::from_static(br#"{"a": "\n\u00e9"}"#);
        assert_eq!(acceptable(json.clone()).as_ptr(), json.as_ptr());
    }

    proptest! {
        #[test]
        fn any_string_comes_out_as_json_with_its_nuls_replaced(value in any::<String>()) {
            let json = Bytes::from(serde_json::to_vec(&value).unwrap());
            let fixed: String = serde_json::from_slice(&acceptable(json)).unwrap();
            prop_assert_eq!(fixed, text(&value));
        }
    }
}
