//! The queue: what it holds, and the contract, each method in the file of its subject.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use conserver_core::backend::{Advice, Inspect, Stray};
use conserver_core::queue::{
    ClaimRequest, Claimed, Drained, Lane, Lease, LeaseKeeper, Letter, ListStatus, Paging, Queue, Recovered,
    Settled, Settlement, Strikes, WorkerInfo, WorkerStatus,
};
use conserver_core::vcon::VconId;
use conserver_core::{QueueName, Result, WorkerId};

use crate::client::{Client, Server};
use crate::hint::Hints;
use crate::lease::Keeper;
use crate::options::{Delivery, RedisOptions};
use crate::reply::text;
use crate::script::Scripts;

/// Lists of ids and working copies of documents on one Redis.
///
/// It is cheap to make and connects when it is first used. The wake-up connection belongs to it and ends with it.
pub struct RedisQueue {
    pub(crate) client: Client,
    /// Documents come over a connection of their own, so that large ones hold up neither claims nor settlements.
    pub(crate) reading: Client,
    pub(crate) options: RedisOptions,
    pub(crate) scripts: Scripts,
    pub(crate) hints: Hints,
    /// Names this process to the sweeper's election.
    pub(crate) sweeper: String,
}

impl RedisQueue {
    /// Reads the address; nothing is connected yet. Needs a tokio runtime for the wake-up connection.
    pub fn new(options: RedisOptions) -> Result<Self> {
        let client = Client::new(&options.address, options.response_timeout)?;
        let reading = Client::new(&options.address, options.response_timeout)?;
        let hints = Hints::new(&options)?;
        let sweeper = format!("{}:{:x}", std::process::id(), fastrand::u64(..));
        Ok(Self { client, reading, options, scripts: Scripts::new(), hints, sweeper })
    }

    /// The address without credentials.
    pub fn shown(&self) -> &str {
        self.client.shown()
    }

    /// The server that this process is connected to right now, and since when without a break.
    pub fn server(&self) -> Option<Server> {
        self.client.server()
    }

    /// One round trip.
    pub async fn ping(&self) -> Result<()> {
        self.client.command("ping", &redis::cmd("PING")).await.map(drop)
    }

    /// Bytes of memory that the server uses; `None` where it does not tell.
    pub async fn memory_used(&self) -> Result<Option<u64>> {
        let info = self.client.command("ask for the memory", redis::cmd("INFO").arg("memory")).await?;
        let info = text(info).unwrap_or_default();
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        Ok(used.and_then(|bytes| bytes.trim().parse().ok()))
    }
}

#[async_trait]
impl Queue for RedisQueue {
    async fn register(&self, worker: &WorkerInfo) -> Result<()> {
        self.register_worker(worker).await
    }

    async fn claim(&self, worker: &WorkerId, request: &ClaimRequest<'_>) -> Result<Claimed> {
        match (self.options.delivery, request.lane) {
            (Delivery::AtMostOnce, Lane::Main) => self.pop_ids(worker, request).await,
            _ => self.claim_ids(worker, request).await,
        }
    }

    async fn arrival(&self, longest: Duration) {
        // A hint is only a hint: without one, the poll finds what came.
        let _ = tokio::time::timeout(longest.min(self.options.poll), self.hints.changed()).await;
    }

    async fn settle(&self, worker: &WorkerId, batch: &[Settlement]) -> Result<Vec<Settled>> {
        self.settle_all(worker, batch).await
    }

    async fn holdings(&self, worker: &WorkerId) -> Result<Vec<Lease>> {
        self.held_by(worker).await
    }

    async fn recover(&self, dead: &WorkerId, strikes: &Strikes) -> Result<Recovered> {
        self.recover_worker(dead, strikes).await
    }

    async fn workers(&self) -> Result<Vec<WorkerStatus>> {
        self.all_workers().await
    }

    fn keeper(&self, worker: &WorkerId) -> Result<Box<dyn LeaseKeeper>> {
        Ok(Box::new(Keeper::new(self.options.clone(), worker.clone())))
    }

    async fn push(&self, list: &QueueName, ids: &[VconId]) -> Result<u64> {
        self.push_ids(list, ids).await
    }

    async fn peek(&self, list: &QueueName, count: usize) -> Result<Vec<VconId>> {
        self.peek_ids(list, 0, count).await
    }

    async fn status(&self, lists: &[QueueName]) -> Result<Vec<ListStatus>> {
        self.list_status(lists).await
    }

    async fn lists(&self) -> Result<Vec<(QueueName, u64)>> {
        self.lists_of_vcons().await
    }

    async fn why_delayed(&self, list: &QueueName) -> Result<Option<String>> {
        self.last_error_of_delayed(list).await
    }

    async fn set_paused(&self, list: &QueueName, paused: bool) -> Result<bool> {
        self.pause_list(list, paused).await
    }

    async fn dead_letters(&self, dlq: &QueueName, paging: Paging) -> Result<Vec<Letter>> {
        self.letters(dlq, paging).await
    }

    async fn replay(&self, dlq: &QueueName, letters: &[VconId], target: &QueueName) -> Result<usize> {
        self.move_letters(dlq, letters, Some(target)).await
    }

    async fn discard(&self, dlq: &QueueName, letters: &[VconId]) -> Result<usize> {
        self.move_letters(dlq, letters, None).await
    }

    async fn drain(&self, lists: &[QueueName]) -> Result<Drained> {
        match self.drain_lists(lists).await {
            Err(error) => Err(self.explained(error, lists, None).await),
            answer => answer,
        }
    }

    async fn sweep(&self, lists: &[QueueName], dlqs: &[QueueName]) -> Result<Option<u64>> {
        match self.sweep_lists(lists, dlqs).await {
            Err(error) => Err(self.explained(error, lists, None).await),
            answer => answer,
        }
    }
}

#[async_trait]
impl Inspect for RedisQueue {
    fn kind(&self) -> &'static str {
        "Redis"
    }

    fn shown(&self) -> &str {
        self.client.shown()
    }

    async fn advise(&self) -> Result<Vec<Advice>> {
        Self::advise(self).await
    }

    async fn rights(&self, lists: &[QueueName]) -> Result<Vec<Advice>> {
        self.rights_on(lists).await
    }

    async fn strays(&self) -> Result<Vec<Stray>> {
        Self::strays(self).await
    }

    async fn memory_used(&self) -> Result<Option<u64>> {
        Self::memory_used(self).await
    }

    async fn reached_since(&self) -> Option<Instant> {
        self.client.server().map(|server| server.since)
    }
}
