//! What this worker holds, and its lease: known to the claimer, the settler, and the lease thread.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use conserver_core::clock::millis;
use conserver_core::queue::Entry;
use conserver_core::{ChainName, QueueName};
use tokio::sync::Notify;

/// The worker's own account.
pub(crate) struct Desk {
    start: Instant,
    held: Mutex<Ledger>,
    /// Rung when room came free in some chain.
    pub(crate) room: Notify,
    /// Rung when what may be claimed changed for another reason: a breaker, a new configuration.
    pub(crate) change: Arc<Notify>,
    /// Until when the lease holds, in milliseconds since `start`; written by the lease thread.
    lease_until: AtomicU64,
    /// When a claim or a settlement last succeeded.
    progress: AtomicU64,
    /// When the runtime last showed that it lives.
    beat: AtomicU64,
}

#[derive(Default)]
struct Ledger {
    held: HashMap<u64, Held>,
    /// Tokens let go of while a reconciliation looks at the backend; `None` while none does.
    let_go: Option<HashSet<u64>>,
}

/// One entry in hand.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) entry: Entry,
    pub(crate) chain: ChainName,
    pub(crate) dlq: QueueName,
    pub(crate) since: Instant,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let desk = Self {
            start: Instant::now(),
            held: Mutex::default(),
            room: Notify::new(),
            change: Arc::default(),
            lease_until: AtomicU64::new(0),
            progress: AtomicU64::new(0),
            beat: AtomicU64::new(0),
        };
        desk.beat();
        desk
    }

    /// Takes an entry in hand; `false` if it is there already.
    pub(crate) fn take(&self, held: Held) -> bool {
        self.ledger(|ledger| ledger.held.insert(held.entry.token, held).is_none())
    }

    /// Lets an entry go.
    pub(crate) fn let_go(&self, token: u64) -> Option<Held> {
        self.ledger(|ledger| {
            if let Some(recent) = &mut ledger.let_go {
                recent.insert(token);
            }
            ledger.held.remove(&token)
        })
    }

    /// What is held under this token.
    pub(crate) fn held(&self, token: u64) -> Option<Held> {
        self.ledger(|ledger| ledger.held.get(&token).cloned())
    }

    /// How long the oldest entry has been held; zero where nothing is.
    pub(crate) fn oldest(&self) -> Duration {
        let since = self.ledger(|ledger| ledger.held.values().map(|held| held.since).min());
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// All that is held, oldest first.
    pub(crate) fn all(&self) -> Vec<Held> {
        let mut all = self.ledger(|ledger| ledger.held.values().cloned().collect::<Vec<_>>());
        all.sort_by_key(|held| held.since);
        all
    }

    /// How much is held.
    pub(crate) fn count(&self) -> usize {
        self.ledger(|ledger| ledger.held.len())
    }

    /// Begins to remember what is let go of, until [`Desk::is_lost`] has been asked.
    pub(crate) fn begin_reconciling(&self) {
        self.ledger(|ledger| ledger.let_go = Some(HashSet::new()));
    }

    /// Ends a reconciliation: of these tokens, which the backend says we hold, those we know nothing of.
    pub(crate) fn unknown_of(&self, tokens: impl Iterator<Item = u64>) -> Vec<u64> {
        self.ledger(|ledger| {
            let recent = ledger.let_go.take().unwrap_or_default();
            tokens.filter(|token| !ledger.held.contains_key(token) && !recent.contains(token)).collect()
        })
    }

    /// The lease was renewed; `asked` is when.
    pub(crate) fn renewed(&self, asked: Instant, lease: Duration) {
        let until = (asked + lease).saturating_duration_since(self.start);
        self.lease_until.store(millis(until), Ordering::Release);
    }

    /// Whether the lease holds for a while yet: asked before anything is written outside.
    pub(crate) fn has_lease(&self) -> bool {
        self.now() < self.lease_until.load(Ordering::Acquire)
    }

    /// A claim or a settlement succeeded.
    pub(crate) fn progressed(&self) {
        self.progress.store(self.now(), Ordering::Release);
    }

    /// How long ago that was.
    pub(crate) fn since_progress(&self) -> Duration {
        Duration::from_millis(self.now().saturating_sub(self.progress.load(Ordering::Acquire)))
    }

    /// The runtime shows that it lives.
    pub(crate) fn beat(&self) {
        self.beat.store(self.now(), Ordering::Release);
    }

    /// How long ago it did.
    pub(crate) fn since_beat(&self) -> Duration {
        Duration::from_millis(self.now().saturating_sub(self.beat.load(Ordering::Acquire)))
    }

    fn now(&self) -> u64 {
        millis(self.start.elapsed())
    }

    fn ledger<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut self.held.lock().expect("no panic while held"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use conserver_core::vcon::VconId;

    fn held(token: u64) -> Held {
        let entry = Entry { list: QueueName::new("in"), token, id: VconId::new("a") };
        Held { entry, chain: ChainName::new("main"), dlq: QueueName::new("DLQ:in"), since: Instant::now() }
    }

    #[test]
    fn what_was_let_go_of_while_reconciling_is_not_adopted() {
        let desk = Desk::new();
        desk.take(held(1));
        desk.take(held(2));
        desk.begin_reconciling();
        desk.let_go(1);
        assert_eq!(desk.unknown_of([1, 2, 3].into_iter()), vec![3]);
    }

    #[test]
    fn a_lease_ends_unless_renewed() {
        let desk = Desk::new();
        assert!(!desk.has_lease());
        desk.renewed(Instant::now(), Duration::from_secs(6));
        assert!(desk.has_lease());
    }
}
