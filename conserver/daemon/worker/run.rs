//! From leases to settlements: loads the documents of a claim together, then runs each vCon on its own task.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use conserver_core::chain::{self, Job, LoadedDocument};
use conserver_core::clock::unix_seconds;
use conserver_core::event::{RunRetried, VconDead};
use conserver_core::queue::{End, Lease, Settlement};
use conserver_core::store::Loaded;
use conserver_core::vcon::{BodyShape, VconId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::chronicler::Course;
use super::documents::{RunDocuments, Source, too_large};
use super::pipeline::Seat;
use super::settler::Ended;
use crate::slots::Slots;

/// One load asks for at most about this many bytes.
const LOAD_BYTES: usize = 4 << 20;
/// What a document of unknown size counts for.
const UNKNOWN_BYTES: usize = 64 << 10;
/// Permits are counted in these many bytes, so that a large limit fits the semaphore.
const UNIT: usize = 1 << 10;
/// Between two attempts to load while the backend is away.
const RETRY: Duration = Duration::from_millis(200);

/// Runs what the claimer brings.
#[derive(Clone)]
pub(crate) struct Runner {
    pub(crate) source: Arc<Source>,
    pub(crate) slots: Slots,
    pub(crate) bytes: Arc<Semaphore>,
    pub(crate) max_bytes: usize,
    pub(crate) shape: BodyShape,
    pub(crate) ended: mpsc::UnboundedSender<Ended>,
    pub(crate) tracker: TaskTracker,
    /// Cancelled when what still runs has to be dropped.
    pub(crate) hurry: CancellationToken,
}

/// A lease on its way into its chain.
pub(crate) struct Claim {
    pub(crate) lease: Lease,
    pub(crate) seat: Arc<Seat>,
}

impl Runner {
    /// Takes over a claim's leases; does not wait for them.
    pub(crate) fn start(&self, claims: Vec<Claim>) {
        let runner = self.clone();
        self.tracker.spawn(async move {
            let hurry = runner.hurry.clone();
            // Dropped at a hurried stop: what it held is put back with the worker's registration.
            let _ = hurry.run_until_cancelled(runner.load_and_run(claims)).await;
        });
    }

    async fn load_and_run(&self, claims: Vec<Claim>) {
        let mut group = Vec::new();
        let mut bytes = 0;
        for claim in claims {
            let size = claim.lease.document_bytes.unwrap_or(UNKNOWN_BYTES);
            if size > self.source.limits.max_bytes {
                // Not even read: the run fails where it asks for the document.
                let refusal = Loaded::Unreadable(too_large(size, self.source.limits.max_bytes));
                self.spawn(claim, Some(refusal), None);
            } else if !claim.seat.chain.needs_document() {
                self.spawn(claim, None, None);
            } else {
                if bytes + size > LOAD_BYTES && !group.is_empty() {
                    self.load_group(std::mem::take(&mut group), bytes).await;
                    bytes = 0;
                }
                bytes += size;
                group.push(claim);
            }
        }
        if !group.is_empty() {
            self.load_group(group, bytes).await;
        }
    }

    /// Loads a group in one round trip and spawns its runs.
    async fn load_group(&self, group: Vec<Claim>, bytes: usize) {
        let permit = self.room_for(bytes).await;
        let ids: Vec<VconId> = group.iter().map(|claim| claim.lease.entry.id.clone()).collect();
        let loaded = loop {
            match self.source.store.load(&ids).await {
                Ok(loaded) => break loaded,
                Err(error) => {
                    // The backend is away: the claimer says so. The ids stay in our hands.
                    tracing::debug!(error = %error.chain(), "cannot load documents yet");
                    tokio::time::sleep(RETRY).await;
                }
            }
        };
        for (claim, loaded) in group.into_iter().zip(loaded) {
            self.spawn(claim, Some(loaded), Some(permit.clone()));
        }
    }

    async fn room_for(&self, bytes: usize) -> Arc<OwnedSemaphorePermit> {
        let units = bytes.min(self.max_bytes).div_ceil(UNIT).max(1);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let permit = self.bytes.clone().acquire_many_owned(units).await;
        Arc::new(permit.expect("the semaphore is never closed"))
    }

    fn spawn(&self, claim: Claim, loaded: Option<Loaded>, bytes: Option<Arc<OwnedSemaphorePermit>>) {
        let runner = self.clone();
        self.tracker.spawn(async move {
            let hurry = runner.hurry.clone();
            let _ = hurry.run_until_cancelled(runner.run(claim, loaded, bytes)).await;
        });
    }

    async fn run(&self, claim: Claim, loaded: Option<Loaded>, bytes: Option<Arc<OwnedSemaphorePermit>>) {
        let Claim { lease, seat } = claim;
        let (prefetched, found) = match loaded {
            Some(Loaded::Found { json, encoding }) => (Some(LoadedDocument::Text { json, encoding }), None),
            other => (None, other),
        };
        let documents = RunDocuments { source: &self.source, entry: &lease.entry, found: Mutex::new(found) };
        let limits = &self.source.limits;
        let job = Job { lease: &lease, prefetched, documents: &documents, limits, shape: self.shape };
        let run = chain::run(&seat.chain, job);
        let mut run = self.slots.marking(lease.entry.token, seat.stuck_after, run).await;
        let course = Course::of(&lease.entry.id, &mut run);
        let end = chain::to_end(run, &seat.chain.plan, &lease, unix_seconds(), fastrand::f64());
        self.finish(Settlement::new(lease, end), course, seat, bytes);
    }

    fn finish(
        &self,
        mut settlement: Settlement,
        course: Course,
        seat: Arc<Seat>,
        bytes: Option<Arc<OwnedSemaphorePermit>>,
    ) {
        let worker = &self.source.worker;
        let (chain, id) = (&seat.chain.plan.name, &settlement.lease.entry.id);
        match &mut settlement.end {
            End::Dead { letter, dlq, .. } => {
                letter.worker = Some(worker.clone());
                VconDead { chain, id, dlq, reason: &letter.reason, error: &letter.error }.emit();
            }
            End::Retry { after, tries, .. } => {
                let error = tries.last_error.as_deref().unwrap_or_default();
                RunRetried { chain, id, attempt: tries.attempt, after: *after, error }.emit();
            }
            End::Finish(finish) => {
                for refused in &mut finish.storage_letters {
                    refused.letter.worker = Some(worker.clone());
                }
            }
            End::GiveBack => {}
        }
        seat.ran();
        self.source.desk.room.notify_one();
        // The settler outlives every run; if it does not, the worker is ending and puts everything back.
        let _ = self.ended.send(Ended { settlement, seat, course, _bytes: bytes });
    }
}

/// A semaphore for this many bytes in flight.
pub(crate) fn bytes_in_flight(max_bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(max_bytes.div_ceil(UNIT).clamp(1, Semaphore::MAX_PERMITS)))
}
