//! Pushes what the generator makes, as a producer does: the document, and its id on the list.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use conserver_core::QueueName;
use conserver_core::intake::{Arrival, Target};
use conserver_core::store::IndexKeys;
use conserver_core::vcon::{Limits, Vcon, VconId};
use conserver_generator::{Conversation, Conversations};
use tokio::task::JoinHandle;

use crate::wiring::Backend;

/// The list that gets them.
pub(super) const LIST: &str = "intake";
/// How many are pushed at once.
const BATCH: usize = 200;

/// What was pushed.
#[derive(Debug, Clone)]
pub(super) struct Pushed {
    pub(super) id: VconId,
    /// Nobody spoke in it.
    pub(super) hung_up: bool,
}

/// A producer at work.
pub(super) struct Producer {
    pushed: Arc<AtomicU64>,
    task: JoinHandle<anyhow::Result<Vec<Pushed>>>,
}

impl Producer {
    /// Begins to push `count` conversations of this seed.
    pub(super) fn start(backend: Backend, seed: u64, count: u64) -> Self {
        let pushed = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(push_all(backend, seed, count, pushed.clone()));
        Self { pushed, task }
    }

    /// How many were acknowledged so far.
    pub(super) fn pushed(&self) -> u64 {
        self.pushed.load(Ordering::Acquire)
    }

    /// Whether all were, or it failed.
    pub(super) fn is_done(&self) -> bool {
        self.task.is_finished()
    }

    /// What was pushed, in order.
    pub(super) async fn finish(self) -> anyhow::Result<Vec<Pushed>> {
        self.task.await?.context("push a conversation")
    }
}

async fn push_all(
    backend: Backend,
    seed: u64,
    count: u64,
    done: Arc<AtomicU64>,
) -> anyhow::Result<Vec<Pushed>> {
    let mut made = Conversations::new(seed).take(usize::try_from(count)?);
    let mut pushed = Vec::new();
    loop {
        let batch: Vec<Conversation> = made.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return Ok(pushed);
        }
        push(&backend, &batch).await?;
        done.fetch_add(batch.len() as u64, Ordering::AcqRel);
        pushed.extend(batch.iter().map(|made| Pushed { id: VconId::new(&made.id), hung_up: made.hung_up }));
    }
}

async fn push(backend: &Backend, batch: &[Conversation]) -> anyhow::Result<()> {
    let list = QueueName::new(LIST);
    let mut arrivals = Vec::new();
    let mut missing = Vec::new();
    for made in batch {
        let id = VconId::new(&made.id);
        let Some(json) = &made.json else {
            missing.push(id);
            continue;
        };
        let vcon = Vcon::parse(id.clone(), json.clone(), &Limits::default())?;
        arrivals.push(Arrival {
            id,
            json: json.clone(),
            keys: IndexKeys::of(&vcon),
            ttl: None,
            lists: vec![Target::new(list.clone())],
            context: None,
            once: None,
        });
    }
    for accepted in backend.intake.accept(&arrivals).await {
        accepted?;
    }
    if !missing.is_empty() {
        backend.queue.push(&list, &missing).await?;
    }
    Ok(())
}
