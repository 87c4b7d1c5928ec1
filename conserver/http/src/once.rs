//! What was done already for a vCon whose attempt then failed, so that the next attempt does only the rest.
//!
//! It is kept by this process, for a bounded number of vCons: a process that dies forgets it, and what was done is then done
//! again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use crate::sign::hex;

/// For how many vCons something is kept; the oldest goes first.
const KEPT: usize = 4096;

/// Values by what they are about.
#[derive(Debug, Default)]
pub struct Once<T>(Mutex<Kept<T>>);

#[derive(Debug)]
struct Kept<T> {
    values: HashMap<Key, T>,
    order: VecDeque<Key>,
}

/// What a value is about: a digest, so that no body is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 32]);

impl Key {
    /// The key of these parts in this order.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    /// The key as hexadecimal digits.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

impl<T: Clone> Once<T> {
    /// Whether nothing is kept: then there is no need to make a key.
    pub fn is_empty(&self) -> bool {
        self.lock().values.is_empty()
    }

    /// What was kept.
    pub fn get(&self, key: &Key) -> Option<T> {
        self.lock().values.get(key).cloned()
    }

    /// Keeps something.
    pub fn put(&self, key: Key, value: T) {
        let mut kept = self.lock();
        if kept.values.insert(key, value).is_none() {
            kept.order.push_back(key);
        }
        while kept.order.len() > KEPT {
            let oldest = kept.order.pop_front();
            oldest.map(|oldest| kept.values.remove(&oldest));
        }
    }

    /// Forgets it: all is done.
    pub fn forget(&self, key: &Key) {
        let mut kept = self.lock();
        if kept.values.remove(key).is_some() {
            kept.order.retain(|other| other != key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { values: HashMap::new(), order: VecDeque::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_until_it_is_done_and_bounded() {
        let once = Once::default();
        assert!(once.is_empty());
        let key = |number: usize| Key::of(&[b"id", &number.to_le_bytes()]);
        for number in 0..=KEPT {
            once.put(key(number), number);
            once.put(key(number), number);
        }
        assert_eq!((once.get(&key(0)), once.get(&key(1)), once.get(&key(KEPT))), (None, Some(1), Some(KEPT)));
        once.forget(&key(1));
        assert_eq!(once.get(&key(1)), None);
        assert!(!once.is_empty());
    }

    #[test]
    fn parts_are_not_run_together() {
        assert_ne!(Key::of(&[b"ab", b"c"]), Key::of(&[b"a", b"bc"]));
        assert_eq!(Key::of(&[b"ab"]).hex().len(), 64);
    }
}
