//! Recovering what dead workers held: of this host at once, of other hosts when their lease has ended and we have
//! been connected long enough to know.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use conserver_core::clock::Seldom;
use conserver_core::event::VconsRecovered;
use conserver_core::queue::{LEASE, Recovered, Strikes, WorkerStatus};

use crate::identity;
use crate::wiring::Backend;

/// Looks for workers to recover.
pub(crate) struct Recovery {
    backend: Backend,
    realm: String,
    /// When it was last told who holds the backend.
    told: Mutex<Seldom>,
}

/// A process that holds the backend is named this often.
const TELL_AGAIN: Duration = Duration::from_secs(10);

impl Recovery {
    pub(crate) fn new(backend: Backend) -> Self {
        Self { backend, realm: identity::realm(), told: Mutex::new(Seldom::every(TELL_AGAIN)) }
    }

    /// Recovers workers of this host whose process is gone: those of a supervisor before us.
    pub(crate) async fn of_this_host(&self) -> conserver_core::Result<()> {
        for worker in self.backend.queue.workers().await? {
            if worker.info.realm == self.realm && !identity::is_alive(&worker.info) {
                self.recover(&worker, "its process is gone").await?;
            }
        }
        Ok(())
    }

    /// Recovers workers of any host whose lease has ended. After an outage of the backend every lease looks ended, so we
    /// wait until it was reached for one full lease without a break: whoever lives has renewed by then.
    pub(crate) async fn of_others(&self) -> conserver_core::Result<()> {
        let reached = self.backend.inspect.reached_since().await;
        let workers = self.backend.queue.workers().await;
        if reached.is_none_or(|since: Instant| since.elapsed() < LEASE) {
            // Who stopped at the worst instant keeps others from reading, too.
            self.free_backend(workers.as_deref().unwrap_or_default()).await;
            return workers.map(drop);
        }
        let workers = workers?;
        for worker in workers {
            let ours = worker.info.realm == self.realm;
            // One of ours that still lives may be stopped or starved; it is treated like any other host's.
            if worker.lease_ms < 0 {
                let why = if ours { "its lease ended although its process lives" } else { "its lease ended" };
                self.recover(&worker, why).await?;
            }
        }
        Ok(())
    }

    /// Ends a worker that was stopped in the middle of a transaction: nobody else on this machine can write until it
    /// ends, and what it began is undone with it.
    async fn free_backend(&self, workers: &[WorkerStatus]) {
        let Some(pid) = self.backend.inspect.held_up_by().await else { return };
        let mut ours = workers.iter().map(|worker| &worker.info).filter(|info| info.realm == self.realm);
        let is_ours = identity::is_child(pid) || ours.any(|info| info.pid == pid && identity::is_alive(info));
        if is_ours && identity::is_stopped(pid) {
            tracing::warn!(
                pid,
                "a worker was stopped while it wrote to the database, and holds up all others; killing it"
            );
            identity::kill(pid);
        } else if self.told.lock().expect("no panic while held").is_time() {
            tracing::warn!(
                pid,
                "a process holds the database, and nobody else can write until it lets go or ends"
            );
        }
    }

    /// Recovers a child of ours that ended.
    pub(crate) async fn of_child(&self, pid: u32, strikes: &Strikes) -> conserver_core::Result<Recovered> {
        let mut all = Recovered::default();
        for worker in self.backend.queue.workers().await? {
            if worker.info.realm == self.realm && worker.info.pid == pid {
                let recovered = self.backend.queue.recover(&worker.info.id, strikes).await?;
                all.returned += recovered.returned;
                all.suspects.extend(recovered.suspects);
                all.poison.extend(recovered.poison);
            }
        }
        Ok(all)
    }

    async fn recover(&self, worker: &WorkerStatus, why: &str) -> conserver_core::Result<()> {
        let recovered = self.backend.queue.recover(&worker.info.id, &Strikes::none()).await?;
        tracing::warn!(worker = %worker.info.id, host = worker.info.host, why, vcons = recovered.returned, "recovered a worker");
        VconsRecovered { recovered: &recovered, signal: "", pid: worker.info.pid }.emit();
        Ok(())
    }
}
