//! Ends leases in batches: what has gathered while the last batch was under way goes with the next.
//!
//! A settlement that the backend did not confirm is sent again until it is. Nothing else may forget a lease.

use std::sync::Arc;
use std::time::{Duration, Instant};

use conserver_core::clock::Seldom;
use conserver_core::event::{BatchSettled, Failure, VconDead, VconFinished};
use conserver_core::queue::{End, Queue, Settled, Settlement};
use conserver_core::{ErrorKind, WorkerId};
use tokio::sync::mpsc::UnboundedReceiver;

use super::chronicler::{Chronicler, Course};
use super::desk::{Desk, Held};
use super::pipeline::Seat;

/// One batch sends at most about this many bytes.
const MAX_BYTES: usize = 1 << 20;
/// One batch has at most this many items: more gain nothing, and its copies would leave the processor's cache.
const MAX_ITEMS: usize = 64;
/// Pauses between two attempts to settle.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// A lease that ended, and where it has to be counted out.
pub(crate) struct Ended {
    pub(crate) settlement: Settlement,
    pub(crate) seat: Arc<Seat>,
    pub(crate) course: Course,
    /// Held until the document is written.
    pub(crate) _bytes: Option<Arc<tokio::sync::OwnedSemaphorePermit>>,
}

pub(crate) struct Settler {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) worker: WorkerId,
    pub(crate) desk: Arc<Desk>,
    pub(crate) chronicler: Chronicler,
}

impl Settler {
    /// Settles until all senders are gone.
    pub(crate) async fn run(mut self, mut ended: UnboundedReceiver<Ended>) {
        let mut waiting = Vec::with_capacity(MAX_ITEMS);
        loop {
            if waiting.is_empty() && ended.recv_many(&mut waiting, MAX_ITEMS).await == 0 {
                return;
            }
            let items = batch_of(&waiting);
            let rest = waiting.split_off(items);
            let (batch, counts): (Vec<Settlement>, Vec<_>) =
                waiting.into_iter().map(|e| (e.settlement, (e.seat, e.course, e._bytes))).unzip();
            let answers = self.settle(&batch).await;
            for ((settlement, (seat, course, _)), answer) in batch.iter().zip(counts).zip(answers) {
                let held = self.desk.let_go(settlement.lease.entry.token);
                self.tell(settlement, &seat, &course, held.as_ref(), &answer);
                seat.leave();
            }
            self.desk.room.notify_one();
            waiting = rest;
            while waiting.len() < MAX_ITEMS {
                match ended.try_recv() {
                    Ok(next) => waiting.push(next),
                    Err(_) => break,
                }
            }
        }
    }

    /// Repeats until the backend confirms.
    async fn settle(&self, batch: &[Settlement]) -> Vec<Settled> {
        let (mut pause, longest) = RETRY;
        let mut told = Seldom::default();
        let began = Instant::now();
        loop {
            match self.queue.settle(&self.worker, batch).await {
                Ok(answers) => {
                    if told.has_told() {
                        tracing::info!(vcons = batch.len(), "settled after all");
                    }
                    self.desk.progressed();
                    BatchSettled { items: batch.len(), took: began.elapsed() }.emit();
                    return answers;
                }
                Err(error) => {
                    if told.is_time() {
                        tracing::warn!(error = %error.chain(), vcons = batch.len(), "cannot settle; trying until it works");
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(longest);
                }
            }
        }
    }

    /// Tells how a lease ended.
    fn tell(
        &mut self,
        settlement: &Settlement,
        seat: &Seat,
        course: &Course,
        held: Option<&Held>,
        answer: &Settled,
    ) {
        let (entry, chain) = (&settlement.lease.entry, &seat.chain.plan.name);
        let end = match (&settlement.end, answer) {
            (_, Settled::Gone) => "gone",
            (End::Dead { .. }, _) | (_, Settled::Refused(_)) => "dead",
            (End::Finish(finish), _) => {
                if finish.halted {
                    "halted"
                } else {
                    "done"
                }
            }
            (End::Retry { .. }, _) => "retry",
            (End::GiveBack, _) => "given-back",
        };
        let refusal = match answer {
            Settled::Refused(error) => Some(error.as_str()),
            Settled::Applied | Settled::Gone => None,
        };
        if let Some(error) = refusal {
            let (id, dlq, reason) = (&entry.id, &seat.dlq(&entry.list), ErrorKind::WrongType.as_str());
            VconDead { chain, id, dlq, reason, error }.emit();
        }
        let took = held.map_or(Duration::ZERO, |held| held.since.elapsed());
        let failure = failure(&settlement.end, course, answer);
        let finished = VconFinished { chain, list: &entry.list, id: &entry.id, end, took, failure };
        finished.emit();
        self.chronicler.note(settlement, course, &finished, refusal);
    }
}

/// Why a run failed, if it did.
fn failure<'a>(end: &'a End, course: &'a Course, answer: &'a Settled) -> Option<Failure<'a>> {
    match (end, answer) {
        (_, Settled::Refused(error)) => {
            Some(Failure { reason: Some(ErrorKind::WrongType.as_str()), link: None, storage: None, error })
        }
        (End::Dead { letter, .. }, _) => Some(Failure {
            reason: Some(&letter.reason),
            link: letter.link.as_ref(),
            storage: letter.storage.as_ref(),
            error: &letter.error,
        }),
        (End::Retry { tries, .. }, _) => tries.last_error.as_deref().map(|error| {
            let step = course.failed();
            Failure {
                reason: step.and_then(|step| step.error.as_deref()),
                link: step.and_then(|step| step.link.as_ref()),
                storage: step.and_then(|step| step.storage.as_ref()),
                error,
            }
        }),
        (End::Finish(_) | End::GiveBack, _) => None,
    }
}

/// How many of these go into one batch: by bytes, but at least one.
fn batch_of(waiting: &[Ended]) -> usize {
    let mut bytes = 0;
    waiting
        .iter()
        .take(MAX_ITEMS)
        .position(|ended| {
            bytes += ended.settlement.weight();
            bytes > MAX_BYTES
        })
        .map_or(waiting.len().min(MAX_ITEMS), |fits| fits.max(1))
}
