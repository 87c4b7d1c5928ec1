//! What an adapter says about itself to be listed: its names, its options, how it is built.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use std::sync::Arc;

use conserver_vcon::BodyShape;

use crate::config::Settings;
use crate::link::Link;
use crate::storage::Storage;
use crate::{Result, Secret};

/// What every adapter is told when it is built, beside its options.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BuildContext {
    /// The name in the file, for error texts.
    pub name: String,
    /// How links write bodies.
    pub body_shape: BodyShape,
    /// Whether copies leave in the legacy format (`EGRESS_FORMAT_VERSION=0.0.1`).
    pub legacy_egress: bool,
    /// Where the Redis with the lists and working copies is, if that is what they are on.
    pub redis: Option<Secret>,
}

impl BuildContext {
    /// A context with the defaults: native bodies, current format.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), body_shape: BodyShape::Native, legacy_egress: false, redis: None }
    }

    /// What these settings say.
    pub fn of(settings: &Settings, name: &str) -> Self {
        Self {
            body_shape: settings.body_shape,
            legacy_egress: settings.legacy_egress,
            redis: settings.redis_url.clone(),
            ..Self::new(name)
        }
    }
}

/// A kind of link, as the registry lists it.
pub trait LinkKind: 'static {
    /// The short name: `tag`.
    const NAME: &'static str;
    /// Other names that mean the same: `links.tag`.
    const ALIASES: &'static [&'static str];
    /// What stands under `options:`. Each field is documented for the operator and has a default where the Python server has one.
    /// No `#[serde(flatten)]` and no untagged enum around the fields: they hide which keys are known.
    type Options: DeserializeOwned + JsonSchema + Send + 'static;

    /// What is wrong with options that parsed: one sentence each. No I/O.
    fn check(_options: &Self::Options) -> Vec<String> {
        Vec::new()
    }

    /// Builds the link. No I/O, nothing spawned.
    fn build(options: Self::Options, cx: &BuildContext) -> Result<Arc<dyn Link>>;
}

/// A kind of storage, as the registry lists it.
pub trait StorageKind: 'static {
    /// The short name: `postgres`.
    const NAME: &'static str;
    /// Other names that mean the same: `storage.postgres`.
    const ALIASES: &'static [&'static str];
    /// What stands under `options:`.
    type Options: DeserializeOwned + JsonSchema + Send + 'static;

    /// What is wrong with options that parsed: one sentence each. No I/O.
    fn check(_options: &Self::Options) -> Vec<String> {
        Vec::new()
    }

    /// Builds the storage. It connects when it is first used, so that a server that is down does not stop the start.
    fn build(options: Self::Options, cx: &BuildContext) -> Result<Arc<dyn Storage>>;
}
