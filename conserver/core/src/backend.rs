//! What queue and store stand on, and what can be asked of it beside their contracts: for the supervisor, `check` and
//! `doctor`.

use std::time::Instant;

use async_trait::async_trait;
use serde::Serialize;

use crate::{QueueName, Result};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    /// As it should be.
    Good,
    /// Works, with a condition the operator should know.
    Warning,
    /// Cannot be used.
    Fatal,
}

/// One finding about a server or a file.
#[derive(Debug, Clone, Serialize)]
pub struct Advice {
    /// How much it matters.
    pub gravity: Gravity,
    /// What was looked at: `persistence`.
    pub subject: &'static str,
    /// What was found.
    pub found: String,
    /// What to do about it; empty where there is nothing to do.
    pub advice: String,
}

impl Advice {
    /// A finding with something to do about it.
    pub fn new(
        gravity: Gravity,
        subject: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { gravity, subject, found: found.into(), advice: advice.into() }
    }

    /// A finding that is as it should be.
    pub fn good(subject: &'static str, found: impl Into<String>) -> Self {
        Self::new(Gravity::Good, subject, found, "")
    }
}

/// Something without an owner.
#[derive(Debug, Clone, Serialize)]
pub struct Stray {
    /// Where it lies.
    pub key: String,
    /// How many entries.
    pub entries: u64,
    /// What it is and what to do.
    pub meaning: String,
}

/// A server or a file with queue and store on it.
#[async_trait]
pub trait Inspect: Send + Sync + 'static {
    /// What it is: `Redis`.
    fn kind(&self) -> &'static str;

    /// Where it is, without credentials.
    fn shown(&self) -> &str;

    /// What to know before relying on it, in plain language. An error only if it cannot be reached for now.
    async fn advise(&self) -> Result<Vec<Advice>>;

    /// Whether it lets us do what we do, with these lists. Nothing where there is nobody to ask.
    async fn rights(&self, _lists: &[QueueName]) -> Result<Vec<Advice>> {
        Ok(Vec::new())
    }

    /// What lies where nobody looks any more.
    async fn strays(&self) -> Result<Vec<Stray>>;

    /// Since when this process has reached it without a break; `None` while it does not. An ended lease proves nothing
    /// before that is one lease long: whoever lives could not renew it either.
    async fn reached_since(&self) -> Option<Instant>;

    /// Bytes of memory that a server of its own uses; `None` where there is none, or it does not tell.
    async fn memory_used(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    /// A process of this machine that has kept all others from writing for some time.
    async fn held_up_by(&self) -> Option<u32> {
        None
    }
}
