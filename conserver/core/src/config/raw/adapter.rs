//! One link or storage, as it may be written.

use std::num::{NonZeroU32, NonZeroUsize};

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use crate::config::coerce::DurationText;

/// A link: one step of a chain.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Link")]
pub(crate) struct RawLink {
    /// What it is: `tag`, or `links.tag` as the Python server says. Default with `conserver: 1`: the link's own name.
    pub(crate) module: Option<String>,
    /// Options of the module; see its page. What is left out has its default.
    pub(crate) options: Option<Map<String, Value>>,
    /// Limit of one attempt, such as `30s`. Default: `60s`.
    pub(crate) timeout: Option<DurationText>,
    /// Attempts within one run of the chain.
    pub(crate) retry: Option<RawRetry>,
    /// When to stop asking a server that is away.
    pub(crate) breaker: Option<RawBreaker>,
    /// At most this many attempts per second in each worker. Default: no limit.
    pub(crate) rate_limit: Option<f64>,
    /// At most this many attempts at once in each worker. Default: no limit.
    pub(crate) in_flight: Option<NonZeroUsize>,
    /// What an error means after the last attempt: `fail` (default) fails the run, `continue` goes on with the document
    /// as it was before this link.
    pub(crate) on_error: Option<OnErrorWord>,
    /// Of the Python server; recognised, nothing is installed while vCons wait.
    #[schemars(with = "Option<Value>")]
    pub(crate) pip_name: Option<IgnoredAny>,
    /// Of the Python server, which ignores it here.
    #[serde(rename = "ingress-lists")]
    #[schemars(with = "Option<Value>")]
    pub(crate) ingress_lists: Option<IgnoredAny>,
    /// Of the Python server, which ignores it here.
    #[serde(rename = "egress-lists")]
    #[schemars(with = "Option<Value>")]
    pub(crate) egress_lists: Option<IgnoredAny>,
}

/// A storage: a place where finished vCons are kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Storage")]
pub(crate) struct RawStorage {
    /// What it is: `file`, or `storage.file` as the Python server says. Default with `conserver: 1`: the storage's own
    /// name.
    pub(crate) module: Option<String>,
    /// Options of the module; see its page. What is left out has its default.
    pub(crate) options: Option<Map<String, Value>>,
    /// Whether a vCon is done only once this storage has it. `false`: after its own attempts the id goes to
    /// `DLQ:storage:<name>`, and an outage never stops the chain. Default: true.
    pub(crate) required: Option<bool>,
    /// Limit of one attempt, such as `30s`. Default: `60s`.
    pub(crate) timeout: Option<DurationText>,
    /// Attempts within one run of the chain.
    pub(crate) retry: Option<RawRetry>,
    /// When to stop asking a server that is away.
    pub(crate) breaker: Option<RawBreaker>,
    /// At most this many attempts per second in each worker. Default: no limit.
    pub(crate) rate_limit: Option<f64>,
    /// At most this many attempts at once in each worker. Default: no limit.
    pub(crate) in_flight: Option<NonZeroUsize>,
    /// What it means that this storage refuses a vCon for good: `continue` puts the id on `DLQ:storage:<name>` and goes
    /// on, `fail` makes the whole vCon a dead letter. Default: the chain's `on_storage_error`.
    pub(crate) on_error: Option<OnErrorWord>,
}

/// Attempts within one run of the chain.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Retry")]
pub(crate) struct RawRetry {
    /// Attempts, including the first. Default: 3.
    pub(crate) attempts: Option<NonZeroU32>,
    /// Delay before the second attempt; each further one doubles, with jitter. Default: `200ms`.
    pub(crate) delay: Option<DurationText>,
    /// No delay is longer. Default: `10s`.
    pub(crate) max_delay: Option<DurationText>,
}

/// When to stop asking a server that is away, and for how long.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Breaker")]
pub(crate) struct RawBreaker {
    /// Failures in a row that open it; 0: never. Default: 5.
    pub(crate) failures: Option<u32>,
    /// How long it stays open before a probe. Default: `5s`.
    pub(crate) cooldown: Option<DurationText>,
}

/// What an error means after the last attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "OnError")]
pub(crate) enum OnErrorWord {
    /// The run fails.
    Fail,
    /// The chain goes on.
    Continue,
}

/// What a link and a storage have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy<'a> {
    pub(crate) module: Option<&'a str>,
    pub(crate) timeout: Option<DurationText>,
    pub(crate) retry: Option<&'a RawRetry>,
    pub(crate) breaker: Option<&'a RawBreaker>,
    pub(crate) rate_limit: Option<f64>,
    pub(crate) in_flight: Option<NonZeroUsize>,
    pub(crate) on_error: Option<OnErrorWord>,
}

macro_rules! policy {
    ($raw:ty) => {
        impl $raw {
            /// What it has in common with the other kind.
            pub(crate) fn policy(&self) -> Policy<'_> {
                Policy {
                    module: self.module.as_deref(),
                    timeout: self.timeout,
                    retry: self.retry.as_ref(),
                    breaker: self.breaker.as_ref(),
                    rate_limit: self.rate_limit,
                    in_flight: self.in_flight,
                    on_error: self.on_error,
                }
            }
        }
    };
}

policy!(RawLink);
policy!(RawStorage);
