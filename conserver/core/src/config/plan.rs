//! The checked configuration: plain data, resolved, ready to build.

use std::fmt;
use std::time::Duration;

use conserver_vcon::BodyShape;

use super::nearest;
use super::rule::Mistake;
use super::settings::Settings;
use crate::policy::PolicyOptions;
use crate::{ChainName, LinkName, QueueName, StorageName};

/// What a configuration comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Whether the file is in the Python server's dialect or in ours.
    pub dialect: Dialect,
    /// Process settings: from the environment, overridden by what our dialect says in the file.
    pub settings: Settings,
    /// Chains with at least one ingress list, in the order of the file.
    pub chains: Vec<ChainPlan>,
    /// Links that chains use or the file declares.
    pub links: Vec<AdapterPlan<LinkName>>,
    /// Storages that chains use or the file declares.
    pub storages: Vec<StoragePlan>,
    /// What keeps chains from being run as the file says: one for each such chain.
    pub mistakes: Vec<Mistake>,
}

impl Plan {
    /// The chain of this name, if there is one that takes from a list.
    pub fn chain(&self, name: &str) -> Option<&ChainPlan> {
        self.chains.iter().find(|chain| chain.name.as_str() == name)
    }

    /// Every list that its chains take from, in the order of the file.
    pub fn ingress_lists(&self) -> Vec<QueueName> {
        self.chains.iter().flat_map(|chain| chain.ingress.iter().cloned()).collect()
    }

    /// Says that no chain takes from a list, with the nearest name of one of which a chain does.
    pub fn unserved(&self, list: &QueueName) -> String {
        let served = self.ingress_lists();
        let hint = nearest::hint(list.as_str(), served.iter().map(QueueName::as_str));
        format!("no chain takes from `{list}`; {}", hint.as_deref().unwrap_or("there is no chain"))
    }

    /// The list that dead letters of an ingress list go to.
    pub fn dead_letters(&self, list: &QueueName) -> QueueName {
        let chain = self.chains.iter().find(|chain| chain.ingress.contains(list));
        chain.map_or_else(|| list.dead_letters(), |chain| chain.dead_letters(list))
    }
}

impl ChainPlan {
    /// The list that dead letters of one of its ingress lists go to: its own, or else `DLQ:<ingress list>`.
    pub fn dead_letters(&self, list: &QueueName) -> QueueName {
        self.dlq.clone().unwrap_or_else(|| list.dead_letters())
    }
}

/// Which dialect a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// The Python server's: its quirks are warnings.
    Reference,
    /// `conserver: 1`: strict.
    Ours,
}

/// One chain.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainPlan {
    /// Its name.
    pub name: ChainName,
    /// Lists it takes from.
    pub ingress: Vec<QueueName>,
    /// Lists that it names and that belong to another chain, which names them, too.
    pub ceded: Vec<(QueueName, ChainName)>,
    /// Links in order.
    pub links: Vec<LinkName>,
    /// Storages, all written in parallel.
    pub storages: Vec<StorageName>,
    /// Lists that get the id afterwards.
    pub egress: Vec<QueueName>,
    /// Dead-letter list; `None`: `DLQ:<ingress list>`.
    pub dlq: Option<QueueName>,
    /// vCons in flight per worker.
    pub concurrency: usize,
    /// Share of claims.
    pub weight: u32,
    /// Limit of one whole run.
    pub timeout: Option<Duration>,
    /// Redelivery of failed runs.
    pub retry: RedeliveryOptions,
    /// What a storage that refuses a vCon for good means for the chain.
    pub on_storage_error: OnStorageError,
    /// Why this chain is not run: a mistake in it, or in a link or storage that it needs. Its ids wait.
    pub blocked: Option<String>,
    /// Why this chain still runs in the form that an earlier file gave it: what is wrong with today's.
    pub stale: Option<String>,
}

/// Redelivery of failed runs, through the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct RedeliveryOptions {
    /// Runs, including the first; at least 1.
    pub attempts: u32,
    /// Delay before the second run.
    pub delay: Duration,
    /// No delay is longer.
    pub max_delay: Duration,
    /// How long something may be away before its vCons become dead letters.
    pub give_up_after: Duration,
}

impl Default for RedeliveryOptions {
    fn default() -> Self {
        Self {
            attempts: 5,
            delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(60),
            give_up_after: Duration::from_secs(24 * 3600),
        }
    }
}

/// What a storage that refuses a vCon for good means for the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStorageError {
    /// The id goes to `DLQ:storage:<name>` and the chain goes on.
    #[default]
    Continue,
    /// The whole vCon is a dead letter.
    DeadLetter,
}

/// One link or storage: what to build, and the policy around it.
#[derive(Clone, PartialEq)]
pub struct AdapterPlan<Name> {
    /// The name in the file.
    pub name: Name,
    /// The kind's short name in the registry; `None` where this build lacks it.
    pub kind: Option<&'static str>,
    /// Its options as JSON, references resolved. They may hold secrets: never printed.
    pub options: serde_json::Value,
    /// The policy around it.
    pub policy: PolicyOptions,
    /// What an error of it means: see [`OnError`].
    pub on_error: OnError,
}

/// Shows which options are set, not what they are.
impl<Name: fmt::Debug> fmt::Debug for AdapterPlan<Name> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<&String> = self.options.as_object().into_iter().flat_map(|map| map.keys()).collect();
        f.debug_struct("AdapterPlan")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("options", &options)
            .field("policy", &self.policy)
            .field("on_error", &self.on_error)
            .finish()
    }
}

/// What an error of a link means, after its own attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// The run fails: redelivery or dead letter, by the error's class.
    #[default]
    Fail,
    /// The chain goes on with the document as it was before the link.
    Continue,
}

/// One storage.
#[derive(Debug, Clone, PartialEq)]
pub struct StoragePlan {
    /// What to build.
    pub adapter: AdapterPlan<StorageName>,
    /// Whether a vCon is done only once this storage has it.
    pub required: bool,
    /// What a refusal of this storage means, where that differs from the chain's `on_storage_error`.
    pub on_refusal: Option<OnStorageError>,
}

/// How links write bodies; re-exported for readers of a plan.
pub type Shape = BodyShape;
