//! How a running instance stands, in words that its supervisor leaves with the backend: commands speak with nobody
//! else, and only the processes themselves know what they wait for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conserver_api::{Outages, Rates};
use conserver_core::config::Plan;
use serde::{Deserialize, Serialize};
use tokio::sync::watch::Receiver;

use crate::figures::{Instance, Meter};
use crate::identity;
use crate::wiring::Backend;

/// How often a note is left.
const EVERY: Duration = Duration::from_secs(2);
/// How long it counts: an instance that stands still says nothing of now.
const LIVES: Duration = Duration::from_secs(10);

/// How instances stand. One of another version may miss members.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Notice {
    /// How many instances told.
    pub(crate) instances: usize,
    /// What their workers need and cannot have.
    pub(crate) outages: Outages,
    /// Chains that they do not run, and why.
    pub(crate) not_run: BTreeMap<String, String>,
    /// Ids of each ingress list that came to their end, per second.
    pub(crate) settled: BTreeMap<String, f64>,
}

impl Notice {
    fn new(plan: &Plan, outages: Outages, rates: Rates) -> Self {
        let blocked =
            plan.chains.iter().filter_map(|chain| Some((chain.name.to_string(), chain.blocked.clone()?)));
        let settled = rates.lists.into_iter().map(|(list, rate)| (list, rate.settled));
        Self { instances: 1, outages, not_run: blocked.collect(), settled: settled.collect() }
    }

    /// What all instances tell.
    pub(crate) async fn read(backend: &Backend) -> conserver_core::Result<Self> {
        let mut all = Self::default();
        for note in backend.chronicle.notes().await? {
            // One that cannot be read was left by another version.
            all.add(serde_json::from_str(&note).unwrap_or_default());
        }
        Ok(all)
    }

    fn add(&mut self, other: Self) {
        self.instances += other.instances;
        self.outages.add(&other.outages);
        self.not_run.extend(other.not_run);
        for (list, rate) in other.settled {
            *self.settled.entry(list).or_default() += rate;
        }
    }
}

/// Leaves notes for as long as there may be newer plans. Where the backend is away, so are those who would read them.
pub(crate) async fn leave(backend: Backend, instance: Instance, mut plans: Receiver<Plan>) {
    let name = name();
    let mut meter = Meter::default();
    loop {
        let plan = plans.borrow_and_update().clone();
        let (figures, outages) = instance.stands();
        let notice = Notice::new(&plan, outages, meter.read(Instant::now(), &figures));
        let note = serde_json::to_string(&notice).expect("strings and numbers serialise");
        if let Err(error) = backend.chronicle.leave_note(&name, Some(&note), LIVES).await {
            tracing::debug!(error = %error.chain(), "cannot leave a note for commands");
        }
        // The sender goes with its supervisor.
        if matches!(tokio::time::timeout(EVERY, plans.changed()).await, Ok(Err(_))) {
            return;
        }
    }
}

/// Takes back the note of this process: it ends, and waits for no backend that is away.
pub(crate) async fn take_back(backend: &Backend) {
    let name = name();
    let taken_back = backend.chronicle.leave_note(&name, None, LIVES);
    if let Ok(Err(error)) = tokio::time::timeout(Duration::from_secs(1), taken_back).await {
        tracing::debug!(error = %error.chain(), "cannot take back the note for commands");
    }
}

fn name() -> String {
    format!("{}:{}", identity::host(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_brought_together() {
        let notice = |chain: &str, settled| Notice {
            instances: 1,
            not_run: BTreeMap::from([(chain.to_owned(), "no such link".to_owned())]),
            settled: BTreeMap::from([("in".to_owned(), settled)]),
            ..Notice::default()
        };
        let mut all = notice("a", 1.5);
        all.add(notice("b", 2.0));
        all.add(serde_json::from_str(r#"{"instances": 1, "of another version": true}"#).unwrap());
        assert_eq!((all.instances, all.settled["in"]), (3, 3.5));
        assert_eq!(all.not_run.keys().collect::<Vec<_>>(), ["a", "b"]);
    }
}
