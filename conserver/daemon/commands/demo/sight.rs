//! What the lists and the workers say, as the display shows it and as it is waited for.

use std::time::{Duration, Instant};

use conserver_core::QueueName;
use conserver_core::queue::{ListStatus, WorkerStatus};
use conserver_core::vcon::VconId;

use super::producer::LIST;
use super::site::Site;

/// The lists that chains take from, and where what came through them goes.
pub(super) const LISTS: [(&str, &str); 3] =
    [(LIST, "done"), ("complaints", "callbacks"), ("leads", "offers")];
/// The rate is that of the last while.
const WINDOW: Duration = Duration::from_secs(2);

/// The newest look.
pub(super) struct Sight {
    begun: Instant,
    pub(super) count: u64,
    pub(super) pushed: u64,
    /// Of those pushed, how many the first chain has done with.
    pub(super) finished: u64,
    /// One for each of [`LISTS`].
    pub(super) lists: Vec<ListStatus>,
    /// Lengths of the lists that they go to.
    pub(super) egress: Vec<u64>,
    pub(super) workers: Vec<WorkerStatus>,
    /// Times and figures of `finished`, the oldest first.
    past: Vec<(Instant, u64)>,
    /// When something last came to its end, from the beginning.
    pub(super) moved_at: Duration,
    first: Option<VconId>,
    told_first: bool,
}

impl Sight {
    pub(super) fn new(begun: Instant, count: u64) -> Self {
        Self {
            begun,
            count,
            pushed: 0,
            finished: 0,
            lists: vec![ListStatus::default(); LISTS.len()],
            egress: vec![0; LISTS.len()],
            workers: Vec::new(),
            past: vec![(begun, 0)],
            moved_at: Duration::ZERO,
            first: None,
            told_first: false,
        }
    }

    /// Looks again. `pushed` is what the producer had acknowledged before.
    pub(super) async fn look(&mut self, site: &Site, pushed: u64) -> anyhow::Result<()> {
        let queue = &site.backend.queue;
        let names = LISTS.iter().flat_map(|(from, to)| [from, to]).map(|name| QueueName::new(*name));
        let status = queue.status(&names.collect::<Vec<_>>()).await?;
        let before = (self.finished, self.egress.clone());
        let (from, to): (Vec<_>, Vec<_>) =
            status.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
        self.lists = from.into_iter().map(|(_, status)| status).collect();
        self.egress = to.into_iter().map(|(_, status)| status.queued).collect();
        self.workers = queue.workers().await?;
        self.pushed = pushed;
        // What was pushed since it was counted looks like work that nobody pushed: never less than before.
        self.finished = pushed.saturating_sub(open(&self.lists[0])).max(self.finished);
        let now = Instant::now();
        if before != (self.finished, self.egress.clone()) {
            self.moved_at = now - self.begun;
        }
        self.past.push((now, self.finished));
        let old = self.past.partition_point(|(at, _)| now - *at > WINDOW);
        self.past.drain(..old.min(self.past.len() - 2));
        if self.first.is_none() && self.egress[0] > 0 {
            self.first = queue.peek(&QueueName::new(LISTS[0].1), 1).await?.pop();
        }
        Ok(())
    }

    /// The first that came through, once.
    pub(super) fn first_through(&mut self) -> Option<VconId> {
        if self.told_first {
            return None;
        }
        self.told_first = self.first.is_some();
        self.first.clone()
    }

    /// Whether nothing waits or runs.
    pub(super) fn is_empty(&self) -> bool {
        self.lists.iter().all(|list| open(list) == 0)
    }

    /// vCons per second, of late.
    pub(super) fn rate(&self) -> f64 {
        match (self.past.first(), self.past.last()) {
            (Some((from, before)), Some((to, after))) if to > from => {
                (after - before) as f64 / (*to - *from).as_secs_f64()
            }
            _ => 0.0,
        }
    }

    /// How long nothing has come to its end.
    pub(super) fn idle(&self) -> Duration {
        self.begun.elapsed().saturating_sub(self.moved_at)
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// What of a list is not at its end.
fn open(list: &ListStatus) -> u64 {
    list.queued + list.in_flight + list.delayed + list.parked + list.suspects
}
