//! Lists of ids, and who holds which id right now.
//!
//! A worker *claims* ids and gets a [`Lease`] for each; it ends each lease with exactly one [`Settlement`].
//! What a worker held when it died is put back by [`Queue::recover`]. A vCon is in at most one run at a time.

mod dead_letter;
mod lease;
mod settlement;
mod status;

use std::time::Duration;

use async_trait::async_trait;
use conserver_vcon::VconId;

pub use dead_letter::{DeadLetter, Letter, LetterFilter, Paging};
pub use lease::{Entry, Lease, Tries};
pub use settlement::{End, Finish, Settled, Settlement, StorageLetter};
pub use status::{
    Claimed, Drained, LEASE, ListShare, ListStatus, Oldest, Recovered, Since, Strikes, WorkerInfo,
    WorkerStatus,
};

use crate::{QueueName, Result, WorkerId};

/// Which ids a claim looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Due retries and the lists themselves.
    Main,
    /// Ids that were running when a process died: one at a time, in a process of their own.
    Suspects,
}

/// What a worker asks for.
#[derive(Debug, Clone)]
pub struct ClaimRequest<'a> {
    /// Rooms, one for each chain: how many ids the lists that share it may bring together.
    pub rooms: &'a [usize],
    /// The lists to take from, in the order of this claim, each with its share.
    pub lists: &'a [ListShare],
    /// Which lane.
    pub lane: Lane,
}

