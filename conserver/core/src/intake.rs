//! The doors of the pipeline: documents come in with the lists they are meant for, ids go out from egress lists.
//!
//! What the API, `push` and adapters of ours call. An arrival is one step: the document, its search keys, its trace
//! context and its places on the lists are all written, or nothing is.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use conserver_vcon::VconId;

use crate::store::IndexKeys;
use crate::{QueueName, Result};

/// A document that comes in.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The id it is stored under.
    pub id: VconId,
    /// The JSON text.
    pub json: Bytes,
    /// What it is found by.
    pub keys: IndexKeys,
    /// How long it lives; `None`: for ever.
    pub ttl: Option<Duration>,
    /// The lists that get its id, in this order; the same list may stand there twice.
    pub lists: Vec<Target>,
    /// The trace context that goes with the id on each list, as JSON text.
    pub context: Option<String>,
    /// What the sender calls this request (`Idempotency-Key`): the same one again does nothing for [`ONCE`].
    pub once: Option<String>,
}

/// A list that ids are put on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The list.
    pub list: QueueName,
    /// How long it may be at most; `None`: there is no bound.
    pub bound: Option<u64>,
}

impl Target {
    /// A list without a bound.
    pub fn new(list: QueueName) -> Self {
        Self { list, bound: None }
    }
}

/// What became of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// Everything was written.
    Stored,
    /// The same request was here before: nothing was written.
    Repeated,
}

/// How long a request is remembered by what its sender calls it.
pub const ONCE: Duration = Duration::from_secs(86_400);

/// The doors of the pipeline.
#[async_trait]
pub trait Intake: Send + Sync + 'static {
    /// Takes documents in; answers one result for each, in order.
    ///
    /// # Behaviour
    /// * an arrival replaces the document, is found by its keys, and stands at the end of each of its lists with its context
    /// * a list that is no list is `WrongType` and names the list; nothing of that arrival is written, the others go on
    /// * a list at its bound is `RateLimited` and names the list; nothing of that arrival is written
    /// * a repeated request is `Repeated` and writes nothing; the same name for another id is `Conflict`
    ///
    /// # Errors
    /// `Unavailable` for each arrival of which nothing is known.
    async fn accept(&self, arrivals: &[Arrival]) -> Vec<Result<Arrived>>;

    /// Puts ids whose documents are there at the end of a list, with a trace context each; answers its length.
    ///
    /// # Behaviour
    /// * ids keep their order, each with its context
    /// * at a bound that the ids do not fit under: `RateLimited`, and none is put there
    /// * onto something that is no list: `WrongType`, and no context stays behind
    async fn enqueue(&self, target: &Target, ids: &[VconId], context: Option<&str>) -> Result<u64>;

    /// Takes up to `count` ids from the end of a list, the newest first, and drops their trace contexts.
    ///
    /// # Behaviour
    /// * the newest comes first, and what was answered is gone with its context
    /// * popping from something that is no list is `WrongType`; from no list at all, nothing
    async fn pop(&self, list: &QueueName, count: usize) -> Result<Vec<VconId>>;

    /// How many ids stand on a list.
    ///
    /// # Behaviour
    /// * a missing list has length 0; something that is no list is `WrongType`
    async fn length(&self, list: &QueueName) -> Result<u64>;
}
