//! What texts in a vCon have to look like.
//!
//! Wider than the Python server's rules where those refuse what real systems send: an empty text counts as absent, a
//! `tel` may be a `tel:` or `sip:` URI, a URL may have any scheme, a media type may have dots and parameters.

/// The algorithms that the Python server knows.
pub(super) const ALGORITHMS: &[&str] = &[
    "SHA-256", "SHA-384", "SHA-512", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384",
    "ES512", "PS256", "PS384", "PS512",
];

/// A scheme, a colon, and something after it.
pub(super) fn is_url(text: &str) -> bool {
    text.is_empty()
        || text.split_once(':').is_some_and(|(scheme, rest)| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
                && !matches!(rest, "" | "//")
                && !rest.starts_with("//\n")
        })
}

/// A telephone number: five characters or more that one could dial, or a URI that says so.
pub(super) fn is_tel(text: &str) -> bool {
    if text.is_empty() || ["tel:", "sip:", "sips:"].iter().any(|scheme| text.starts_with(scheme)) {
        return true;
    }
    let text = text.strip_suffix('\n').unwrap_or(text);
    let mut characters = text.chars();
    let begins = characters.next().is_some_and(|c| "+(".contains(c) || c.is_numeric());
    let dials = |c: char| c.is_numeric() || c.is_whitespace() || "-().+xX#*".contains(c);
    begins && characters.clone().count() >= 4 && characters.all(dials)
}

/// `type/subtype`, with parameters if need be.
pub(super) fn is_media_type(text: &str) -> bool {
    let essence = text.split(';').next().unwrap_or_default().trim();
    let token = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c))
    };
    text.is_empty() || essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

/// A text in quotes, as Python shows it.
pub(super) fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 || (0x7f..0xa0).contains(&(c as u32)) => {
                out.push_str(&format!("\\x{:02x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}
