//! The only place where concrete types meet: which links and storages there are, and which backend a plan names.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use conserver_core::backend::{Advice, Gravity, Inspect};
use conserver_core::chain::Chain;
use conserver_core::config::settings::Delivery;
use conserver_core::config::{Plan, Settings};
use conserver_core::directory::Directory;
use conserver_core::guarded::{GuardedLink, GuardedStorage};
use conserver_core::intake::Intake;
use conserver_core::queue::Queue;
use conserver_core::registry::Registry;
use conserver_core::store::VconStore;
use conserver_core::story::Chronicle;
use conserver_core::{LinkName, QueueName, Secret, StorageName};
use conserver_redis::{RedisOptions, RedisQueue};
use conserver_sqlite::{SqliteOptions, SqliteQueue};

/// Knows every kind of link and storage of this build.
#[derive(Clone)]
pub struct Wiring {
    registry: Arc<Registry>,
}

/// Queue and working copies.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) store: Arc<dyn VconStore>,
    pub(crate) intake: Arc<dyn Intake>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) chronicle: Arc<dyn Chronicle>,
    /// What both stand on.
    pub(crate) inspect: Arc<dyn Inspect>,
    /// Where that is, without credentials.
    pub(crate) shown: String,
    /// The Redis among them, for what only a Redis has.
    pub(crate) redis: Option<Arc<RedisQueue>>,
}

/// What a plan comes to.
pub(crate) struct Built {
    pub(crate) chains: Vec<BuiltChain>,
    /// All storages, in the order of the file.
    pub(crate) storages: Vec<Arc<GuardedStorage>>,
}

/// A chain that can be run.
pub(crate) struct BuiltChain {
    pub(crate) chain: Chain,
    /// The longest that any of its links may take.
    pub(crate) longest_link: Duration,
}

impl Wiring {
    /// The kinds of this build, and those that `more` adds.
    pub fn new(more: fn(&mut Registry)) -> Self {
        let mut registry = Registry::default();
        conserver_links::register(&mut registry);
        conserver_storages::register(&mut registry);
        registry.redis_address(conserver_redis::check_address);
        more(&mut registry);
        Self { registry: Arc::new(registry) }
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// The backend that the settings name: Redis, or else a file on this machine. Nothing is connected yet.
    pub(crate) fn connect(&self, settings: &Settings) -> anyhow::Result<Backend> {
        match &settings.redis_url {
            Some(address) => {
                let redis = Arc::new(RedisQueue::new(redis_options(address, settings))?);
                Ok(Backend { redis: Some(redis.clone()), ..Backend::of(redis) })
            }
            None => {
                ensure!(
                    settings.delivery == Delivery::AtLeastOnce,
                    "`delivery: at-most-once` is the way of Redis alone: without one, leave it out"
                );
                Ok(Backend::of(Arc::new(SqliteQueue::new(sqlite_options(settings)))))
            }
        }
    }

    /// Builds all storages, in the order of the file.
    pub(crate) fn storages(&self, plan: &Plan) -> conserver_core::Result<Vec<Arc<GuardedStorage>>> {
        GuardedStorage::all_of(plan, &self.registry)
    }

    /// Builds every chain that can be run, with the links and storages it names.
    pub(crate) fn build(&self, plan: &Plan) -> anyhow::Result<Built> {
        let settings = &plan.settings;
        let mut links: HashMap<&LinkName, Arc<GuardedLink>> = HashMap::new();
        for (link, built) in self.registry.links_of(plan) {
            let built = built.with_context(|| format!("build link `{}`", link.name))?;
            let guarded = GuardedLink::new(link.name.clone(), built, &link.policy, link.on_error);
            links.insert(&link.name, Arc::new(guarded));
        }
        let storages = self.storages(plan)?;
        let by_name: HashMap<&StorageName, &Arc<GuardedStorage>> =
            storages.iter().map(|storage| (storage.name(), storage)).collect();
        let mut chains = Vec::new();
        for chain in &plan.chains {
            if let Some(why) = &chain.blocked {
                tracing::error!(chain = %chain.name, why, "chain is not run; its ids wait");
                continue;
            }
            let mut chain = chain.clone();
            if settings.delivery == Delivery::AtMostOnce {
                // What was popped for good cannot be handed out again.
                chain.retry.attempts = 1;
                chain.retry.give_up_after = Duration::ZERO;
            }
            let timeouts = plan
                .links
                .iter()
                .filter(|link| chain.links.contains(&link.name))
                .map(|link| link.policy.timeout);
            let longest_link = timeouts.max().unwrap_or_default();
            let links = chain.links.iter().filter_map(|name| links.get(name).cloned()).collect();
            let storages =
                chain.storages.iter().filter_map(|name| by_name.get(name).copied().cloned()).collect();
            chains.push(BuiltChain { chain: Chain { plan: chain, links, storages }, longest_link });
        }
        Ok(Built { chains, storages })
    }
}

impl Backend {
    /// What to know before relying on it for this plan, in plain language. An error only if it cannot be reached for now.
    pub(crate) async fn advise(&self, plan: &Plan) -> conserver_core::Result<Vec<Advice>> {
        let mut findings = self.inspect.advise().await?;
        if findings.iter().all(|finding| finding.gravity != Gravity::Fatal) {
            let mut lists = plan.ingress_lists();
            lists.extend(plan.chains.iter().flat_map(|chain| chain.egress.iter().cloned()));
            lists.extend(dead_letter_lists(plan));
            lists.sort();
            lists.dedup();
            findings.extend(self.inspect.rights(&lists).await?);
        }
        Ok(findings)
    }

