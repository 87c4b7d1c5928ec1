//! One chain, as it may be written.

use std::num::{NonZeroU32, NonZeroUsize};

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::name::RawName;
use crate::config::coerce::{Boolean, DurationText};

/// A chain: from its ingress lists through its links to its storages and egress lists.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Chain")]
pub(crate) struct RawChain {
    /// Lists that the chain takes ids from; a list belongs to one chain. With `conserver: 1`, default: `<chain>_ingress`.
    /// Otherwise a chain without lists is not used.
    pub(crate) ingress_lists: Option<Vec<RawName>>,
    /// Links, in the order they run.
    pub(crate) links: Option<Vec<RawName>>,
    /// Storages, all written in parallel after the last link.
    pub(crate) storages: Option<Vec<RawName>>,
    /// Lists that get the id afterwards. With `conserver: 1`, default if no list is named at all: `<chain>_egress`.
    pub(crate) egress_lists: Option<Vec<RawName>>,
    /// With `conserver: 1`, `false` stops the chain: its ids wait. The Python server ignores it, and so does a file in
    /// its dialect.
    pub(crate) enabled: Option<Boolean>,
    /// Limit of one run of the chain, such as `30s`. Default: none. The Python server ignores its bare number, and so
    /// does a file in its dialect: write the unit.
    pub(crate) timeout: Option<DurationText>,
    /// vCons in flight per worker; 1 keeps the order of the list. Default: `concurrency` at the top.
    pub(crate) concurrency: Option<NonZeroUsize>,
    /// Share of this chain's lists when several have something. Default: 1.
    pub(crate) weight: Option<NonZeroU32>,
    /// When and how often a failed run is repeated.
    pub(crate) retry: Option<RawRedelivery>,
    /// List for dead letters. Default: `DLQ:<ingress list>`.
    pub(crate) dlq: Option<RawName>,
    /// When a storage refuses a vCon for good: `continue` (default) puts it on `DLQ:storage:<name>` and goes on,
    /// `dead_letter` makes the whole vCon a dead letter.
    pub(crate) on_storage_error: Option<OnStorageErrorWord>,
    /// Of the Python server, which ignores it here.
    #[schemars(with = "Option<serde_json::Value>")]
    pub(crate) tracers: Option<IgnoredAny>,
}

/// When and how often a failed run is repeated.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Redelivery")]
pub(crate) struct RawRedelivery {
    /// Runs, including the first. Default: 5.
    pub(crate) attempts: Option<NonZeroU32>,
    /// Delay before the second run; each further one doubles. Default: `1s`.
    pub(crate) delay: Option<DurationText>,
    /// No delay is longer. Default: `60s`.
    pub(crate) max_delay: Option<DurationText>,
    /// How long a link's or storage's server may be away before its vCons become dead letters. Default: `24h`.
    pub(crate) give_up_after: Option<DurationText>,
}

/// What a storage that refuses a vCon for good means for the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OnStorageError")]
pub(crate) enum OnStorageErrorWord {
    /// The chain goes on.
    Continue,
    /// The vCon is a dead letter.
    DeadLetter,
}
