//! What stands under `options:` of a jq link.

use std::borrow::Cow;

use conserver_core::config::coerce;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::host::Settings;
use super::program;

/// The least that an interpreter needs to do anything.
const LEAST_MEMORY: u64 = 16 << 20;

/// Options of a jq link.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct JqLinkOptions {
    /// The jq program; the vCon is its input, and its first output decides. Default `.`, which every vCon matches.
    pub filter: Filter,

    /// Whether the vCons that match go on, or those that do not. Default `true`.
    #[serde(deserialize_with = "coerce::boolean")]
    #[schemars(with = "coerce::Boolean")]
    pub forward_matches: bool,

    /// What becomes of a vCon on which the filter fails: `fail` makes it a dead letter, `halt` ends the chain without a
    /// word, as the Python server does. Default `fail`.
    pub on_filter_error: OnFilterError,

    /// How many seconds of processor time the filter may use for one vCon, whole ones. One that needs more is a dead
    /// letter. Default 5.
    #[serde(deserialize_with = "coerce::integer")]
    #[schemars(with = "coerce::Integer<u32>")]
    pub max_cpu_seconds: u32,

    /// How much memory the filter may use for one vCon, beside the vCon itself. One that needs more is a dead letter. Default
    /// `256MiB`.
    #[serde(deserialize_with = "coerce::size")]
    #[schemars(with = "coerce::Size")]
    pub max_memory: u64,
}

impl Default for JqLinkOptions {
    fn default() -> Self {
        Self {
            filter: Filter(".".to_owned()),
            forward_matches: true,
            on_filter_error: OnFilterError::default(),
            max_cpu_seconds: 5,
            max_memory: 256 << 20,
        }
    }
}

impl JqLinkOptions {
    /// What is wrong with options that parsed.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.max_cpu_seconds == 0 {
            problems.push("`max_cpu_seconds` is 0, which is taken as 1".to_owned());
        }
        if self.max_memory < LEAST_MEMORY {
            problems.push("`max_memory` is less than 16MiB, which is taken instead".to_owned());
        }
        problems
    }

    /// What the processes of this link are told.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            filter: self.filter.0.clone(),
            cpu_seconds: self.max_cpu_seconds.max(1),
            memory: self.max_memory.max(LEAST_MEMORY),
        }
    }
}

/// What becomes of a vCon on which the filter fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFilterError {
    /// A permanent error: a dead letter.
    #[default]
    Fail,
    /// The chain ends here.
    Halt,
}

/// A jq program that compiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(pub(super) String);

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        program::check(&code).map_err(D::Error::custom)?;
        Ok(Self(code))
    }
}

impl JsonSchema for Filter {
    fn schema_name() -> Cow<'static, str> {
        "JqFilter".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}
