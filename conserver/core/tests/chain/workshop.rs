//! Builds chains and runs vCons through them, again and again if need be.

use std::sync::Arc;
use std::time::Duration;

use conserver_core::chain::{Chain, Job, LoadedDocument, Run, RunEnd, run, to_end};
use conserver_core::config::plan::{ChainPlan, OnError, OnStorageError, RedeliveryOptions};
use conserver_core::guarded::{GuardedLink, GuardedStorage};
use conserver_core::link::Link;
use conserver_core::policy::{BreakerOptions, PolicyOptions, RetryOptions};
use conserver_core::queue::{End, Entry, Lease, Tries};
use conserver_core::storage::Storage;
use conserver_core::vcon::{BodyShape, Limits, VconId};
use conserver_core::{ChainName, Error, LinkName, QueueName, StorageName};

use crate::shelf::Shelf;

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const PLAIN: &str = r#"{"vcon":"0.4.0","uuid":"a","parties":[],"dialog":[]}"#;

pub(crate) struct Workshop {
    pub(crate) chain: Chain,
    pub(crate) shelf: Shelf,
    pub(crate) policy: PolicyOptions,
}

impl Workshop {
    /// A chain without links and storages, and a shelf with one plain document `a`.
    pub(crate) fn new() -> Self {
        let plan = ChainPlan {
            name: ChainName::new("main"),
            ingress: vec![QueueName::new("in")],
            ceded: Vec::new(),
            links: Vec::new(),
            storages: Vec::new(),
            egress: vec![QueueName::new("out")],
            dlq: None,
            concurrency: 1,
            weight: 1,
            timeout: None,
            retry: RedeliveryOptions::default(),
            on_storage_error: OnStorageError::Continue,
            blocked: None,
            stale: None,
        };
        let shelf = Shelf::default();
        shelf.put("a", PLAIN);
        let policy = PolicyOptions {
            timeout: Duration::from_secs(10),
            retry: RetryOptions { attempts: 3, ..RetryOptions::default() },
            breaker: BreakerOptions { failures: 5, cooldown: Duration::from_secs(5) },
            ..PolicyOptions::default()
        };
        Self { chain: Chain { plan, links: Vec::new(), storages: Vec::new() }, shelf, policy }
    }

    pub(crate) fn link(self, name: &str, link: Arc<dyn Link>) -> Self {
        self.link_with(name, link, OnError::Fail)
    }

    pub(crate) fn link_with(mut self, name: &str, link: Arc<dyn Link>, on_error: OnError) -> Self {
        let guarded = GuardedLink::new(LinkName::new(name), link, &self.policy, on_error);
        self.chain.links.push(Arc::new(guarded));
        self
    }

    pub(crate) fn storage(self, name: &str, storage: Arc<dyn Storage>) -> Self {
        self.storage_with(name, storage, true)
    }

    pub(crate) fn storage_with(mut self, name: &str, storage: Arc<dyn Storage>, required: bool) -> Self {
        let guarded = GuardedStorage::new(StorageName::new(name), storage, &self.policy, required);
        self.chain.storages.push(Arc::new(guarded));
        self
    }

    pub(crate) async fn run(&self) -> Run {
        self.run_lease(&lease("a", Tries::default())).await
    }

    pub(crate) async fn run_lease(&self, lease: &Lease) -> Run {
        self.run_with(lease, None).await
    }

    pub(crate) async fn run_with(&self, lease: &Lease, prefetched: Option<LoadedDocument>) -> Run {
        let limits = Limits::default();
        let job =
            Job { lease, prefetched, documents: &self.shelf, limits: &limits, shape: BodyShape::Native };
        run(&self.chain, job).await
    }

    /// Runs `a` and settles it: the documents go to the shelf, as a queue would put them there.
    pub(crate) async fn settle(&self, tries: Tries) -> End {
        let lease = lease("a", tries);
        let end = to_end(self.run_lease(&lease).await, &self.chain.plan, &lease, NOW, 0.0);
        match &end {
            End::Finish(finish) => self.shelf.write(&finish.documents),
            End::Retry { documents, .. } | End::Dead { documents, .. } => self.shelf.write(documents),
            End::GiveBack => {}
        }
        end
    }
}

pub(crate) fn lease(id: &str, tries: Tries) -> Lease {
    let entry = Entry { list: QueueName::new("in"), token: 1, id: VconId::new(id) };
    Lease { entry, context: None, document_bytes: None, tries }
}

/// The error of a run that failed, with the link and storage it names.
pub(crate) fn failure(run: &Run) -> (&Error, Option<&str>, Option<&str>) {
    match &run.end {
        RunEnd::Failed { error, link, storage } => {
            (error, link.as_ref().map(LinkName::as_str), storage.as_ref().map(StorageName::as_str))
        }
        other => panic!("expected a failure, got {other:?}"),
    }
}

pub(crate) fn tags(json: &str) -> Vec<String> {
    let vcon =
        conserver_core::vcon::Vcon::from_json(json.as_bytes().to_vec().into(), &Limits::default()).unwrap();
    vcon.tags().unwrap().into_iter().map(|(name, _)| name).collect()
}
