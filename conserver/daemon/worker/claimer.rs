//! Takes ids while there is room, and compares now and then what we hold with what the backend says we hold.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use conserver_core::QueueName;
use conserver_core::clock::Seldom;
use conserver_core::event::VconTaken;
use conserver_core::queue::{ClaimRequest, End, Lane, Lease, Queue, Settlement, WorkerInfo};
use tokio_util::sync::CancellationToken;

use super::desk::{Desk, Held};
use super::pipeline::Pipeline;
use super::run::{Claim, Runner};

/// One claim takes at most this many ids for one chain: small enough to load the next while these run.
const MOST: usize = 64;
/// How long one claim waits for ids.
const WAIT: Duration = Duration::from_secs(1);
/// While saturated, a short wait lets room gather, so that ids are not claimed one by one.
const GATHER: Duration = Duration::from_millis(1);
/// Without room for this long, an empty claim proves that the backend answers: readiness is progress.
const PROOF: Duration = Duration::from_secs(2);
/// How often holdings are compared.
const RECONCILE: Duration = Duration::from_secs(10);
/// Pauses after a claim that failed.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

pub(crate) struct Claimer {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) me: WorkerInfo,
    pub(crate) lane: Lane,
    pub(crate) desk: Arc<Desk>,
    pub(crate) pipeline: Arc<Mutex<Arc<Pipeline>>>,
    pub(crate) runner: Runner,
    pub(crate) stop: CancellationToken,
}

/// Why claiming ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was asked to stop.
    Stopped,
    /// The backend does not know this worker any more.
    Unregistered,
    /// The suspect lane is empty.
    LaneEmpty,
}

impl Claimer {
    /// Claims until stopped.
    pub(crate) async fn run(self) -> Ended {
        let mut turn = 0;
        let mut reconciled = Instant::now();
        let mut trouble: Option<Trouble> = None;
        let mut problems = Vec::new();
        loop {
            self.desk.beat();
            if self.stop.is_cancelled() {
                return Ended::Stopped;
            }
            // A claim whose answer was lost may have brought ids that nobody here knows of: they come first, and take
            // the room that a new claim would fill.
            if trouble.is_some() || reconciled.elapsed() > RECONCILE {
                if let Err(error) = self.reconcile().await {
                    trouble.get_or_insert_default().pause(&error, &self.stop).await;
                    continue;
                }
                reconciled = Instant::now();
            }
            let pipeline = self.pipeline.lock().expect("no panic while held").clone();
            let rooms = self.rooms(&pipeline).await;
            let shares = pipeline.shares(&rooms, turn);
            turn = turn.wrapping_add(1);
            if shares.is_empty() && self.desk.since_progress() < PROOF {
                self.wait_for_room().await;
                continue;
            }
            // Without room the claim brings nothing, but proves that the backend answers.
            let wait = if shares.is_empty() { Duration::ZERO } else { WAIT };
            let request = ClaimRequest { rooms: &rooms, wait, lists: &shares, lane: self.lane };
            let claimed = tokio::select! {
                () = self.stop.cancelled() => return Ended::Stopped,
                claimed = self.queue.claim(&self.me.id, &request) => claimed,
            };
            match claimed {
                Ok(claimed) if claimed.unregistered => return Ended::Unregistered,
                Ok(claimed) => {
                    self.desk.progressed();
                    if trouble.take().is_some() {
                        tracing::info!(worker = %self.me.id, "claiming again");
                    }
                    if claimed.problems != problems {
                        problems = claimed.problems;
                        tell(&problems);
                    }
                    let empty = claimed.leases.is_empty();
                    if empty && self.lane == Lane::Suspects && self.desk.count() == 0 {
                        return Ended::LaneEmpty;
                    }
                    // Every list of this claim is one of this pipeline.
                    let _ = self.start(&pipeline, claimed.leases);
                }
                Err(error) => trouble.get_or_insert_default().pause(&error, &self.stop).await,
            }
        }
    }

