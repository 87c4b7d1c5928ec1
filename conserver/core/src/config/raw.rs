//! What the file may contain, in both dialects.
//!
//! One struct per section, with nothing resolved and nothing checked: names are texts, defaults are absent. The
//! comments on the fields are the operator's manual; the JSON Schema is made from them.

mod adapter;
mod api;
mod chain;
mod name;

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::coerce::{DurationText, OneOrMany, Size};
use super::settings::{ClaimOrder, Delivery};

pub(crate) use adapter::{OnErrorWord, Policy, RawLink, RawStorage};
pub(crate) use api::{RawApi, RawRedis};
pub(crate) use chain::{OnStorageErrorWord, RawChain};
pub(crate) use name::RawName;

/// A pipeline: chains of links, the storages they write, and how to run them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, title = "Conserver configuration")]
pub(crate) struct RawFile {
    /// Dialect of this file. `1`: the strict one, in which an unknown or duplicate key is an error. Absent: the
    /// Python server's.
    pub(crate) conserver: Option<u64>,
    /// Redis or Valkey: a URL, or a map with `url`. Default: the variable `REDIS_URL`. Where neither is there, a file
    /// with `conserver: 1` means the embedded backend, a file on this machine; another one means `redis://localhost`.
    pub(crate) redis: Option<RawRedis>,
    /// Folder of the embedded backend, relative to the working directory. Default: the variable `CONSERVER_DATA_DIR`,
    /// else `./conserver-data`.
    pub(crate) data_dir: Option<PathBuf>,
    /// Worker processes, at least 1. Default: the variable `CONSERVER_WORKERS`, else 1.
    pub(crate) workers: Option<NonZeroUsize>,
    /// Threads of each worker. Default: the variable `CONSERVER_THREADS`, else the cores shared out among the workers.
    pub(crate) threads: Option<NonZeroUsize>,
    /// vCons in flight per worker and chain, for chains that do not say. Default: 64 with `conserver: 1`, else the
    /// variable `CONSERVER_VCON_CONCURRENCY`, else 1 (strictly one after the other).
    pub(crate) concurrency: Option<NonZeroUsize>,
    /// How links write bodies: `native` JSON values, or `text` as older versions of the Python server. Default: the
    /// variable `VCON_BODY_SHAPE`, else `native`.
    pub(crate) body_shape: Option<BodyShapeWord>,
    /// `at-least-once` (default): nothing is lost when a process dies. `at-most-once`: as the Python server.
    pub(crate) delivery: Option<Delivery>,
    /// `weighted` (default): all lists in turn, by the weights of their chains. `strict`: the first list of the file
    /// that has something, as the Python server.
    pub(crate) claim_order: Option<ClaimOrder>,
    /// How long a stop waits for what is in flight before it is given back. Default: `30s`.
    pub(crate) drain_timeout: Option<DurationText>,
    /// Limits on memory.
    pub(crate) limits: Option<RawLimits>,
    /// How much is remembered of what became of each vCon, for `conserver story` and the API.
    pub(crate) stories: Option<RawStories>,
    /// The REST API.
    pub(crate) api: Option<RawApi>,
    /// Host and port of a StatsD server that gets the figures, as `localhost:8125`. Default: the variable
    /// `CONSERVER_STATSD`, else none.
    pub(crate) statsd: Option<String>,
    /// Keys of partners who may post to one list each: list name to key, or to a list of keys. Text: a key that looks
    /// like a number stands in quotes.
    pub(crate) ingress_auth: IndexMap<String, OneOrMany<String>>,
    /// Links by name: the steps that chains are made of.
    pub(crate) links: IndexMap<String, RawLink>,
    /// Storages by name: where finished vCons are kept.
    pub(crate) storages: IndexMap<String, RawStorage>,
    /// Chains by name.
    pub(crate) chains: IndexMap<String, RawChain>,
    /// Of the Python server; recognised, nothing is imported.
    #[schemars(with = "Option<serde_json::Value>")]
    pub(crate) imports: Option<IgnoredAny>,
    /// Of the Python server; recognised, spans go to the OTLP collector instead.
    #[schemars(with = "Option<serde_json::Value>")]
    pub(crate) tracers: Option<IgnoredAny>,
    /// Of the Python server; recognised, nothing is pulled from other servers.
    #[schemars(with = "Option<serde_json::Value>")]
    pub(crate) followers: Option<IgnoredAny>,
}

impl RawFile {
    /// The names in one kind of list of all chains.
    pub(crate) fn used(&self, list: fn(&RawChain) -> &Option<Vec<RawName>>) -> HashSet<&str> {
        self.chains
            .values()
            .flat_map(|chain| list(chain).iter().flatten())
            .map(|name| name.0.as_str())
            .collect()
    }
}

/// Limits on memory.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Limits")]
pub(crate) struct RawLimits {
    /// A larger document becomes a dead letter unread. Default: `64MiB`.
    pub(crate) max_document_bytes: Option<Size>,
    /// Documents that one worker holds at once. Default: `256MiB`.
    pub(crate) max_bytes_in_flight: Option<Size>,
}

/// How much is remembered.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Stories")]
pub(crate) struct RawStories {
    /// About how many runs of vCons through chains are remembered, some 300 bytes each; `0` for none. Default: 100000.
    pub(crate) runs: Option<usize>,
    /// For how long. Default: `24h`.
    pub(crate) age: Option<DurationText>,
}

/// How links write bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "BodyShape")]
pub(crate) enum BodyShapeWord {
    /// As JSON values.
    Native,
    /// As JSON in a text.
    Text,
}
