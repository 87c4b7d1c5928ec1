//! The worker that is killed: what it held, how soon that was back on its list, how soon another worked in its place.

use std::time::{Duration, Instant};

use conserver_core::WorkerId;
use conserver_core::queue::WorkerStatus;
use rustix::process::{Pid, Signal, kill_process};

use super::site::Site;

/// How long it looks for nothing but this.
const NEXT_LOOK: Duration = Duration::from_millis(500);

/// A killed worker.
pub(super) struct Casualty {
    pub(super) pid: u32,
    /// When, from the beginning.
    pub(super) at: Duration,
    killed: Instant,
    id: WorkerId,
    others: Vec<WorkerId>,
    /// What it held when it died: nobody but its recovery changes that afterwards.
    pub(super) held: u64,
    /// How long until that was back.
    pub(super) recovered: Option<Duration>,
    /// The process that came in its place, and how long that took.
    pub(super) replaced: Option<(u32, Duration)>,
}

impl Casualty {
    /// Kills the worker that holds most, with a signal that no process can catch. None if no worker holds anything now.
    pub(super) async fn choose(site: &Site, at: Duration) -> anyhow::Result<Option<Self>> {
        let workers = site.backend.queue.workers().await?;
        let busy = |worker: &&WorkerStatus| worker.in_flight > 0 && worker.lease_ms > 0;
        let Some(chosen) = workers.iter().filter(busy).max_by_key(|worker| worker.in_flight) else {
            return Ok(None);
        };
        let pid = chosen.info.pid;
        let killed = Instant::now();
        let raw = Pid::from_raw(pid.cast_signed());
        if raw.is_none_or(|pid| kill_process(pid, Signal::KILL).is_err()) {
            return Ok(None);
        }
        let others = workers.iter().map(|worker| worker.info.id.clone()).collect();
        let (id, held) = (chosen.info.id.clone(), chosen.in_flight);
        let mut casualty = Self { pid, at, killed, id, others, held, recovered: None, replaced: None };
        casualty.follow(site).await?;
        Ok(Some(casualty))
    }

    /// Looks what has become of it.
    pub(super) async fn follow(&mut self, site: &Site) -> anyhow::Result<()> {
        while !self.is_over() {
            let workers = site.backend.queue.workers().await?;
            match workers.iter().find(|worker| worker.info.id == self.id) {
                Some(dead) => self.held = dead.in_flight,
                None => self.recovered = self.recovered.or(Some(self.killed.elapsed())),
            }
            let new = workers.iter().find(|worker| !self.others.contains(&worker.info.id));
            self.replaced = self.replaced.or(new.map(|new| (new.info.pid, self.killed.elapsed())));
            if self.recovered.is_some() || self.killed.elapsed() > NEXT_LOOK {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Whether it is recovered and replaced.
    pub(super) fn is_over(&self) -> bool {
        self.recovered.is_some() && self.replaced.is_some()
    }
}
