//! From an id to a file name.
//!
//! An id is any text. Letters, digits, `-`, `_` and inner dots stand for themselves, so that the usual id is its own
//! file name, as with the Python server; every other byte becomes `%` and two hexadecimal digits. Different ids have
//! different names, no name has a separator in it, and none begins with a dot.

use conserver_core::vcon::VconId;
use conserver_core::{Error, ErrorKind, Result};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, tz};

/// File systems take 255 bytes; the ending and some room for temporary names go off.
const MAX_BYTES: usize = 240;

/// The name of a vCon's file, without its ending.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FileName(String);

impl FileName {
    /// Makes the name of an id; refuses an id that is empty or too long for a file system.
    pub(crate) fn of(id: &VconId) -> Result<Self> {
        let mut name = String::with_capacity(id.as_str().len());
        for (index, byte) in id.as_str().bytes().enumerate() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
                b'.' if index > 0 => name.push('.'),
                _ => name.push_str(&format!("%{byte:02x}")),
            }
        }
        if name.is_empty() || name.len() > MAX_BYTES {
            let bytes = name.len();
            let message = format!("the id makes a file name of {bytes} bytes; 1 to {MAX_BYTES} can be kept");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        Ok(Self(name))
    }

    /// The name itself.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The file's name, plain or compressed.
    pub(crate) fn file(&self, compressed: bool) -> String {
        let ending = if compressed { ".json.gz" } else { ".json" };
        format!("{}{ending}", self.0)
    }
}

/// The days that a vCon with this id was probably created on: UUIDs of versions 7 and 8, as deployed, begin with
/// the time. Only a hint for where to look first.
pub(crate) fn likely_days(id: &VconId) -> Vec<Date> {
    let Some(uuid) = id.as_uuid().filter(|uuid| matches!(uuid.get_version_num(), 7 | 8)) else {
        return Vec::new();
    };
    let millis = i64::try_from(uuid.as_u128() >> 80).expect("48 bits fit");
    let day = SignedDuration::from_hours(24);
    let Ok(moment) = Timestamp::from_millisecond(millis) else { return Vec::new() };
    let moments = [Some(moment), moment.checked_sub(day).ok(), moment.checked_add(day).ok()];
    moments.into_iter().flatten().map(|moment| tz::Offset::UTC.to_datetime(moment).date()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(id: &str) -> String {
        FileName::of(&VconId::new(id)).unwrap().file(false)
    }

    #[test]
    fn a_uuid_is_its_own_name() {
        let id = "019b8d72-7f00-8a6b-9dd8-dd37220d739c";
        assert_eq!(file(id), format!("{id}.json"));
        assert_eq!(FileName::of(&VconId::new(id)).unwrap().file(true), format!("{id}.json.gz"));
    }

    #[test]
    fn no_name_leads_anywhere() {
        assert_eq!(file("../../etc/passwd"), "%2e.%2f..%2fetc%2fpasswd.json");
        assert_eq!(file(".hidden"), "%2ehidden.json");
        assert_eq!(file("a b\0%"), "a%20b%00%25.json");
        assert_eq!(file("ü"), "%c3%bc.json");
    }

    #[test]
    fn an_id_without_a_name_is_refused() {
        for id in [String::new(), "x".repeat(241), "ü".repeat(41)] {
            assert_eq!(FileName::of(&VconId::new(&id)).unwrap_err().kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn an_id_that_begins_with_the_time_says_the_day() {
        let days = likely_days(&VconId::new("019b8d72-7f00-8a6b-9dd8-dd37220d739c"));
        assert_eq!(days[0], jiff::civil::date(2026, 1, 5));
        assert!(likely_days(&VconId::new("3b241101-e2bb-4255-8caf-4136c566a962")).is_empty());
        assert!(likely_days(&VconId::new("order 4711")).is_empty());
    }
}
