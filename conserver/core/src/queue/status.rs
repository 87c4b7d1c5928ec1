//! Who works, and how much lies where.

use std::time::Duration;

use conserver_vcon::VconId;
use serde::{Deserialize, Serialize};

use super::Lease;
use crate::{QueueName, WorkerId};

/// One list of a claim and how many of every `Σ weight` ids it may take while all lists are full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListShare {
    /// The list.
    pub list: QueueName,
    /// Its part; 0 for only what the others leave, which makes the order of the lists strict.
    pub weight: u32,
    /// Which of the claim's rooms its ids take.
    pub room: usize,
}

impl ListShare {
    /// How many ids of a room each list may take while all are full: its part of the sum of weights, at least one;
    /// with weight 0 only what is left, which makes the order of the lists strict.
    pub fn quotas(lists: &[ListShare], room: usize) -> impl Iterator<Item = usize> {
        let sum: u64 = lists.iter().map(|share| u64::from(share.weight)).sum::<u64>().max(1);
        lists.iter().map(move |share| {
            if share.weight == 0 {
                return 0;
            }
            let part = (room as u64 * u64::from(share.weight)).div_ceil(sum);
            usize::try_from(part).unwrap_or(room)
        })
    }
}

/// What a claim brought.
#[derive(Debug, Default)]
pub struct Claimed {
    /// The ids now held.
    pub leases: Vec<Lease>,
    /// Length of each list asked for, after the claim, in the order asked.
    pub lengths: Vec<u64>,
    /// The backend does not know this worker (any more): take a new id.
    pub unregistered: bool,
    /// Lists of which nothing can be taken until somebody mends the backend, each with the place and what lies there.
    pub problems: Vec<(QueueName, String)>,
}

/// A worker as it registers itself: enough to tell on its host whether it still lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerInfo {
    /// Never used again.
    pub id: WorkerId,
    /// Host name, for people.
    pub host: String,
    /// Boot id and pid namespace: pids mean the same only where this is equal.
    pub realm: String,
    /// Process id.
    pub pid: u32,
    /// Start time of the process in clock ticks since boot; pids are used again, this pair is not.
    pub started: u64,
    /// Version of the program.
    pub version: String,
    /// Whether it serves the suspect lane.
    pub suspects: bool,
}

/// A registered worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerStatus {
    /// As registered.
    pub info: WorkerInfo,
    /// Milliseconds until its lease ends by the backend's clock; negative once it has ended.
    pub lease_ms: i64,
    /// How long ago it last claimed or proved its lists empty, in milliseconds, as of its last renewal.
    pub progress_ms: u64,
    /// How many entries it holds.
    pub in_flight: u64,
}

/// Entries that were running at the instant their process died of its own doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strikes {
    /// Tokens of the struck entries.
    pub tokens: Vec<u64>,
    /// Strike everything the worker held: memory ran out.
    pub all: bool,
    /// What the process died of: `SIGSEGV`, `out of memory`.
    pub signal: String,
    /// Dead-letter lists that are not `DLQ:<list>`, by ingress list.
    pub dlqs: Vec<(QueueName, QueueName)>,
}

impl Strikes {
    /// Nobody is to blame.
    pub fn none() -> Self {
        Self::default()
    }
}

/// What a recovery did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Ids put back.
    pub returned: u64,
    /// Ids put on the suspect lane.
    pub suspects: Vec<VconId>,
    /// Ids dead-lettered as poison.
    pub poison: Vec<VconId>,
}

/// How much lies where for one list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ListStatus {
    /// Waiting on the list.
    pub queued: u64,
    /// Held by workers.
    pub in_flight: u64,
    /// Waiting for their next attempt.
    pub delayed: u64,
    /// Second occurrences that wait for the first.
    pub parked: u64,
    /// On the suspect lane.
    pub suspects: u64,
    /// On `DLQ:<list>`.
    pub dead: u64,
    /// Whether claims from it are stopped.
    pub paused: bool,
    /// Milliseconds since the delayed id that is due longest was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overdue_ms: Option<u64>,
    /// The id at the head of the list, the next to be claimed; `None` where none waits.
    pub oldest: Option<Oldest>,
}

/// The id at the head of a list, and how old it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Oldest {
    /// The id.
    pub id: VconId,
    /// Milliseconds since what `since` says; `None` where the backend does not know.
    pub age_ms: Option<u64>,
    /// What the age counts from.
    pub since: Since,
}

/// What an age counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Since {
    /// The id was put on the list.
    Put,
    /// The vCon was created, by its own word: lists of Redis hold ids alone. One that was put there long after its
    /// conversation looks older than it is.
    Created,
}

/// What `drain` returned to the plain lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Drained {
    /// From the delayed retries.
    pub delayed: u64,
    /// From the suspect lane.
    pub suspects: u64,
    /// Parked occurrences.
    pub parked: u64,
    /// From registrations without a live process.
    pub abandoned: u64,
}

/// How long a lease lasts without renewal, by the backend's clock.
pub const LEASE: Duration = Duration::from_secs(6);

#[cfg(test)]
mod tests {
    use super::*;

    fn share(list: &str, weight: u32) -> ListShare {
        ListShare { list: QueueName::new(list), weight, room: 0 }
    }

    #[test]
    fn quotas_follow_weights_and_nobody_gets_none() {
        let lists = [share("a", 3), share("b", 1), share("c", 1)];
        assert_eq!(ListShare::quotas(&lists, 10).collect::<Vec<_>>(), [6, 2, 2]);
        assert_eq!(ListShare::quotas(&lists, 1).collect::<Vec<_>>(), [1, 1, 1]);
    }

    #[test]
    fn a_list_of_no_weight_has_no_quota() {
        assert_eq!(ListShare::quotas(&[share("a", 1), share("b", 0)], 10).collect::<Vec<_>>(), [10, 0]);
        assert_eq!(ListShare::quotas(&[share("a", 0), share("b", 0)], 10).collect::<Vec<_>>(), [0, 0]);
    }
}
