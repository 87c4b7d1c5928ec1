//! What happened last, for those who watch: some events of each second, the others only counted.
//!
//! Nothing is kept before [`keep`]; from then on whoever tells of it takes everything away with [`take`], several times
//! a second. A vCon costs a counter, and the first few of a second a place in a list.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use conserver_vcon::VconId;
use serde::{Deserialize, Serialize};

use crate::clock::unix_millis;
use crate::{ChainName, GuardKind, LinkName, QueueName, StorageName};

/// Events of one class that are kept in a second.
const MOST: u64 = 64;
/// Longer texts of errors are cut.
const LONGEST: usize = 300;

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// When, in Unix milliseconds.
    pub at: i64,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened. No body of a document, no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Happening {
    /// A run of a vCon was settled.
    Settled {
        /// The chain.
        chain: ChainName,
        /// The list it came from.
        list: QueueName,
        /// The id.
        vcon: VconId,
        /// `done`, `halted`, `retry`, `dead`, `given-back`, `gone`.
        outcome: String,
        /// From claim to settlement.
        ms: u64,
        /// Why it failed.
        #[serde(flatten)]
        why: Option<Why>,
    },
    /// A vCon became a dead letter.
    DeadLetter {
        /// The chain, where one is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        chain: Option<ChainName>,
        /// The dead-letter list, where it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        dlq: Option<QueueName>,
        /// The id.
        vcon: VconId,
        /// The class of the error.
        reason: String,
        /// One line.
        error: String,
    },
    /// A breaker opened or closed.
    Breaker {
        /// Whether it guards a link or a storage.
        guards: GuardKind,
        /// Which.
        name: String,
        /// `open` or `closed`.
        state: String,
        /// In which process.
        pid: u32,
    },
    /// A process of the instance started, ended, or was recovered.
    Worker {
        /// `started`, `ended`, `recovered`.
        state: String,
        /// Its process id.
        pid: u32,
        /// `worker`, `suspects`, `api`.
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// How it ended.
        #[serde(skip_serializing_if = "Option::is_none")]
        cause: Option<String>,
        /// How many vCons were put back.
        #[serde(skip_serializing_if = "Option::is_none")]
        vcons: Option<u64>,
    },
}

/// Why a run failed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// The class of the error, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The link that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkName>,
    /// The storage that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageName>,
    /// One line.
    pub error: String,
}

/// Events of one class, so that none crowds out another.
struct Ring {
    /// In this second.
    seen: AtomicU64,
    kept: Mutex<Vec<Live>>,
}

static ON: AtomicBool = AtomicBool::new(false);
static SETTLED: Ring = Ring::new();
static LETTERS: Ring = Ring::new();
static STATES: Ring = Ring::new();

/// Keeps events from now on, for [`take`].
pub fn keep() {
    ON.store(true, Relaxed);
}

/// What was kept since the last call, the oldest first. Where a second ends, also how many of it were not kept.
pub fn take(second_ends: bool) -> (Vec<Live>, u64) {
    let (mut all, mut missed) = (Vec::new(), 0);
    for ring in [&SETTLED, &LETTERS, &STATES] {
        all.extend(ring.take());
        if second_ends {
            missed += ring.begin_second();
        }
    }
    all.sort_by_key(|event| event.at);
    (all, missed)
}

pub(super) fn settled(event: impl FnOnce() -> Happening) {
    SETTLED.push(event);
}

pub(super) fn dead_letter(
    chain: Option<&ChainName>,
    dlq: Option<&QueueName>,
    vcon: &VconId,
    reason: &str,
    error: &str,
) {
    LETTERS.push(|| Happening::DeadLetter {
        chain: chain.cloned(),
        dlq: dlq.cloned(),
        vcon: vcon.clone(),
        reason: reason.to_owned(),
        error: shortened(error),
    });
}

pub(super) fn state(event: impl FnOnce() -> Happening) {
    STATES.push(event);
}

/// An error in one line that is not too long.
pub fn shortened(error: &str) -> String {
    let mut text: String = error.chars().take(LONGEST).collect();
    if text.len() < error.len() {
        text.push('…');
    }
    text
}

impl Ring {
    const fn new() -> Self {
        Self { seen: AtomicU64::new(0), kept: Mutex::new(Vec::new()) }
    }

    fn push(&self, event: impl FnOnce() -> Happening) {
        if !ON.load(Relaxed) || self.seen.fetch_add(1, Relaxed) >= MOST {
            return;
        }
        let event = Live { at: unix_millis(), what: event() };
        self.kept.lock().expect("no panic while held").push(event);
    }

    fn take(&self) -> Vec<Live> {
        std::mem::take(&mut *self.kept.lock().expect("no panic while held"))
    }

    /// Makes room for another second; how many of the last one found none.
    fn begin_second(&self) -> u64 {
        self.seen.swap(0, Relaxed).saturating_sub(MOST)
    }
}

impl Happening {
    /// The word by which listeners choose.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Settled { .. } => "settled",
            Self::DeadLetter { .. } => "dead-letter",
            Self::Breaker { .. } => "breaker",
            Self::Worker { .. } => "worker",
        }
    }

    /// The chain that it is about, if it is about one.
    pub fn chain(&self) -> Option<&ChainName> {
        match self {
            Self::Settled { chain, .. } => Some(chain),
            Self::DeadLetter { chain, .. } => chain.as_ref(),
            Self::Breaker { .. } | Self::Worker { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(n: u64) -> Happening {
        Happening::Settled {
            chain: ChainName::new("main"),
            list: QueueName::new("in"),
            vcon: VconId::new("a"),
            outcome: "done".to_owned(),
            ms: n,
            why: None,
        }
    }

    #[test]
    fn more_than_fit_are_counted_and_memory_is_bounded() {
        let ring = Ring::new();
        keep();
        let push = |count| (0..count).for_each(|n| ring.push(|| done(n)));
        push(60);
        assert_eq!(ring.take().len(), 60);
        push(40);
        assert_eq!(ring.take().len(), 4, "taking them away makes no room for more of the second");
        assert_eq!(ring.begin_second(), 36);
        push(1);
        assert_eq!((ring.take().len(), ring.begin_second()), (1, 0));
    }

    #[test]
    fn an_event_is_the_same_after_its_way_through_a_pipe() {
        let why = Why { error: "no".to_owned(), ..Why::default() };
        let Happening::Settled { chain, list, vcon, ms, .. } = done(7) else { unreachable!() };
        let failed = Happening::Settled { chain, list, vcon, outcome: "dead".to_owned(), ms, why: Some(why) };
        let ended = Happening::Worker {
            state: "ended".to_owned(),
            pid: 7,
            role: None,
            cause: Some("SIGKILL".to_owned()),
            vcons: None,
        };
        for what in [done(7), failed, ended] {
            let event = Live { at: 5, what };
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Live>(&text).unwrap(), event, "{text}");
        }
    }

    #[test]
    fn long_errors_are_cut() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"é".repeat(400)).chars().count(), 301);
    }
}
