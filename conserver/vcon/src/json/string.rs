//! JSON strings: from the written form to text and back.
//!
//! The input is always the raw form that the scanner has passed, quotes included. Rust text cannot hold a
//! lone surrogate, which JSON can write; it becomes U+FFFD for the reader, while the raw form keeps it.

use std::borrow::Cow;

/// Returns the text of a raw JSON string, borrowed when nothing in it is escaped.
pub(crate) fn unescape(raw: &str) -> Cow<'_, str> {
    #[cfg(test)]
    crate::counting::count(raw.len());
    let inner = interior(raw);
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut text = Vec::with_capacity(inner.len());
    unescape_into(raw, &mut text);
    Cow::Owned(String::from_utf8(text).expect("unescaping writes whole characters only"))
}

/// Appends the text of a raw JSON string; false if a lone surrogate had to be replaced.
pub(crate) fn unescape_into(raw: &str, out: &mut Vec<u8>) -> bool {
    #[cfg(test)]
    crate::counting::count(raw.len());
    let mut lossless = true;
    for_each_run(interior(raw), |run| match run {
        Run::Plain(text) => out.extend_from_slice(text.as_bytes()),
        Run::Code(code) => {
            let character = char::from_u32(code).unwrap_or_else(|| {
                lossless = false;
                char::REPLACEMENT_CHARACTER
            });
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    });
    lossless
}

/// True if the raw key, quotes included, spells `name`.
#[inline]
pub(crate) fn is_key(raw: &str, name: &str) -> bool {
    let inner = interior(raw);
    if inner.len() <= name.len() {
        return inner == name;
    }
    // Longer than the name, so equal only by an escape; most keys part ways at the first byte.
    let first = inner.as_bytes()[0];
    (first == b'\\' || name.as_bytes().first() == Some(&first))
        && inner.contains('\\')
        && unescape(raw) == name
}

/// The bytes a key stands for; lone surrogates keep their difference by being encoded as if they were
/// characters.
pub(super) fn key_bytes(raw: &str) -> Cow<'_, [u8]> {
    let inner = interior(raw);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner.as_bytes());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    for_each_run(inner, |run| match run {
        Run::Plain(text) => bytes.extend_from_slice(text.as_bytes()),
        Run::Code(code) => match char::from_u32(code) {
            Some(character) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            None => {
                bytes.extend_from_slice(&[0xed, 0x80 | (code >> 6 & 0x3f) as u8, 0x80 | (code & 0x3f) as u8])
            }
        },
    });
    Cow::Owned(bytes)
}

/// Writes text as a JSON string, escaping only what must be.
pub(crate) fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("writing a string into memory cannot fail")
}

/// Appends text as a JSON string in which everything but ASCII is escaped, as Python does.
pub(crate) fn quote_ascii_into(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for character in text.chars() {
        push_ascii(u32::from(character), out);
    }
    out.push(b'"');
}

/// Appends one code point as Python writes it between the quotes of a string.
pub(super) fn push_ascii(code: u32, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match code {
        0x22 => out.extend_from_slice(b"\\\""),
        0x5c => out.extend_from_slice(b"\\\\"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x09 => out.extend_from_slice(b"\\t"),
        0x0a => out.extend_from_slice(b"\\n"),
        0x0c => out.extend_from_slice(b"\\f"),
        0x0d => out.extend_from_slice(b"\\r"),
        0x20..=0x7f => out.push(code as u8),
        0x1_0000.. => {
            push_ascii(0xd800 + ((code - 0x1_0000) >> 10), out);
            push_ascii(0xdc00 + ((code - 0x1_0000) & 0x3ff), out);
        }
        _ => {
            out.extend_from_slice(b"\\u");
            out.extend([12, 8, 4, 0].map(|shift| HEX[(code >> shift & 0xf) as usize]));
        }
    }
}

/// A stretch of a string: text that stands for itself, or one escaped code point (perhaps a surrogate).
pub(super) enum Run<'a> {
    Plain(&'a str),
    Code(u32),
}

pub(super) fn for_each_run<'a>(mut inner: &'a str, mut run: impl FnMut(Run<'a>)) {
    while let Some(at) = memchr::memchr(b'\\', inner.as_bytes()) {
        if at > 0 {
            run(Run::Plain(&inner[..at]));
        }
        let (code, length) = escaped(&inner.as_bytes()[at..]);
        run(Run::Code(code));
        inner = inner.get(at + length..).unwrap_or_default();
    }
    if !inner.is_empty() {
        run(Run::Plain(inner));
    }
}

/// The code point of the escape that begins here, and how many bytes it takes.
fn escaped(bytes: &[u8]) -> (u32, usize) {
    let simple = |character: char| (u32::from(character), 2);
    match bytes.get(1) {
        Some(b'b') => simple('\u{8}'),
        Some(b'f') => simple('\u{c}'),
        Some(b'n') => simple('\n'),
        Some(b'r') => simple('\r'),
        Some(b't') => simple('\t'),
        Some(b'u') => {
            let unit = hex(bytes);
            if unit & 0xfc00 == 0xd800 && bytes.get(6) == Some(&b'\\') && bytes.get(7) == Some(&b'u') {
                let low = hex(&bytes[6..]);
                if low & 0xfc00 == 0xdc00 {
                    return (0x1_0000 + ((unit & 0x3ff) << 10) + (low & 0x3ff), 12);
                }
            }
            (unit, 6)
        }
        Some(&byte) => (u32::from(byte), 2),
        None => (u32::from(char::REPLACEMENT_CHARACTER), 1),
    }
}

fn hex(escape: &[u8]) -> u32 {
    let digits = escape.get(2..6).unwrap_or_default();
    digits.iter().fold(0, |unit, &digit| unit << 4 | char::from(digit).to_digit(16).unwrap_or(0))
}

#[inline]
fn interior(raw: &str) -> &str {
    match raw.as_bytes() {
        [b'"', .., b'"'] => &raw[1..raw.len() - 1],
        _ => raw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_escape_is_read() {
        assert_eq!(unescape(r#""\"\\\/\b\f\n\r\t\u0041\ud83d\ude00é""#), "\"\\/\u{8}\u{c}\n\r\tA😀é");
    }

    #[test]
    fn a_lone_surrogate_is_replaced_and_told() {
        let mut out = Vec::new();
        assert!(!unescape_into(r#""a\udc00b\ud800\u0041""#, &mut out));
        assert_eq!(String::from_utf8(out).unwrap(), "a\u{fffd}b\u{fffd}A");
    }

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(unescape("\"é\""), Cow::Borrowed("é")));
    }

    #[test]
    fn keys_match_however_they_are_spelled() {
        assert!(is_key(r#""body""#, "body"));
        assert!(is_key(r#""b\u006fdy""#, "body"));
        assert!(!is_key(r#""bodies""#, "body"));
    }

    #[test]
    fn ascii_quoting_uses_lower_case_and_pairs() {
        let mut out = Vec::new();
        quote_ascii_into("a\"é😀\u{7f}\u{1}/", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\\\"\\u00e9\\ud83d\\ude00\u{7f}\\u0001/\"");
    }
}
