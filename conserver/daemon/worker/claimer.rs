//! Takes ids while there is room, and compares now and then what we hold with what the backend says we hold.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use conserver_core::clock::Seldom;
use conserver_core::event::VconTaken;
use conserver_core::queue::{ClaimRequest, End, Lane, Lease, ListShare, Queue, Settlement, WorkerInfo};
use conserver_core::{QueueName, WorkerId};
use tokio_util::sync::CancellationToken;

use super::desk::{Desk, Held};
use super::pipeline::Pipeline;
use super::run::{Claim, Runner};

/// One claim takes at most this many ids for one chain: small enough to load the next while these run.
const MOST: usize = 64;
/// How long it waits at most before it looks around.
const WAIT: Duration = Duration::from_secs(1);
/// After a claim that found something it looks again this soon, then twice as late each time: where ids come one by one
/// the next claim takes several, and a backend that cannot tell of new ones is asked often while there are many.
const LOOK: Duration = Duration::from_millis(1);
/// Two claims are at least this far apart if only a hint called for the second, however many hints come.
const DEBOUNCE: Duration = Duration::from_millis(1);
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
    ///
    /// It waits for whatever comes first: ids, room in a chain that has none, another state of a breaker, another
    /// configuration. No wait for one chain holds up another.
    pub(crate) async fn run(self) -> Ended {
        let mut turn = 0;
        let mut supply = Supply::default();
        let (mut found, mut pause) = (Instant::now(), LOOK);
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
                    trouble.get_or_insert_default().pause(&self.me.id, &error, &self.stop).await;
                    continue;
                }
                reconciled = Instant::now();
            }
            let pipeline = self.pipeline.lock().expect("no panic while held").clone();
            let mut rooms = self.rooms(&pipeline, &supply).await;
            let shares = pipeline.shares(&rooms, turn);
            turn = turn.wrapping_add(1);
            // Without room a claim brings nothing, but proves now and then that the backend answers.
            if shares.is_empty() && self.desk.since_progress() < PROOF {
                self.wait(&pipeline, &rooms, WAIT).await;
                continue;
            }
            let request = ClaimRequest { rooms: &rooms, lists: &shares, lane: self.lane };
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
                    for lease in &claimed.leases {
                        let seat = pipeline.index_of(&lease.entry.list);
                        if let Some(room) = seat.and_then(|seat| rooms.get_mut(seat)) {
                            *room = room.saturating_sub(1);
                        }
                    }
                    let more = supply.note(&shares, &claimed.lengths, &rooms);
                    if !claimed.leases.is_empty() {
                        (found, pause) = (Instant::now(), LOOK);
                    } else if self.lane == Lane::Suspects && self.desk.count() == 0 && found.elapsed() >= WAIT
                    {
                        return Ended::LaneEmpty;
                    }
                    // Ids that wait although the claim brought none lie on a paused list.
                    let go_on = more && !claimed.leases.is_empty();
                    // Every list of this claim is one of this pipeline.
                    let _ = self.start(&pipeline, claimed.leases);
                    if !go_on {
                        self.wait(&pipeline, &rooms, pause).await;
                        pause = (pause * 2).min(WAIT);
                    }
                }
                Err(error) => trouble.get_or_insert_default().pause(&self.me.id, &error, &self.stop).await,
            }
        }
    }

    /// Room of each chain. While all chains with ids waiting are nearly full, a moment for more to gather.
    async fn rooms(&self, pipeline: &Pipeline, supply: &Supply) -> Vec<usize> {
        if self.lane == Lane::Suspects {
            let free = usize::from(self.desk.count() == 0);
            return vec![free; pipeline.seats.len()];
        }
        let rooms = pipeline.rooms(MOST);
        let mut tight = false;
        for (n, (seat, room)) in pipeline.seats.iter().zip(&rooms).enumerate() {
            if *room == 0 || !supply.waits_for(n) {
                continue;
            }
            if *room >= (seat.chain.plan.concurrency / 4).min(MOST / 2) {
                return rooms;
            }
            tight = true;
        }
        if !tight {
            return rooms;
        }
        tokio::time::sleep(GATHER).await;
        pipeline.rooms(MOST)
    }

    /// Waits until something may be claimed that could not be claimed before, at most `longest`. `left` is what the last
    /// claim left of each chain's room.
    async fn wait(&self, pipeline: &Pipeline, left: &[usize], longest: Duration) {
        let longest = pipeline.next_probe().map_or(longest, |due| due.clamp(LOOK, longest));
        let hint = async {
            let apart = tokio::time::Instant::now() + DEBOUNCE;
            self.queue.arrival(longest).await;
            tokio::time::sleep_until(apart).await;
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.desk.change.notified() => {}
            () = self.desk.room.notified(), if pipeline.lacks_room(left) => {}
            () = hint => {}
        }
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

/// Which chains had ids waiting when their lists were last looked at. Of a configuration that is gone it may tell what is
/// not so; the next claim puts that right.
#[derive(Default)]
struct Supply(Vec<bool>);

impl Supply {
    /// Takes over what a claim saw of its lists; answers whether more could be claimed at once into the room that is left.
    fn note(&mut self, shares: &[ListShare], lengths: &[u64], left: &[usize]) -> bool {
        self.0.resize(left.len(), false);
        shares.iter().for_each(|share| self.0[share.room] = false);
        let mut more = false;
        for (share, _) in shares.iter().zip(lengths).filter(|(_, length)| **length > 0) {
            self.0[share.room] = true;
            more |= left[share.room] > 0;
        }
        more
    }

    fn waits_for(&self, seat: usize) -> bool {
        self.0.get(seat).copied().unwrap_or(false)
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
    async fn pause(&mut self, worker: &WorkerId, error: &conserver_core::Error, stop: &CancellationToken) {
        if self.told.is_time() {
            tracing::warn!(%worker, error = %error.chain(), "cannot claim; trying until it works");
        }
        let pause = self.pause.map_or(RETRY.0, |pause| (pause * 2).min(RETRY.1));
        self.pause = Some(pause);
        let _ = tokio::time::timeout(pause, stop.cancelled()).await;
    }
}
