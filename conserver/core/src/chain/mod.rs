//! One vCon through one chain.
//!
//! * [`run`](fn@run): links in order, then all storages at once. It writes nothing to queues: a [`Run`] says what happened.
//! * [`to_end`]: what a run means for its lease, as a pure function.
//! * [`Documents`]: what the worker lends a run.
//! * [`Gather`]: vCons that arrive while a storage is busy go in one save.

mod documents;
mod draft;
mod fan_out;
mod gather;
mod job;
mod run;
mod settle;

use std::sync::Arc;

pub use documents::{Documents, LoadedDocument, find_in_storages};
pub use gather::Gather;
pub use job::{Job, Run, RunEnd};
pub use run::run;
pub use settle::to_end;

use crate::config::plan::{ChainPlan, OnError};
use crate::guarded::{GuardedLink, GuardedStorage};
use crate::policy::{Breaker, Gate};

/// A chain as it was built: the plan, and what it names. Links and storages are shared with other chains.
#[derive(Debug)]
pub struct Chain {
    /// As it was configured.
    pub plan: ChainPlan,
    /// In order.
    pub links: Vec<Arc<GuardedLink>>,
    /// All written at once.
    pub storages: Vec<Arc<GuardedStorage>>,
}

impl Chain {
    /// Whether anything in it looks at the document. Where nothing does, it is never loaded.
    pub fn needs_document(&self) -> bool {
        !self.storages.is_empty() || self.links.iter().any(|link| link.info().needs_document)
    }

    /// What it requires and cannot have now: nothing is to be claimed for it.
    pub fn is_gated(&self) -> Option<&str> {
        self.required().find(|breaker| breaker.gate() == Gate::Shut).map(|breaker| &*breaker.guards().name)
    }

    /// Whether the next vCon finds out if something is back: a single one is to be claimed.
    pub fn wants_probe(&self) -> bool {
        self.is_gated().is_none() && self.required().any(|breaker| breaker.gate() == Gate::Probe)
    }

    /// The breakers of what it requires.
    pub fn required(&self) -> impl Iterator<Item = &Breaker> {
        let links =
            self.links.iter().filter(|link| link.on_error() == OnError::Fail).map(|link| link.breaker());
        let storages =
            self.storages.iter().filter(|storage| storage.is_required()).map(|storage| storage.breaker());
        links.chain(storages)
    }
}
