//! What workers need and cannot have: breakers that are not closed, and chains that wait for them.

use conserver_core::GuardKind;
use serde::{Deserialize, Serialize};

/// What workers say of it. Those of several workers are brought together with [`Outages::add`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outages {
    /// Workers that said anything.
    pub workers: usize,
    /// Breakers that are not closed.
    pub guards: Vec<Guard>,
    /// Chains of which nothing is claimed.
    pub held_up: Vec<HeldUp>,
}

/// The breakers of one link or storage that are not closed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    /// What it guards.
    pub kind: GuardKind,
    /// Its name in the file.
    pub name: String,
    /// Whether all of them are probing right now.
    pub probing: bool,
    /// In how many workers.
    pub open_in: usize,
    /// For how long in the worker that opened it first, in milliseconds.
    pub open_ms: u64,
    /// How long until the next probe of any of them, in milliseconds; 0 once it is due.
    pub probe_in_ms: u64,
    /// The class of the last error of the worker that opened it first.
    pub error: String,
    /// The failure that opened it there, in one line.
    pub why: String,
}

/// A chain of which nothing is claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldUp {
    /// The chain.
    pub chain: String,
    /// The link or storage it waits for.
    pub by: String,
    /// In how many workers.
    pub workers: usize,
}

impl Outages {
    /// Adds what other workers say.
    pub fn add(&mut self, other: &Self) {
        self.workers += other.workers;
        for guard in &other.guards {
            match self.guards.iter_mut().find(|mine| mine.kind == guard.kind && mine.name == guard.name) {
                Some(mine) => mine.add(guard),
                None => self.guards.push(guard.clone()),
            }
        }
        for held in &other.held_up {
            match self.held_up.iter_mut().find(|mine| mine.chain == held.chain) {
                Some(mine) => mine.workers += held.workers,
                None => self.held_up.push(held.clone()),
            }
        }
    }

    /// The breakers of a link or storage; `None` where all are closed.
    pub(crate) fn guard(&self, kind: GuardKind, name: &str) -> Option<&Guard> {
        self.guards.iter().find(|guard| guard.kind == kind && guard.name == name)
    }

    /// What holds a chain up.
    pub(crate) fn held_up(&self, chain: &str) -> Option<&HeldUp> {
        self.held_up.iter().find(|held| held.chain == chain)
    }
}

impl Guard {
    fn add(&mut self, other: &Self) {
        self.open_in += other.open_in;
        self.probing &= other.probing;
        self.probe_in_ms = self.probe_in_ms.min(other.probe_in_ms);
        if other.open_ms > self.open_ms {
            self.open_ms = other.open_ms;
            self.error.clone_from(&other.error);
            self.why.clone_from(&other.why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outages(open_ms: u64, probe_in_ms: u64, error: &str) -> Outages {
        let guard = Guard {
            kind: GuardKind::Storage,
            name: "db".to_owned(),
            probing: probe_in_ms == 0,
            open_in: 1,
            open_ms,
            probe_in_ms,
            error: error.to_owned(),
            why: format!("{error}: it does not answer"),
        };
        let held = HeldUp { chain: "main".to_owned(), by: "db".to_owned(), workers: 1 };
        Outages { workers: 1, guards: vec![guard], held_up: vec![held] }
    }

    #[test]
    fn workers_that_miss_the_same_are_brought_together() {
        let mut all = Outages::default();
        for one in [outages(3000, 2000, "timeout"), outages(9000, 0, "unavailable")] {
            all.add(&one);
        }
        all.add(&Outages { workers: 1, ..Outages::default() });
        let guard = all.guard(GuardKind::Storage, "db").unwrap();
        assert_eq!((all.workers, guard.open_in, guard.probing), (3, 2, false));
        assert_eq!((guard.open_ms, guard.probe_in_ms, &*guard.error), (9000, 0, "unavailable"));
        assert_eq!(guard.why, "unavailable: it does not answer");
        assert_eq!(all.held_up("main").map(|held| held.workers), Some(2));
        assert!(all.guard(GuardKind::Link, "db").is_none() && all.held_up("other").is_none());
    }
}
