//! What the handlers need: contracts, storages, and the configuration as it is right now.

use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use conserver_core::clock::Seldom;
use conserver_core::config::Plan;
use conserver_core::config::settings::VersionSettings;
use conserver_core::directory::Directory;
use conserver_core::event::VconsEnqueued;
use conserver_core::guarded::{GuardedStorage, tend};
use conserver_core::intake::{Arrival, Intake, Target};
use conserver_core::queue::Queue;
use conserver_core::registry::Registry;
use conserver_core::store::VconStore;
use conserver_core::story::Chronicle;
use conserver_core::{QueueName, Result};

use crate::access::Doorkeeper;
use crate::audit::Audit;
use crate::configuration::ConfigFile;
use crate::extract::Budget;
use crate::failures::Failures;
use crate::feed::Feed;
use crate::fetch::Fetches;
use crate::model::Accepted;

/// Posts to a list that no chain takes from may be meant: they are told this often.
const UNSERVED: Duration = Duration::from_secs(60);

/// What an instance is made of.
pub struct Parts {
    /// Lists and workers.
    pub queue: Arc<dyn Queue>,
    /// Working copies.
    pub store: Arc<dyn VconStore>,
    /// The doors.
    pub intake: Arc<dyn Intake>,
    /// What finds ids.
    pub directory: Arc<dyn Directory>,
    /// What remembers runs.
    pub chronicle: Arc<dyn Chronicle>,
    /// All storages of the configuration, in its order.
    pub storages: Vec<Arc<GuardedStorage>>,
    /// The configuration; [`State::renew`] changes it.
    pub plan: Plan,
    /// Where it came from; `None`: `/config` answers that there is none.
    pub file: Option<ConfigFile>,
    /// Only workers of this realm count for `/ready`.
    pub realm: String,
    /// A worker that has made no progress for this long is not ready.
    pub stale_after: Duration,
    /// What `/metrics` shows, made when it is asked for.
    pub figures: Arc<dyn Fn() -> String + Send + Sync>,
    /// What the workers tell.
    pub feed: Feed,
}

/// What the handlers need. Cheap to clone.
#[derive(Clone)]
pub struct State(Arc<Inner>);

/// What is behind a [`State`].
pub struct Inner {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) store: Arc<dyn VconStore>,
    pub(crate) intake: Arc<dyn Intake>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) chronicle: Arc<dyn Chronicle>,
    pub(crate) file: Option<ConfigFile>,
    pub(crate) realm: String,
    pub(crate) stale_after: Duration,
    pub(crate) figures: Arc<dyn Fn() -> String + Send + Sync>,
    pub(crate) feed: Feed,
    pub(crate) budget: Arc<Budget>,
    pub(crate) fetches: Fetches,
    pub(crate) audit: Audit,
    pub(crate) failures: Failures,
    /// How often lists that no chain takes from are told.
    pub(crate) unserved: Mutex<Seldom>,
    /// Storages whose dead letters are being saved again.
    pub(crate) replaying: Mutex<Vec<String>>,
    live: RwLock<Arc<Live>>,
}

/// What a reload changes.
pub(crate) struct Live {
    pub(crate) plan: Plan,
    pub(crate) storages: Vec<Arc<GuardedStorage>>,
    pub(crate) door: Doorkeeper,
}

impl std::ops::Deref for State {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl State {
    /// Puts an instance together. Nothing is connected.
    pub fn new(parts: Parts) -> Self {
        let door = Doorkeeper::new(&parts.plan.settings.api, None);
        let live = Live { door, plan: parts.plan, storages: parts.storages };
        let settings = &live.plan.settings;
        Self(Arc::new(Inner {
            queue: parts.queue,
            store: parts.store,
            intake: parts.intake,
            directory: parts.directory,
            chronicle: parts.chronicle,
            file: parts.file,
            realm: parts.realm,
            stale_after: parts.stale_after,
            figures: parts.figures,
            feed: parts.feed,
            budget: Budget::new(settings.max_bytes_in_flight),
            fetches: Fetches::default(),
            audit: Audit::new(settings.api.audit.as_deref()),
            failures: Failures::default(),
            unserved: Mutex::new(Seldom::every(UNSERVED)),
            replaying: Mutex::default(),
            live: RwLock::new(Arc::new(live)),
        }))
    }