    /// Room of each chain; while nearly full, a moment for more to gather.
    async fn rooms(&self, pipeline: &Pipeline) -> Vec<usize> {
        if self.lane == Lane::Suspects {
            let free = usize::from(self.desk.count() == 0);
            return vec![free; pipeline.seats.len()];
        }
        let tight = |rooms: &[usize]| {
            pipeline
                .seats
                .iter()
                .zip(rooms)
                .all(|(seat, room)| *room < (seat.chain.plan.concurrency / 4).min(MOST / 2))
        };
        let rooms = pipeline.rooms(MOST);
        if !tight(&rooms) || pipeline.seats.is_empty() {
            return rooms;
        }
        tokio::time::sleep(GATHER).await;
        pipeline.rooms(MOST)
    }

    async fn wait_for_room(&self) {
        let rung = async {
            tokio::select! {
                () = self.desk.room.notified() => {}
                () = self.stop.cancelled() => {}
            }
        };
        let _ = tokio::time::timeout(WAIT, rung).await;
    }

    /// Runs what was claimed: on the newest configuration; what its list has left, on the one it was claimed with.
    ///
    /// Answers leases of lists that neither configuration serves: a lost claim that is found after a reload.
    fn start(&self, claimed_with: &Pipeline, leases: Vec<Lease>) -> Vec<Lease> {
        let newest = self.pipeline.lock().expect("no panic while held").clone();
        let mut claims = Vec::with_capacity(leases.len());
        let mut unserved = Vec::new();
        for lease in leases {
            let list = &lease.entry.list;
            let Some(seat) = newest.seat_of(list).or_else(|| claimed_with.seat_of(list)) else {
                unserved.push(lease);
                continue;
            };
            let held = Held {
                entry: lease.entry.clone(),
                chain: seat.chain.plan.name.clone(),
                dlq: seat.dlq(&lease.entry.list),
                since: Instant::now(),
            };
            if self.desk.take(held) {
                let (chain, list, id) = (&seat.chain.plan.name, &lease.entry.list, &lease.entry.id);
                VconTaken { chain, list, id }.emit();
                seat.enter();
                claims.push(Claim { lease, seat: seat.clone() });
            }
        }
        if !claims.is_empty() {
            self.runner.start(claims);
        }
        unserved
    }

    /// Takes up entries that the backend says we hold and we know nothing of: a claim whose answer was lost, or a run that
    /// stopped because the lease had lapsed.
    async fn reconcile(&self) -> conserver_core::Result<()> {
        self.desk.begin_reconciling();
        let leases = self.queue.holdings(&self.me.id).await?;
        let unknown = self.desk.unknown_of(leases.iter().map(|lease| lease.entry.token));
        if unknown.is_empty() {
            return Ok(());
        }
        tracing::info!(worker = %self.me.id, vcons = unknown.len(), "took up ids whose claim was lost");
        let pipeline = self.pipeline.lock().expect("no panic while held").clone();
        let lost = leases.into_iter().filter(|lease| unknown.contains(&lease.entry.token)).collect();
        let unserved = self.start(&pipeline, lost);
        let back: Vec<Settlement> =
            unserved.into_iter().map(|lease| Settlement::new(lease, End::GiveBack)).collect();
        self.queue.settle(&self.me.id, &back).await.map(drop)
    }
}

/// Lists that nothing can be taken from: told when that changes.
fn tell(problems: &[(QueueName, String)]) {
    for (list, problem) in problems {
        tracing::warn!(%list, problem, "nothing can be taken from this list until somebody mends it");
    }
}

/// Claims that fail: told at once and every few seconds, repeated with growing pauses.
#[derive(Default)]
struct Trouble {
    pause: Option<Duration>,
    told: Seldom,
}

impl Trouble {
    async fn pause(&mut self, error: &conserver_core::Error, stop: &CancellationToken) {
        if self.told.is_time() {
            tracing::warn!(error = %error.chain(), "cannot claim; trying until it works");
        }
        let pause = self.pause.map_or(RETRY.0, |pause| (pause * 2).min(RETRY.1));
        self.pause = Some(pause);
        let _ = tokio::time::timeout(pause, stop.cancelled()).await;
    }
}
