//! What a process tells its supervisor, and the supervisor the API.

use std::sync::OnceLock;

use conserver_api::Outages;
use conserver_core::event::live::{self, Live};
use serde::{Deserialize, Serialize};

use super::snapshot::Snapshot;
use super::{TURNS, of_this_process};

/// One line between two processes of one version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Told {
    /// How things stand; every second.
    Standing {
        /// All that is counted.
        figures: Snapshot,
        /// What workers need and cannot have.
        outages: Outages,
    },
    /// What happened since the last time, or some of it; several times a second.
    Events {
        /// In their order.
        events: Vec<Live>,
        /// How many more there were in the second that ends.
        missed: u64,
    },
}

/// Counts the turns of whoever tells.
#[derive(Debug, Default)]
pub(crate) struct Turns(u32);

type Look = Box<dyn Fn() -> Outages + Send + Sync>;

/// Who knows what this process misses.
static OUTAGES: OnceLock<Look> = OnceLock::new();

/// Names who knows what this process needs and cannot have: asked every second, from another thread.
pub(crate) fn outages_by(look: impl Fn() -> Outages + Send + Sync + 'static) {
    // Only the first counts: a process is one worker.
    let _ = OUTAGES.set(Box::new(look));
}

impl Turns {
    /// Whether a second ends with this turn.
    pub(crate) fn end_second(&mut self) -> bool {
        self.0 = (self.0 + 1) % TURNS;
        self.0 == 0
    }
}

impl Told {
    /// What this process has to tell now.
    pub(super) fn of_this_process(second_ends: bool) -> impl Iterator<Item = Self> {
        let (events, missed) = live::take(second_ends);
        let standing = second_ends.then(|| {
            let outages = OUTAGES.get().map(|look| look()).unwrap_or_default();
            Self::Standing { figures: of_this_process(), outages }
        });
        Self::events(events, missed).into_iter().chain(standing)
    }

    /// What happened, if anything did.
    pub(super) fn events(events: Vec<Live>, missed: u64) -> Option<Self> {
        (!events.is_empty() || missed > 0).then_some(Self::Events { events, missed })
    }
}
