//! The chains of one configuration, built, with the room each has. A reload makes another one; what is in flight
//! ends on the one it began with.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use conserver_api::{Guard, HeldUp, Outages};
use conserver_core::chain::Chain;
use conserver_core::clock::millis;
use conserver_core::config::settings::ClaimOrder;
use conserver_core::policy::{Breaker, State};
use conserver_core::queue::ListShare;
use conserver_core::{ChainName, Guards, QueueName};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::wiring::BuiltChain;

/// All chains of a worker.
pub(crate) struct Pipeline {
    pub(crate) seats: Vec<Arc<Seat>>,
    /// Ingress list → index of its seat.
    lists: Vec<(QueueName, usize)>,
    by_list: HashMap<QueueName, usize>,
    order: ClaimOrder,
    /// One for each breaker of something required: ends with this pipeline.
    _watchers: JoinSet<()>,
}

/// One chain, and how many vCons are in it.
pub(crate) struct Seat {
    pub(crate) chain: Chain,
    /// How long one poll of a run may block its thread: the longest any of its links may take, and a second.
    pub(crate) stuck_after: Duration,
    /// Shared with the same chain of an earlier configuration, so that a reload does not double the room.
    counts: Arc<Counts>,
}

/// How many vCons of a chain run, and how many are held: those, and the ones whose settlement is not confirmed yet.
#[derive(Default)]
struct Counts {
    running: AtomicUsize,
    held: AtomicUsize,
}

impl Pipeline {
    /// Takes over the counts of the pipeline before it. Rings `change` whenever a breaker of something required changes;
    /// must be called inside the runtime.
    pub(crate) fn new(
        chains: Vec<BuiltChain>,
        order: ClaimOrder,
        before: Option<&Pipeline>,
        change: &Arc<Notify>,
    ) -> Self {
        let counts: HashMap<&ChainName, &Arc<Counts>> = before
            .map(|p| p.seats.iter().map(|seat| (&seat.chain.plan.name, &seat.counts)).collect())
            .unwrap_or_default();
        let seats: Vec<Arc<Seat>> = chains
            .into_iter()
            .map(|BuiltChain { chain, longest_link }| {
                let counts = counts.get(&chain.plan.name).map(|c| (*c).clone()).unwrap_or_default();
                Arc::new(Seat { chain, stuck_after: longest_link + Duration::from_secs(1), counts })
            })
            .collect();
        let lists: Vec<(QueueName, usize)> = seats
            .iter()
            .enumerate()
            .flat_map(|(index, seat)| seat.chain.plan.ingress.iter().map(move |list| (list.clone(), index)))
            .collect();
        let by_list = lists.iter().cloned().collect();
        Self { _watchers: watchers(&seats, change), seats, lists, by_list, order }
    }

    /// The chain that serves a list.
    pub(crate) fn seat_of(&self, list: &QueueName) -> Option<&Arc<Seat>> {
        self.index_of(list).map(|index| &self.seats[index])
    }

    /// Which of its seats serves a list.
    pub(crate) fn index_of(&self, list: &QueueName) -> Option<usize> {
        self.by_list.get(list).copied()
    }

    /// Room of each chain: none while a breaker holds it up, one while somebody has to find out if that is over.
    pub(crate) fn rooms(&self, most: usize) -> Vec<usize> {
        let room = |seat: &Arc<Seat>| match &seat.chain {
            chain if chain.is_gated().is_some() => 0,
            chain if chain.wants_probe() => usize::from(seat.room() == chain.plan.concurrency),
            _ => seat.room().min(most),
        };
        self.seats.iter().map(room).collect()
    }

    /// Whether some chain could take more if it had room, of which this is what is left of each.
    pub(crate) fn lacks_room(&self, left: &[usize]) -> bool {
        self.seats.iter().zip(left).any(|(seat, left)| *left == 0 && seat.chain.is_gated().is_none())
    }

    /// How long until a chain that is held up may claim a vCon to find out whether that is over; `None` where nothing holds
    /// a chain up, or somebody else finds out.
    pub(crate) fn next_probe(&self) -> Option<Duration> {
        let held_up = self.seats.iter().flat_map(|seat| seat.chain.required());
        held_up.filter_map(Breaker::probe_in).min()
    }

