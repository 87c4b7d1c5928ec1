//! What the workers tell: this process only hears of it, from the supervisor.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use conserver_core::ChainName;
use conserver_core::clock::rfc3339;
use conserver_core::event::live::Live;
use serde::Serialize;
use serde_json::json;

use crate::hub::Hub;
use crate::outages::Outages;

/// What was told longer ago says nothing of now.
const STALE: Duration = Duration::from_secs(10);

/// Where the supervisor's words arrive. Cheap to clone; one that nobody tells anything knows nothing.
#[derive(Debug, Clone, Default)]
pub struct Feed(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    told: RwLock<Option<(Instant, Arc<Standing>)>>,
    hub: Hub,
}

/// How the instance stands.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// How fast vCons pass.
    pub rates: Rates,
    /// What workers need and cannot have.
    pub outages: Outages,
}

/// How fast vCons pass, per second.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    /// By ingress list.
    pub lists: BTreeMap<String, Rate>,
    /// By chain: vCons that came to their end.
    pub chains: BTreeMap<String, f64>,
}

/// How fast a list moves, in ids per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Rate {
    /// Claimed by workers, repetitions included.
    pub taken: f64,
    /// Come to their end: done, halted, dead.
    pub settled: f64,
}

impl Feed {
    /// Takes in how the instance stands now.
    pub fn tell(&self, standing: Standing) {
        let told = Some((Instant::now(), Arc::new(standing)));
        *self.0.told.write().expect("no panic while held") = told;
    }

    /// Passes on what happened to all who listen, and how many events more there were.
    pub fn publish(&self, events: &[Live], missed: u64) {
        if !self.0.hub.is_heard() {
            return;
        }
        for event in events {
            let chain = event.what.chain().map(ChainName::as_str);
            let mut shown = json!(event);
            shown["at"] = rfc3339(event.at).into();
            self.0.hub.publish(event.what.kind(), chain, &shown);
        }
        if missed > 0 {
            self.0.hub.publish("missed", None, &json!({"missed": missed, "why": "many"}));
        }
    }

    /// Ends the streams of all who listen, for good.
    pub fn close(&self) {
        self.0.hub.close();
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.0.hub
    }

    /// What was told last; `None` if that is too long ago, or never was.
    pub(crate) fn standing(&self) -> Option<Arc<Standing>> {
        let told = self.0.told.read().expect("no panic while held").clone();
        told.filter(|(at, _)| at.elapsed() < STALE).map(|(_, standing)| standing)
    }
}

impl Standing {
    /// How fast a list moves; one of which nothing was ever taken stands still.
    pub(crate) fn rate(&self, list: &str) -> Rate {
        self.rates.lists.get(list).copied().unwrap_or_default()
    }
}

impl Rates {
    /// vCons of a chain that came to their end.
    pub(crate) fn chain(&self, chain: &str) -> f64 {
        self.chains.get(chain).copied().unwrap_or_default()
    }
}
