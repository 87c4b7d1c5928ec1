//! Looks at what nobody counts: how lists stand, and what a server beside us uses.

use std::time::Duration;

use conserver_core::QueueName;
use conserver_core::config::Plan;
use conserver_core::event::{ListsSeen, RedisSeen};
use conserver_core::queue::ListStatus;
use tokio::sync::watch::Receiver;

use crate::wiring::{Backend, dead_letter_lists};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(5);

/// Looks every few seconds at the lists of the newest plan, for as long as there may be newer ones.
pub(crate) async fn watch(backend: Backend, mut plans: Receiver<Plan>) {
    loop {
        let plan = plans.borrow_and_update().clone();
        if let Err(error) = look(&backend, &plan).await {
            tracing::debug!(error = %error.chain(), "cannot look at the lists");
        }
        // The sender goes with its supervisor.
        if matches!(tokio::time::timeout(EVERY, plans.changed()).await, Ok(Err(_))) {
            return;
        }
    }
}

async fn look(backend: &Backend, plan: &Plan) -> conserver_core::Result<()> {
    let lists = plan.ingress_lists();
    let dead = dead_letter_lists(plan);
    let of_storages: Vec<QueueName> =
        plan.storages.iter().map(|storage| storage.adapter.name.dead_letters()).collect();
    let mut ingress: Vec<(QueueName, ListStatus)> =
        lists.iter().cloned().zip(backend.queue.status(&lists).await?).collect();
    ingress.dedup_by(|a, b| a.0 == b.0);
    // A dead-letter list is a plain list, and counted like one.
    let lengths = backend.queue.status(&dead).await?;
    let dead: Vec<(QueueName, &'static str, u64)> = dead
        .into_iter()
        .zip(lengths)
        .map(|(list, status)| {
            let kind = if of_storages.contains(&list) { "storage-dlq" } else { "dlq" };
            (list, kind, status.queued)
        })
        .collect();
    ListsSeen { ingress: &ingress, dead: &dead }.emit();
    if let Some(memory_bytes) = backend.inspect.memory_used().await? {
        RedisSeen { memory_bytes }.emit();
    }
    Ok(())
}
