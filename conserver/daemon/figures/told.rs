//! What a process tells its supervisor, and the supervisor the API, every second.

use std::sync::OnceLock;

use conserver_api::Outages;
use conserver_core::event::live::{self, Live};
use serde::{Deserialize, Serialize};

use super::of_this_process;
use super::snapshot::Snapshot;

/// One line between two processes of one version.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Told {
    /// All that is counted.
    pub(crate) figures: Snapshot,
    /// What workers need and cannot have.
    pub(crate) outages: Outages,
    /// What happened since the last line, or some of it.
    pub(crate) events: Vec<Live>,
    /// How many events more there were.
    pub(crate) missed: u64,
}

type Look = Box<dyn Fn() -> Outages + Send + Sync>;

/// Who knows what this process misses.
static OUTAGES: OnceLock<Look> = OnceLock::new();

/// Names who knows what this process needs and cannot have: asked every second, from another thread.
pub(crate) fn outages_by(look: impl Fn() -> Outages + Send + Sync + 'static) {
    // Only the first counts: a process is one worker.
    let _ = OUTAGES.set(Box::new(look));
}

impl Told {
    /// What this process has to tell now.
    pub(super) fn of_this_process() -> Self {
        let (events, missed) = live::take();
        let outages = OUTAGES.get().map(|look| look()).unwrap_or_default();
        Self { figures: of_this_process(), outages, events, missed }
    }
}
