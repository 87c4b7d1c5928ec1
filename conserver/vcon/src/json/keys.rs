//! Which keys an object has had so far, to notice the second of a kind.
//!
//! Objects of a vCon have a handful of keys, so the first ones are compared one by one; from then on a
//! hash set keeps a hostile object with a hundred thousand keys linear.

use std::borrow::Cow;
use std::collections::HashSet;

use super::string::key_bytes;

const FEW: usize = 24;

/// A set of keys, reused from object to object.
#[derive(Default)]
pub(crate) struct KeySet<'a> {
    few: Vec<Cow<'a, [u8]>>,
    many: HashSet<Cow<'a, [u8]>>,
}

impl<'a> KeySet<'a> {
    pub(crate) fn clear(&mut self) {
        self.few.clear();
        self.many.clear();
    }

    /// Adds a key as it is written, with its quotes; false if an equal one is there.
    pub(crate) fn insert(&mut self, key: &'a str) -> bool {
        let key = key_bytes(key);
        if self.few.contains(&key) {
            return false;
        }
        if self.few.len() < FEW {
            self.few.push(key);
            return true;
        }
        self.many.insert(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_decode_to_the_same_text_are_the_same() {
        let mut keys = KeySet::default();
        assert!(keys.insert(r#""uuid""#));
        assert!(!keys.insert(r#""\u0075uid""#));
        assert!(keys.insert(r#""\ud800""#));
        assert!(keys.insert(r#""\ud801""#));
        assert!(!keys.insert(r#""\uD800""#));
    }

    #[test]
    fn many_keys_are_told_apart() {
        let raw: Vec<String> = (0..1000).map(|n| format!("\"{n}\"")).collect();
        let mut keys = KeySet::default();
        assert!(raw.iter().all(|key| keys.insert(key)));
        assert!(raw.iter().all(|key| !keys.insert(key)));
    }
}
