//! What should lie in Redis, and whether it does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use conserver_core::WorkerId;
use conserver_core::queue::{Lease, Queue, Settlement};
use conserver_testkit::queue_suite::{lane_worker, listed, worker};

use crate::support::Bench;

/// The two ingress lists; one has an awkward name.
pub(super) const LISTS: [&str; 2] = ["in", "o}th er{"];

/// What a step found to be wrong.
pub(super) type Found = Result<(), String>;

/// One worker with what it should hold, in order.
pub(super) struct Member {
    pub(super) id: WorkerId,
    pub(super) held: Vec<Lease>,
    pub(super) is_awake: bool,
}

/// The model beside the real thing.
pub(super) struct Model<'a> {
    pub(super) bench: &'a Bench,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) lists: [VecDeque<String>; 2],
    pub(super) paused: [bool; 2],
    /// Two workers of the main lane and one of the suspects'.
    pub(super) members: Vec<Member>,
    /// Token and id; the flag says whether it is due.
    pub(super) delayed: [BTreeMap<u64, (String, bool)>; 2],
    pub(super) suspects: [VecDeque<(u64, String)>; 2],
    /// Tokens that earlier runs left something for.
    pub(super) tries: [BTreeSet<u64>; 2],
    /// How often each token was struck while alone.
    pub(super) alone: BTreeMap<u64, u32>,
    /// How many occurrences of each list wait for an id that runs.
    pub(super) parked: BTreeMap<String, [usize; 2]>,
    pub(super) done: Vec<String>,
    /// What the last run that finished wrote.
    pub(super) documents: BTreeMap<String, String>,
    pub(super) dead: [Vec<String>; 2],
    /// Settlements of workers that were recovered.
    pub(super) late: Vec<(WorkerId, Settlement)>,
    pub(super) pushed: usize,
    pub(super) popped: usize,
}

impl<'a> Model<'a> {
    pub(super) async fn new(bench: &'a Bench) -> Self {
        let queue: Arc<dyn Queue> = bench.redis.clone();
        let ids = [worker(&queue).await, worker(&queue).await, lane_worker(&queue, "here").await];
        let member = |id| Member { id, held: Vec::new(), is_awake: true };
        Self {
            bench,
            members: ids.into_iter().map(member).collect(),
            queue,
            lists: Default::default(),
            paused: Default::default(),
            delayed: Default::default(),
            suspects: Default::default(),
            tries: Default::default(),
            alone: BTreeMap::new(),
            parked: BTreeMap::new(),
            done: Vec::new(),
            documents: BTreeMap::new(),
            dead: Default::default(),
            late: Vec::new(),
            pushed: 0,
            popped: 0,
        }
    }

    /// The ids that run now, with who runs them.
    pub(super) fn busy(&self) -> BTreeMap<String, String> {
        let held = |member: &Member| {
            let worker = member.id.as_str().to_owned();
            let ids: Vec<_> = member.held.iter().map(|lease| lease.entry.id.as_str().to_owned()).collect();
            ids.into_iter().map(move |id| (id, worker.clone()))
        };
        self.members.iter().flat_map(held).collect()
    }

    /// Returns the other occurrences of an id to their lists.
    pub(super) fn unpark(&mut self, id: &str) {
        for (list, count) in self.lists.iter_mut().zip(self.parked.remove(id).unwrap_or_default()) {
            (0..count).for_each(|_| list.push_front(id.to_owned()));
        }
    }

    /// Fails unless Redis holds exactly what the model does.
    pub(super) async fn compare(&self) -> Found {
        for (n, list) in LISTS.iter().enumerate() {
            same(list, &listed(&self.queue, list).await, &self.lists[n].iter().cloned().collect::<Vec<_>>())?;
            same("dead letters", &listed(&self.queue, &format!("DLQ:{list}")).await, &self.dead[n])?;
            let suspects: Vec<String> =
                self.suspects[n].iter().map(|(token, id)| format!("{token}|{id}")).collect();
            same("suspects", &listed(&self.queue, &format!("cs:suspect:{{{list}}}")).await, &suspects)?;
            let delayed: Vec<String> =
                self.bench.words(&["ZRANGE", &format!("cs:retry:{{{list}}}"), "0", "-1"]).await;
            let expected = self.delayed[n].iter().map(|(token, (id, _))| format!("{token}|{id}"));
            same("delayed", &delayed.into_iter().collect::<BTreeSet<_>>(), &expected.collect())?;
            let tries: BTreeSet<u64> = self.bench.words(&["HKEYS", &format!("cs:tries:{{{list}}}")]).await;
            same("tries", &tries, &self.tries[n])?;
        }
        same("done", &listed(&self.queue, "out").await, &self.done)?;
        same("busy", &self.bench.run("HGETALL cs:busy").await, &self.busy())?;
        let parked: BTreeMap<String, String> = self.bench.run("HGETALL cs:parked").await;
        let parked: BTreeMap<String, [usize; 2]> =
            parked.into_iter().map(|(id, runs)| (id, read_runs(&runs))).collect();
        same("parked", &parked, &self.parked)?;
        for member in &self.members {
            for list in LISTS {
                let held = listed(&self.queue, &format!("cs:infl:{{{list}}}:{}", member.id)).await;
                let expected: Vec<String> = (member.held.iter())
                    .filter(|lease| lease.entry.list.as_str() == list)
                    .map(|lease| format!("{}|{}", lease.entry.token, lease.entry.id))
                    .collect();
                same("in flight", &held, &expected)?;
            }
        }
        let in_flight = self.bench.run::<Vec<String>>("KEYS cs:infl:*").await.len();
        let holding = |member: &Member| {
            LISTS.iter().filter(|list| member.held.iter().any(|l| l.entry.list.as_str() == **list)).count()
        };
        same("in-flight lists", &in_flight, &self.members.iter().map(holding).sum())?;
        let mut documents = BTreeMap::new();
        for key in self.bench.run::<Vec<String>>("KEYS vcon:*").await {
            documents.insert(key["vcon:".len()..].to_owned(), self.bench.words(&["GET", &key]).await);
        }
        same("documents", &documents, &self.documents)?;
        same("set aside", &self.bench.run::<Vec<String>>("KEYS cs:aside*").await, &Vec::new())?;
        let everywhere = self.lists.iter().map(VecDeque::len).sum::<usize>()
            + self.delayed.iter().map(BTreeMap::len).sum::<usize>()
            + self.suspects.iter().map(VecDeque::len).sum::<usize>()
            + self.parked.values().flatten().sum::<usize>()
            + self.members.iter().map(|member| member.held.len()).sum::<usize>()
            + self.dead.iter().map(Vec::len).sum::<usize>()
            + self.done.len()
            + self.popped;
        same("all ids", &everywhere, &self.pushed)
    }
}

fn read_runs(json: &str) -> [usize; 2] {
    let runs: Vec<(String, usize)> = serde_json::from_str(json).expect("parked occurrences are JSON");
    LISTS.map(|list| runs.iter().filter(|(name, _)| name == list).map(|(_, count)| count).sum())
}

pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, real: &T, model: &T) -> Found {
    if real == model { Ok(()) } else { Err(format!("{what}: Redis has {real:?}, the model {model:?}")) }
}
