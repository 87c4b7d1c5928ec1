//! At most once: ids are popped, as the Python server does. What a dying worker holds is lost.
//!
//! Only what failed and waits for another try is kept: it went into the delayed set with a token of its own, and is
//! claimed from there like any other.

use std::sync::atomic::{AtomicU64, Ordering};

use conserver_core::queue::{ClaimRequest, Claimed, Entry};
use conserver_core::{QueueName, Result, WorkerId};

use crate::queue::RedisQueue;
use crate::reply::{array, text};

impl RedisQueue {
    /// Due retries if there are any, else one popped id.
    pub(crate) async fn pop_ids(&self, worker: &WorkerId, request: &ClaimRequest<'_>) -> Result<Claimed> {
        self.hints.watch(request.lists);
        let (mut claimed, _) = self.claim_once(worker, request, "retries").await?;
        self.explain(&mut claimed, worker).await?;
        if claimed.leases.is_empty()
            && !claimed.unregistered
            && let Some(popped) = self.pop(request).await?
        {
            claimed.leases = self.leases_of(vec![popped]).await?;
        }
        Ok(claimed)
    }

    async fn pop(&self, request: &ClaimRequest<'_>) -> Result<Option<Entry>> {
        let paused = self.paused(request.lists).await?;
        let open: Vec<&QueueName> = (request.lists.iter().zip(paused))
            .filter(|(share, paused)| !paused && request.rooms.get(share.room).is_some_and(|room| *room > 0))
            .map(|(share, _)| &share.list)
            .collect();
        if open.is_empty() {
            return Ok(None);
        }
        // Within a transaction it does not block: the head of the first list that has one, in one step.
        let mut pops = redis::pipe();
        let command = pops.atomic().cmd("BLPOP");
        for list in open {
            command.arg(list.as_str());
        }
        command.arg(0);
        let popped = self.client.transaction("pop an id", &pops).await?.pop();
        let mut popped = array(popped.unwrap_or(redis::Value::Nil), "BLPOP")?.into_iter();
        let (list, id) = (popped.next().and_then(text), popped.next().and_then(text));
        let popped = list.zip(id);
        Ok(popped.map(|(list, id)| Entry { list: list.as_str().into(), token: token(), id: id.into() }))
    }
}

/// Tells popped ids of this process apart; Redis knows nothing of it.
fn token() -> u64 {
    static POPPED: AtomicU64 = AtomicU64::new(0);
    Entry::POPPED | POPPED.fetch_add(1, Ordering::Relaxed)
}