    fn of<T: Queue + VconStore + Intake + Directory + Chronicle + Inspect>(backend: Arc<T>) -> Self {
        let shown = backend.shown().to_owned();
        Self {
            queue: backend.clone(),
            store: backend.clone(),
            intake: backend.clone(),
            directory: backend.clone(),
            chronicle: backend.clone(),
            inspect: backend,
            shown,
            redis: None,
        }
    }
}

fn redis_options(address: &Secret, settings: &Settings) -> RedisOptions {
    RedisOptions {
        vcon_expiry: settings.vcon_expiry.unwrap_or(FOR_EVER),
        index_expiry: settings.index_expiry.unwrap_or(FOR_EVER),
        context_expiry: settings.context_expiry.unwrap_or(FOR_EVER),
        dlq_expiry: settings.dlq_expiry.unwrap_or_default(),
        sorted_set: settings.sorted_set.clone(),
        delivery: match settings.delivery {
            Delivery::AtLeastOnce => conserver_redis::Delivery::AtLeastOnce,
            Delivery::AtMostOnce => conserver_redis::Delivery::AtMostOnce,
        },
        ..RedisOptions::new(address.clone())
    }
}

fn sqlite_options(settings: &Settings) -> SqliteOptions {
    SqliteOptions {
        vcon_expiry: settings.vcon_expiry.unwrap_or(FOR_EVER),
        index_expiry: settings.index_expiry.unwrap_or(FOR_EVER),
        dlq_expiry: settings.dlq_expiry.unwrap_or_default(),
        ..SqliteOptions::new(&settings.data_dir)
    }
}

/// As long as both backends can express without overflow: longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Every dead-letter list that a plan may fill: chains' and storages'.
pub(crate) fn dead_letter_lists(plan: &Plan) -> Vec<QueueName> {
    let mut lists: Vec<QueueName> = Vec::new();
    for chain in &plan.chains {
        lists.extend(chain.ingress.iter().map(|list| chain.dead_letters(list)));
    }
    lists.extend(plan.storages.iter().map(|storage| storage.adapter.name.dead_letters()));
    lists.sort();
    lists.dedup();
    lists
}

/// Every list that a plan names, those that its links may push to included.
pub(crate) fn known_lists(wiring: &Wiring, plan: &Plan) -> BTreeSet<QueueName> {
    let mut lists: BTreeSet<QueueName> = plan.ingress_lists().into_iter().collect();
    lists.extend(plan.chains.iter().flat_map(|chain| chain.egress.iter().cloned()));
    lists.extend(dead_letter_lists(plan));
    // A link that cannot be built pushes nothing.
    let links = wiring.registry.links_of(plan).filter_map(|(_, built)| built.ok());
    lists.extend(links.flat_map(|link| link.feeds()));
    lists
}

/// Dead-letter lists that are not `DLQ:<list>`, by ingress list.
pub(crate) fn named_dlqs(plan: &Plan) -> Vec<(QueueName, QueueName)> {
    plan.chains
        .iter()
        .filter_map(|chain| chain.dlq.as_ref().map(|dlq| (chain, dlq)))
        .flat_map(|(chain, dlq)| chain.ingress.iter().map(move |list| (list.clone(), dlq.clone())))
        .collect()
}