    /// Takes over keys, lists, limits and storages of another configuration; what needs a restart stays, and so do the
    /// keys where there are none any more. Answers whether anything changed.
    ///
    /// # Errors
    /// As [`GuardedStorage::all_of`]; then nothing changes.
    pub fn renew(&self, plan: Plan, registry: &Registry) -> Result<bool> {
        let before = self.live();
        if before.plan == plan {
            return Ok(false);
        }
        let storages = GuardedStorage::all_of(&plan, registry)?;
        let mut door = Doorkeeper::new(&plan.settings.api, Some(&before.door));
        if door.is_open() && !before.door.is_open() {
            // It may listen where everybody comes in: only a start decides that.
            tracing::warn!(
                "the configuration has no API key any more; the old ones stay until the API starts again"
            );
            door.keep_keys(&before.door);
        }
        *self.live.write().expect("no panic while held") = Arc::new(Live { plan, storages, door });
        // Whoever listens comes again, with a key that still opens.
        self.feed.hub().dismiss();
        Ok(true)
    }

    /// The configuration in force.
    pub fn plan(&self) -> Plan {
        self.live().plan.clone()
    }

    /// Looks after storages that are away, so that they are asked again once they are back. For whoever serves to spawn.
    pub async fn tend(self) {
        tend(|| self.live().storages.clone()).await;
    }

    /// Whether anybody may do anything, because there is no key.
    pub fn is_open(&self) -> bool {
        self.live().door.is_open()
    }

    /// The configuration right now.
    pub(crate) fn live(&self) -> Arc<Live> {
        self.live.read().expect("no panic while held").clone()
    }
}

impl Live {
    /// A list with the bound that it has.
    pub(crate) fn target(&self, list: QueueName) -> Target {
        Target { list, bound: self.plan.settings.api.max_queue_length }
    }

    /// An accepted document on its way to these lists.
    pub(crate) fn arrival(
        &self,
        accepted: Accepted,
        lists: &[QueueName],
        context: Option<String>,
        once: Option<String>,
    ) -> Arrival {
        let Accepted { id, json, keys } = accepted;
        let lists = lists.iter().map(|list| self.target(list.clone())).collect();
        Arrival { id, json, keys, ttl: self.plan.settings.vcon_expiry, lists, context, once }
    }

    /// Whether a chain takes from this list.
    pub(crate) fn is_ingress(&self, list: &QueueName) -> bool {
        self.ingress(list).is_some()
    }

    /// The name in the configuration of a list that a chain takes from: one of a request lies elsewhere each time.
    fn ingress(&self, list: &QueueName) -> Option<&QueueName> {
        self.plan.chains.iter().flat_map(|chain| &chain.ingress).find(|name| *name == list)
    }

    /// Whether the configuration names this list.
    pub(crate) fn is_known(&self, list: &QueueName) -> bool {
        self.plan.chains.iter().any(|chain| {
            let ingress = |of: &QueueName| of == list || of.dead_letters() == *list;
            chain.ingress.iter().any(ingress)
                || chain.egress.contains(list)
                || chain.dlq.as_ref() == Some(list)
        }) || self.plan.storages.iter().any(|storage| storage.adapter.name.dead_letters() == *list)
            || self.plan.settings.api.ingress_auth.contains_key(list)
    }

    /// Tells that ids were put on a list.
    pub(crate) fn tell_enqueued(&self, list: &QueueName, source: &'static str, count: usize) {
        if count > 0 {
            // A list that no chain takes from has no name of the configuration, and so no label of its own.
            let list = self.ingress(list);
            VconsEnqueued { list, source, count }.emit();
        }
    }

    /// What is reported about this build.
    pub(crate) fn version(&self) -> &VersionSettings {
        &self.plan.settings.version
    }
}
