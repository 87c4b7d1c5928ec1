//! How a lease ends.

use std::time::Duration;

use conserver_vcon::VconId;

use super::{DeadLetter, Lease, Tries};
use crate::link::Effect;
use crate::store::DocumentWrite;
use crate::{QueueName, StorageName};

/// The one end of a lease.
#[derive(Debug)]
pub struct Settlement {
    /// The lease that ends.
    pub lease: Lease,
    /// How.
    pub end: End,
}

impl Settlement {
    /// Ends a lease.
    pub fn new(lease: Lease, end: End) -> Self {
        Self { lease, end }
    }

    /// About how many bytes this settlement sends.
    pub fn weight(&self) -> usize {
        256 + self.end.documents().iter().map(|d| d.json.len()).sum::<usize>()
    }
}

/// How a run ended.
#[derive(Debug)]
pub enum End {
    /// Done, or halted by a link: see [`Finish`].
    Finish(Box<Finish>),
    /// Failed, and handed out again later. Effects are dropped.
    Retry {
        /// Documents as after the last link that succeeded.
        documents: Vec<DocumentWrite>,
        /// When to hand it out again.
        after: Duration,
        /// What the next run should know.
        tries: Tries,
    },
    /// Failed for good. Effects are dropped.
    Dead {
        /// Documents as after the last link that succeeded.
        documents: Vec<DocumentWrite>,
        /// The dead-letter list.
        dlq: QueueName,
        /// Why.
        letter: Box<DeadLetter>,
    },
    /// Not run, or not to its end, at a stop: back to the head of its list.
    GiveBack,
}

impl End {
    /// The documents that are written with it.
    pub fn documents(&self) -> &[DocumentWrite] {
        match self {
            Self::Finish(finish) => &finish.documents,
            Self::Retry { documents, .. } | Self::Dead { documents, .. } => documents,
            Self::GiveBack => &[],
        }
    }
}

/// What a finished run leaves.
#[derive(Debug, Default)]
pub struct Finish {
    /// Whether a link ended the chain before its storages and egress lists.
    pub halted: bool,
    /// Changed documents.
    pub documents: Vec<DocumentWrite>,
    /// What links wanted done.
    pub effects: Vec<Effect>,
    /// The id whose document [`Effect::ExpireAfter`] means.
    pub expires: Option<VconId>,
    /// Lists that get the id (the new id after a switch), with the trace context of this run.
    pub egress: Vec<(QueueName, VconId)>,
    /// The trace context that goes with every enqueued id.
    pub context: Option<String>,
    /// Storages that refused this vCon for good while the chain goes on.
    pub storage_letters: Vec<StorageLetter>,
}

/// One storage's refusal.
#[derive(Debug, Clone)]
pub struct StorageLetter {
    /// The storage.
    pub storage: StorageName,
    /// The id under which the document is stored.
    pub id: VconId,
    /// Why.
    pub letter: DeadLetter,
}

/// What became of a settlement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It took effect.
    Applied,
    /// This worker no longer holds the entry: nothing was written. After a repeated call it may also
    /// mean that the first call took effect.
    Gone,
    /// A target had the wrong type: the id is a dead letter with this reason.
    Refused(String),
}