/// Lists of ids with leases.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// Makes a worker known, with a lease that [`LeaseKeeper::renew`] keeps alive.
    ///
    /// # Behaviour
    /// * claims of a worker that is not registered get nothing
    async fn register(&self, worker: &WorkerInfo) -> Result<()>;

    /// Takes ids for this worker; does not wait for any to come: see [`Queue::arrival`].
    ///
    /// # Behaviour
    /// * ids of one list come oldest first; due retries come before them, with at most half the room while there are
    ///   others
    /// * every list with ids gets its share; lists that share a room never bring more than fits into it
    /// * lists of weight 0 take what the others leave, in the order of the request
    /// * an id is held by one worker at a time; another occurrence waits and returns to the head of its list when the first is settled
    /// * nothing is taken from a paused list
    /// * a claim that finds nothing writes nothing
    /// * a worker whose lease has ended gets nothing until it renews
    /// * the suspect lane hands out one suspect at a time to each host
    ///
    /// # Cancel safety
    /// Dropping the future never loses an id: what it took is found by [`Queue::holdings`].
    async fn claim(&self, worker: &WorkerId, request: &ClaimRequest<'_>) -> Result<Claimed>;

    /// Waits until ids may have come to lists that this process has claimed from, at most `longest`. It is a wait of its
    /// own rather than a part of the claim, so that the caller can wait for room, too: whichever comes first.
    ///
    /// # Behaviour
    /// * a push since the last wait, by any process, ends it
    /// * without a push it ends after `longest`, or earlier where the backend has to be asked again
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    async fn arrival(&self, longest: Duration);

    /// Ends leases; answers one [`Settled`] for each, in order.
    ///
    /// # Behaviour
    /// * repeating a call that failed does nothing twice
    /// * an entry that this worker no longer holds is `Gone`: no document, no effect, no egress
    /// * an item whose target has the wrong type is dead-lettered with that reason; the others go on
    /// * `Finish` writes the documents, applies the effects and pushes to the egress lists, with the trace context
    /// * `Dead` puts the id on the dead-letter list with its letter, and the document lives as long
    /// * the document keeps its time to live
    /// * what was parked behind the id returns to the head of its list
    /// * `GiveBack` returns ids to the head of their list, in the order they were taken; a retry stays one, a suspect
    ///   stays in its lane
    /// * `Retry` hands the id out again after its delay, with its tries
    async fn settle(&self, worker: &WorkerId, batch: &[Settlement]) -> Result<Vec<Settled>>;

    /// What the backend says this worker holds. For the worker to compare with what it knows.
    ///
    /// # Behaviour
    /// * every claimed and unsettled entry is there, whether the claim's answer arrived or not
    async fn holdings(&self, worker: &WorkerId) -> Result<Vec<Lease>>;

    /// Ends a dead worker's registration and puts back what it held.
    ///
    /// # Behaviour
    /// * the ids return to the head of their lists in the order they were taken
    /// * later claims, settlements and renewals of the dead worker do nothing
    /// * a second recovery finds nothing
    /// * struck ids go to the suspect lane; those struck for the second time while alone are dead-lettered `poison`
    /// * a suspect that is not struck stays in its lane
    async fn recover(&self, dead: &WorkerId, strikes: &Strikes) -> Result<Recovered>;

    /// All registered workers.
    ///
    /// # Behaviour
    /// * a worker is there from its registration to its recovery, with how much it holds
    async fn workers(&self) -> Result<Vec<WorkerStatus>>;

    /// A keeper for this worker's lease, for use on a thread of its own.
    fn keeper(&self, worker: &WorkerId) -> Result<Box<dyn LeaseKeeper>>;

    /// Puts ids at the end of a list; answers its length.
    ///
    /// # Behaviour
    /// * ids keep their order, and the same id may stand there many times
    /// * a key of another type is `WrongType`
    async fn push(&self, list: &QueueName, ids: &[VconId]) -> Result<u64>;

    /// Up to `count` ids from the head of a list, without taking them.
    ///
    /// # Behaviour
    /// * the head comes first, and nothing is taken
    async fn peek(&self, list: &QueueName, count: usize) -> Result<Vec<VconId>>;

    /// How much lies where, for each of these lists.
    ///
    /// # Behaviour
    /// * every place that an id can be in is counted
    /// * the id at the head of a list is told, with an age where the backend knows one
    async fn status(&self, lists: &[QueueName]) -> Result<Vec<ListStatus>>;

    /// Every list of ids of stored vCons with its length: for people who look for ids that nobody takes.
    ///
    /// # Behaviour
    /// * a list is there while the id at its head is that of a stored vCon, whoever put it there
    async fn lists(&self) -> Result<Vec<(QueueName, u64)>>;

    /// Why ids of a list are delayed.
    ///
    /// # Behaviour
    /// * it is the last error of the delayed id that is due first; nothing is told where none is delayed
    async fn why_delayed(&self, list: &QueueName) -> Result<Option<String>>;

    /// Stops or resumes claims from a list, for all workers.
    ///
    /// # Behaviour
    /// * answers whether that changed anything
    async fn set_paused(&self, list: &QueueName, paused: bool) -> Result<bool>;

    /// Dead letters of a dead-letter list, oldest first, with what is known about each.
    ///
    /// # Behaviour
    /// * pages begin at the head; an entry that another program put there has no letter
    async fn dead_letters(&self, dlq: &QueueName, paging: Paging) -> Result<Vec<Letter>>;

    /// Moves dead letters to the end of `target`; answers how many of `letters` were still there.
    ///
    /// # Behaviour
    /// * each id named is moved once, and one that is no longer there is not
    /// * no id is lost or doubled if the process dies in between
    async fn replay(&self, dlq: &QueueName, letters: &[VconId], target: &QueueName) -> Result<usize>;

    /// Drops dead letters; answers how many of `letters` were still there.
    ///
    /// # Behaviour
    /// * only those named are gone, with what was known about them
    async fn discard(&self, dlq: &QueueName, letters: &[VconId]) -> Result<usize>;

    /// Returns retries, suspects and parked ids of these lists to the lists themselves.
    ///
    /// # Behaviour
    /// * afterwards every id that no live worker holds is on a plain list; what is parked behind an id that runs follows
    ///   when that one is settled
    async fn drain(&self, lists: &[QueueName]) -> Result<Drained>;

    /// Extends the time to live of what waits, runs or is dead, if this process is the elected sweeper.
    /// Answers how many documents were extended, `None` if another process is elected.
    ///
    /// # Behaviour
    /// * a document that a link lets expire is left alone
    /// * a longer time to live is never shortened
    async fn sweep(&self, lists: &[QueueName], dlqs: &[QueueName]) -> Result<Option<u64>>;
}

/// Keeps one worker's lease from a thread that no runtime can block.
pub trait LeaseKeeper: Send {
    /// Renews the lease; `false` if the worker was recovered meanwhile and has to take a new id.
    ///
    /// `progress` is how long ago the worker last claimed or proved its lists empty.
    ///
    /// # Behaviour
    /// * a lease that has ended is revived, unless recovery was faster
    fn renew(&mut self, progress: Duration) -> Result<bool>;

    /// Puts one entry that blocks its thread on `dlq`, and everything else back.
    ///
    /// # Behaviour
    /// * the stuck id is a dead letter, the others stand at the head of their lists in order, the worker is gone
    fn abandon(&mut self, stuck: &Entry, dlq: &QueueName, letter: &DeadLetter) -> Result<()>;

    /// Puts everything back.
    ///
    /// # Behaviour
    /// * all ids stand at the head of their lists in order, and the worker is gone
    fn release(&mut self) -> Result<Recovered>;
}
