//! A claimed id.

use conserver_vcon::VconId;
use serde::{Deserialize, Serialize};

use crate::QueueName;

/// One occurrence of an id on a list. The token is never used twice, so that ending one occurrence cannot end another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// The ingress list it came from.
    pub list: QueueName,
    /// Unique among all entries of one backend; for an id that was popped for good ([`Entry::is_popped`]), among those
    /// of one process.
    pub token: u64,
    /// The id.
    pub id: VconId,
}

impl Entry {
    /// The bit that tokens of popped ids have and others do not.
    pub const POPPED: u64 = 1 << 63;

    /// Whether the backend gave the id away for good (at most once): it is in no [`Queue::holdings`](super::Queue::holdings).
    pub fn is_popped(&self) -> bool {
        self.token & Self::POPPED != 0
    }
}

/// What is remembered of an id's earlier runs while it waits for the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tries {
    /// Runs that failed and count against the chain's attempts.
    pub attempt: u32,
    /// Unix seconds of the first failure because something was away; bounded by `give_up_after`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unavailable_since: Option<i64>,
    /// How often a process died while it ran this id alone.
    pub alone: u32,
    /// How often a process died while it ran this id among others.
    pub strikes: u32,
    /// Storages that already have this very document (see [`Tries::saved_digest`]); a rerun skips them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub saved: Vec<crate::StorageName>,
    /// Digest of the document those storages have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saved_digest: Option<u64>,
    /// The last error, one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

impl Tries {
    /// Whether there is anything to remember.
    pub fn is_fresh(&self) -> bool {
        *self == Self::default()
    }
}

/// An id that this worker holds. It is not `Clone`, and a [`Settlement`](super::Settlement) consumes it.
#[derive(Debug)]
#[must_use = "a lease that is never settled is put back only when its worker ends"]
pub struct Lease {
    /// Which occurrence.
    pub entry: Entry,
    /// The producer's trace context, as it lay beside the list.
    pub context: Option<String>,
    /// Bytes of the document, where the queue could tell.
    pub document_bytes: Option<usize>,
    /// What earlier runs left.
    pub tries: Tries,
}
