//! Dates as they are found in vCons.
//!
//! RFC 3339, and what real writers make of it: no zone (taken as UTC), a space instead of the `T`, a bare
//! date, and the doubled zone of the Python server's own new vCons (`+00+00:00`).

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// How a date was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// RFC 3339.
    Proper,
    /// Without a zone; taken as UTC.
    Naive,
    /// In a form that only tolerance reads.
    Odd,
}

/// Reads a date as Unix seconds, rounded down.
pub(crate) fn parse(text: &str) -> Option<(i64, Spelling)> {
    let seconds = |timestamp: Timestamp| timestamp.as_nanosecond().div_euclid(1_000_000_000) as i64;
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some((seconds(timestamp), if is_rfc3339(text) { Spelling::Proper } else { Spelling::Odd }));
    }
    if let Some(timestamp) = text.strip_suffix("+00+00:00").and_then(|start| format!("{start}Z").parse().ok())
    {
        return Some((seconds(timestamp), Spelling::Odd));
    }
    let (date, spelling) = match text.parse::<DateTime>() {
        Ok(date) if text.contains(':') => (date, Spelling::Naive),
        _ => (text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight()), Spelling::Odd),
    };
    Some((seconds(date.to_zoned(TimeZone::UTC).ok()?.timestamp()), spelling))
}

/// The shape of RFC 3339 §5.6, which is narrower than what a date library reads.
fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = |pattern: &[u8], part: &[u8]| {
        part.len() == pattern.len()
            && part.iter().zip(pattern).all(|(byte, want)| {
                if *want == b'0' { byte.is_ascii_digit() } else { byte.eq_ignore_ascii_case(want) }
            })
    };
    let Some((date, rest)) = bytes.split_at_checked(19) else { return false };
    let digits = match rest {
        [b'.', fraction @ ..] => 1 + fraction.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    let zone = &rest[digits..];
    digits != 1
        && shape(b"0000-00-00T00:00:00", date)
        && (shape(b"Z", zone) || shape(b"+00:00", zone) || shape(b"-00:00", zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_unix_seconds() {
        for (text, seconds, spelling) in [
            ("2026-01-02T03:04:05Z", 1767323045, Spelling::Proper),
            ("2026-01-02T03:04:05.999999Z", 1767323045, Spelling::Proper),
            ("2026-01-02t04:04:05.5+01:00", 1767323045, Spelling::Proper),
            ("2026-01-02T03:04:05", 1767323045, Spelling::Naive),
            ("2026-01-02 03:04:05", 1767323045, Spelling::Naive),
            ("2026-01-02 03:04:05+00:00", 1767323045, Spelling::Odd),
            ("2026-01-02T03:04:05.123456+00+00:00", 1767323045, Spelling::Odd),
            ("2026-01-02", 1767312000, Spelling::Odd),
            ("1969-12-31T23:59:59.5Z", -1, Spelling::Proper),
        ] {
            assert_eq!(parse(text), Some((seconds, spelling)), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "yesterday", "2026-13-01T00:00:00Z", "1767323045", "03:04:05"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
