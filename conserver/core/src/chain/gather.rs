//! What arrives while a storage is busy goes in one save.
//!
//! A vCon that finds room is saved at once; while as many saves as allowed are under way, vCons wait, and the
//! next save takes all that have gathered. So a quiet storage answers as fast as it can and a busy one gets
//! large batches, and there is no time to linger that somebody would have to choose.
//!
//! No task of its own: one of those who wait leads. It saves the batch within its own future and answers the others.
//! If it is dropped in the middle, the others of its batch begin again: a save is idempotent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::oneshot::{Receiver, Sender, channel};

use crate::{Applied, Error, ErrorKind, Result};

/// Items on their way into batches.
#[derive(Debug)]
pub struct Gather<T> {
    shared: Arc<Shared<T>>,
    slots: usize,
    max_items: usize,
    max_weight: usize,
    weigh: fn(&T) -> usize,
}

#[derive(Debug)]
struct Shared<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    /// Slots that somebody holds. While fewer than all are held, nobody waits.
    held: usize,
    waiting: VecDeque<Waiting<T>>,
}

#[derive(Debug)]
struct Waiting<T> {
    item: T,
    weight: usize,
    reply: Sender<Turn<T>>,
}

/// What one who waits is told.
#[derive(Debug)]
enum Turn<T> {
    /// Somebody saved your item: this came of it.
    Done(Result<()>),
    /// You save the next batch.
    Lead(Slot<T>),
}

/// The right to have one save under way. Whoever drops it passes it on, wherever it is dropped: also inside a
/// reply that nobody takes any more.
#[derive(Debug)]
struct Slot<T>(Arc<Shared<T>>);

impl<T: Clone> Gather<T> {
    /// At most `slots` saves at once, each of at most `max_items` items that weigh at most `max_weight` (a heavier
    /// item goes alone).
    pub fn new(slots: usize, max_items: usize, max_weight: usize, weigh: fn(&T) -> usize) -> Self {
        let state = State { held: 0, waiting: VecDeque::new() };
        let shared = Arc::new(Shared(Mutex::new(state)));
        Self { shared, slots: slots.max(1), max_items: max_items.max(1), max_weight, weigh }
    }

    /// Saves an item together with what has gathered; `save` answers one result for each item in order.
    ///
    /// # Errors
    /// What `save` answered for this item.
    pub async fn join<F>(&self, item: &T, save: impl Fn(Vec<T>) -> F) -> Result<()>
    where
        F: Future<Output = Vec<Result<()>>>,
    {
        loop {
            let turn = match self.enter(item) {
                Ok(slot) => Ok(Turn::Lead(slot)),
                Err(reply) => reply.await,
            };
            match turn {
                Ok(Turn::Done(result)) => return result,
                Ok(Turn::Lead(slot)) => return self.lead(slot, item, &save).await,
                // Who led was dropped in the middle.
                Err(_) => {}
            }
        }
    }

    /// Takes a slot, or a place among those who wait.
    fn enter(&self, item: &T) -> Result<Slot<T>, Receiver<Turn<T>>> {
        let mut state = self.shared.lock();
        if state.held < self.slots {
            state.held += 1;
            return Ok(Slot(Arc::clone(&self.shared)));
        }
        let (reply, answer) = channel();
        state.waiting.push_back(Waiting { weight: (self.weigh)(item), item: item.clone(), reply });
        Err(answer)
    }

    async fn lead<F>(&self, slot: Slot<T>, item: &T, save: &impl Fn(Vec<T>) -> F) -> Result<()>
    where
        F: Future<Output = Vec<Result<()>>>,
    {
        let mut batch = vec![item.clone()];
        let mut followers = Vec::new();
        for waiting in self.take((self.weigh)(item)) {
            batch.push(waiting.item);
            followers.push(waiting.reply);
        }
        let (asked, mut results) = (batch.len(), save(batch).await.into_iter());
        // The next save begins before the answers of this one are told.
        drop(slot);
        let mut answer = || results.next().unwrap_or_else(|| Err(too_few_answers(asked)));
        let own = answer();
        for follower in followers {
            // A follower may have gone meanwhile.
            let _ = follower.send(Turn::Done(answer()));
        }
        own
    }

    /// Takes from those who wait what fits beside an item of this weight.
    fn take(&self, mut weight: usize) -> Vec<Waiting<T>> {
        let mut state = self.shared.lock();
        state.waiting.retain(|waiting| !waiting.reply.is_closed());
        let fits = state.waiting.iter().take(self.max_items - 1).take_while(|waiting| {
            weight = weight.saturating_add(waiting.weight);
            weight <= self.max_weight
        });
        let count = fits.count();
        state.waiting.drain(..count).collect()
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }

    /// The next who still waits; without one the slot is free.
    fn next(&self) -> Option<Sender<Turn<T>>> {
        let mut state = self.lock();
        while let Some(waiting) = state.waiting.pop_front() {
            if !waiting.reply.is_closed() {
                return Some(waiting.reply);
            }
        }
        state.held -= 1;
        None
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        if let Some(next) = self.0.next() {
            // If it went just now, the reply comes back and is dropped, which passes the slot on again.
            let _ = next.send(Turn::Lead(Slot(Arc::clone(&self.0))));
        }
    }
}

fn too_few_answers(asked: usize) -> Error {
    let text = format!("the storage answered fewer results than the {asked} vCons it was given");
    Error::new(ErrorKind::Internal, text).applied(Applied::Unknown)
}

#[cfg(test)]
mod tests;
