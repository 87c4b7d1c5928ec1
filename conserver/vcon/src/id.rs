//! The name a vCon goes by, and how new ones are made.
//!
//! Queues, keys and storages know a vCon by an id that is any UTF-8 text: real lists hold ids that are
//! no UUIDs, and they must travel like the others. Only a storage that needs a UUID asks for one. The
//! layout of new ids is the one all deployed writers use. No clock and no randomness here: both are
//! arguments.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use uuid::Uuid;

/// The id of a vCon: any UTF-8 text, cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct VconId(Arc<str>);

impl VconId {
    /// Takes the text as it is, without trimming or changing case.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(Arc::from(text.as_ref()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id as a UUID of any version, when it is written as one.
    pub fn as_uuid(&self) -> Option<Uuid> {
        Uuid::try_parse(&self.0).ok()
    }
}

impl fmt::Display for VconId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for VconId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl AsRef<str> for VconId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for VconId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for VconId {
    fn from(text: &str) -> Self {
        Self(Arc::from(text))
    }
}

impl From<String> for VconId {
    fn from(text: String) -> Self {
        Self(Arc::from(text))
    }
}

impl From<VconId> for String {
    fn from(id: VconId) -> Self {
        id.0.as_ref().into()
    }
}

impl From<Uuid> for VconId {
    fn from(uuid: Uuid) -> Self {
        Self(Arc::from(uuid.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()) as &str))
    }
}

/// Makes a version 8 UUID in the layout that the deployed writers share.
///
/// 48 bits of Unix milliseconds, 12 bits for the fraction of the millisecond, and 62 bits that belong to
/// the issuer's `domain`. `random` fills the part of the fraction that is finer than a microsecond.
///
/// draft-ietf-vcon-vcon-core-04 §4.1.2 asks for the *high* 62 bits of the domain's SHA-1; every writer in
/// the field keeps the low 62 of its first 64 bits instead, and so does this.
pub fn uuid8(unix_micros: u64, random: u64, domain: &str) -> Uuid {
    let millis = unix_micros / 1000;
    let step = |micros: u64| micros * 4096 / 1000;
    let first = step(unix_micros % 1000);
    let fraction = first + random % (step(unix_micros % 1000 + 1) - first);
    let digest: [u8; 20] = Sha1::digest(domain.as_bytes()).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    let issuer = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    let high = (millis & 0xffff_ffff_ffff) << 16 | 0x8000 | fraction;
    let low = issuer & (u64::MAX >> 2) | 1 << 63;
    Uuid::from_u64_pair(high, low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_for_strolid_is_the_one_in_the_field() {
        let uuid = uuid8(1_700_000_000_123_456, 7, "strolid.com").to_string();
        assert!(uuid.ends_with("-9dd8-dd37220d739c"), "{uuid}");
        assert_eq!(&uuid[14..15], "8");
    }

    #[test]
    fn ids_of_later_microseconds_sort_later() {
        let ids: Vec<Uuid> =
            (0..3000).map(|t| uuid8(1_700_000_000_000_000 + t, t * 31, "a.example")).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn the_time_can_be_read_back() {
        let uuid = uuid8(1_700_000_000_123_456, u64::MAX, "a.example");
        assert_eq!(uuid.as_u64_pair().0 >> 16, 1_700_000_000_123);
    }

    #[test]
    fn any_text_is_an_id_and_only_uuids_are_uuids() {
        assert_eq!(VconId::from("анна 1").as_uuid(), None);
        assert!(VconId::from("018F2A4B-0000-8000-9DD8-DD37220D739C").as_uuid().is_some());
    }

    #[test]
    fn an_id_is_a_string_in_json() {
        let id: VconId = serde_json::from_str("\"x\\u0041\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"xA\"");
    }
}
