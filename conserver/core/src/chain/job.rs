//! What a run is given, and what it answers.

use conserver_vcon::{BodyShape, Limits, VconId};

use super::documents::{Documents, LoadedDocument};
use crate::link::Effect;
use crate::queue::Lease;
use crate::store::DocumentWrite;
use crate::story::Step;
use crate::{Error, LinkName, StorageName};

/// What a run is given.
pub struct Job<'a> {
    /// The occurrence that is run, and what earlier runs left.
    pub lease: &'a Lease,
    /// The document, where the claim brought it along.
    pub prefetched: Option<LoadedDocument>,
    /// Where documents come from and are saved.
    pub documents: &'a dyn Documents,
    /// What a document may measure.
    pub limits: &'a Limits,
    /// How bodies are written.
    pub shape: BodyShape,
}

/// What happened.
#[derive(Debug)]
pub struct Run {
    /// How it ended.
    pub end: RunEnd,
    /// The id the chain ended with: another than it began with after a switch.
    pub id: VconId,
    /// Documents that links changed and the store does not have yet, in write form.
    pub documents: Vec<DocumentWrite>,
    /// What links want done.
    pub effects: Vec<Effect>,
    /// The id whose document [`Effect::ExpireAfter`] means.
    pub expires: Option<VconId>,
    /// Storages that refused the vCon while the chain went on.
    pub refused: Vec<(StorageName, Error)>,
    /// Storages that have it, earlier runs' included.
    pub saved: Vec<StorageName>,
    /// Digest of the document that storages were given; only if the run failed after that.
    pub saved_digest: Option<u64>,
    /// How many links succeeded.
    pub links: usize,
    /// What was tried, in order.
    pub steps: Vec<Step>,
    /// The trace context of this run, where there is a tracer.
    pub context: Option<String>,
}

/// How a run ended.
#[derive(Debug)]
pub enum RunEnd {
    /// Through all links and storages.
    Done,
    /// A link said that this is enough.
    Halted {
        /// Which.
        link: LinkName,
        /// Why, in its words.
        reason: String,
    },
    /// Not to its end.
    Failed {
        /// Why.
        error: Error,
        /// The link it failed in, if in one.
        link: Option<LinkName>,
        /// The storage it failed for, if for one.
        storage: Option<StorageName>,
    },
    /// The lease is gone: nothing is to be written.
    Lost,
}

impl Run {
    /// Before the first link. A run that never says how it ended has lost its lease.
    pub(super) fn of(id: VconId) -> Self {
        Self {
            end: RunEnd::Lost,
            id,
            documents: Vec::new(),
            effects: Vec::new(),
            expires: None,
            refused: Vec::new(),
            saved: Vec::new(),
            saved_digest: None,
            links: 0,
            steps: Vec::new(),
            context: None,
        }
    }
}
