//! Looks after storages that are away.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::GuardedStorage;

/// How often it is looked whether a probe is due.
const EVERY: Duration = Duration::from_millis(500);

/// Probes storages whose breakers are open, once the cooldown of each has passed, for ever: without it a storage whose
/// check tells would be away for good. Whoever owns the storages of a process lets one task do this. `current` answers
/// which they are now.
///
/// # Cancel safety
/// Dropping the future ends the probes that are under way.
pub async fn tend(current: impl Fn() -> Vec<Arc<GuardedStorage>>) {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Each by itself, for a check may take long. While one is under way, no other of its storage begins.
    let mut probes = JoinSet::new();
    loop {
        every.tick().await;
        while probes.try_join_next().is_some() {}
        for storage in current().into_iter().filter(|storage| storage.is_open()) {
            probes.spawn(async move { storage.tick().await });
        }
    }
}