    /// What it needs and cannot have.
    pub(crate) fn outages(&self) -> Outages {
        let mut outages = Outages { workers: 1, ..Outages::default() };
        let mut note = |breaker: &Breaker| {
            let Guards { kind, name } = breaker.guards();
            let Some(trouble) = breaker.trouble() else { return };
            if outages.guards.iter().all(|guard| guard.kind != *kind || guard.name != **name) {
                outages.guards.push(Guard {
                    kind: *kind,
                    name: name.to_string(),
                    probing: trouble.state == State::HalfOpen,
                    open_in: 1,
                    open_ms: millis(trouble.open),
                    probe_in_ms: millis(trouble.probe_in),
                    error: trouble.error.as_str().to_owned(),
                    why: trouble.why.to_string(),
                });
            }
        };
        for Seat { chain, .. } in self.seats.iter().map(Arc::as_ref) {
            chain.links.iter().for_each(|link| note(link.breaker()));
            chain.storages.iter().for_each(|storage| note(storage.breaker()));
        }
        outages.held_up = self
            .seats
            .iter()
            .filter_map(|seat| {
                let by = seat.chain.is_gated()?.to_owned();
                Some(HeldUp { chain: seat.chain.plan.name.to_string(), by, workers: 1 })
            })
            .collect();
        outages
    }

    /// The lists whose chains have room, beginning with another one each turn unless their order is strict.
    pub(crate) fn shares(&self, rooms: &[usize], turn: usize) -> Vec<ListShare> {
        let strict = self.order == ClaimOrder::Strict;
        let start = if strict || self.lists.is_empty() { 0 } else { turn % self.lists.len() };
        let (tail, head) = self.lists.split_at(start);
        head.iter()
            .chain(tail)
            .filter(|(_, seat)| rooms[*seat] > 0)
            .map(|(list, seat)| {
                let weight = if strict { 0 } else { self.seats[*seat].chain.plan.weight.max(1) };
                ListShare { list: list.clone(), weight, room: *seat }
            })
            .collect()
    }
}

/// Rings at each change of a breaker of something required.
fn watchers(seats: &[Arc<Seat>], change: &Arc<Notify>) -> JoinSet<()> {
    let mut watchers = JoinSet::new();
    // Chains share links and storages: each is watched once.
    let mut watched = HashSet::new();
    for breaker in seats.iter().flat_map(|seat| seat.chain.required()) {
        if watched.insert(std::ptr::from_ref(breaker).addr()) {
            let (mut changes, change) = (breaker.changes(), change.clone());
            watchers.spawn(async move {
                while changes.changed().await.is_ok() {
                    change.notify_one();
                }
            });
        }
    }
    watchers
}

impl Seat {
    /// How many more vCons it takes. A quarter more than may run may be held, so that the next ones are claimed while
    /// settlements are on their way; with a concurrency of one, the next waits for the settlement: strict order.
    pub(crate) fn room(&self) -> usize {
        let most = self.chain.plan.concurrency;
        let running = most.saturating_sub(self.counts.running.load(Ordering::Acquire));
        let held = (most + most / 4).saturating_sub(self.counts.held.load(Ordering::Acquire));
        running.min(held)
    }

    /// A vCon was claimed.
    pub(crate) fn enter(&self) {
        self.counts.running.fetch_add(1, Ordering::AcqRel);
        self.counts.held.fetch_add(1, Ordering::AcqRel);
    }

    /// Its run is over.
    pub(crate) fn ran(&self) {
        self.counts.running.fetch_sub(1, Ordering::AcqRel);
    }

    /// Its settlement is confirmed.
    pub(crate) fn leave(&self) {
        self.counts.held.fetch_sub(1, Ordering::AcqRel);
    }

    /// The dead-letter list for what came from `list`.
    pub(crate) fn dlq(&self, list: &QueueName) -> QueueName {
        self.chain.plan.dead_letters(list)
    }
}
