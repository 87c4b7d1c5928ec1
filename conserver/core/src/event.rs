//! What is worth telling: one struct per event, whose `emit` writes the log line (and is the one place where a
//! counter belongs), so that logs and figures cannot disagree.
//!
//! Levels: `error` = somebody has to act; `warn` = degraded, heals or was dropped by rule; `info` = life cycle;
//! `debug` = per vCon. No event carries a body or a secret; ids are fields, never labels.

use std::time::Duration;

use conserver_vcon::VconId;

use crate::{ChainName, Error, LinkName, QueueName, StorageName};

/// A vCon reached its end in this worker.
#[derive(Debug)]
pub struct VconFinished<'a> {
    /// The chain.
    pub chain: &'a ChainName,
    /// The list it came from.
    pub list: &'a QueueName,
    /// The id.
    pub id: &'a VconId,
    /// `done`, `halted`, `retry`, `dead`, `given-back`.
    pub end: &'static str,
    /// From claim to settlement.
    pub took: Duration,
}

impl VconFinished<'_> {
    /// One summary line per vCon, at debug.
    pub fn emit(&self) {
        tracing::debug!(chain = %self.chain, list = %self.list, vcon = %self.id, end = self.end, ms = millis(self.took), "vCon finished");
    }
}

/// A run failed and will be repeated.
#[derive(Debug)]
pub struct RunRetried<'a> {
    /// The chain.
    pub chain: &'a ChainName,
    /// The id.
    pub id: &'a VconId,
    /// Runs so far.
    pub attempt: u32,
    /// When it is handed out again.
    pub after: Duration,
    /// Why, one line.
    pub error: &'a str,
}

impl RunRetried<'_> {
    /// At debug: an outage would repeat it for every vCon; the breaker says it once.
    pub fn emit(&self) {
        tracing::debug!(chain = %self.chain, vcon = %self.id, attempt = self.attempt, after_ms = millis(self.after), error = self.error, "run failed, will be repeated");
    }
}

/// A vCon became a dead letter.
#[derive(Debug)]
pub struct VconDead<'a> {
    /// The chain.
    pub chain: &'a ChainName,
    /// The id.
    pub id: &'a VconId,
    /// The dead-letter list.
    pub dlq: &'a QueueName,
    /// Reason class.
    pub reason: &'a str,
    /// One line.
    pub error: &'a str,
}

impl VconDead<'_> {
    /// At warn: somebody will want to look.
    pub fn emit(&self) {
        tracing::warn!(chain = %self.chain, vcon = %self.id, dlq = %self.dlq, reason = self.reason, error = self.error, "dead letter");
    }
}

/// One link ran.
#[derive(Debug)]
pub struct LinkRan<'a> {
    /// The chain.
    pub chain: &'a ChainName,
    /// The link.
    pub link: &'a LinkName,
    /// `success`, `halt`, `error`.
    pub outcome: &'static str,
    /// All attempts together.
    pub took: Duration,
}

impl LinkRan<'_> {
    /// At trace.
    pub fn emit(&self) {
        tracing::trace!(chain = %self.chain, link = %self.link, outcome = self.outcome, ms = millis(self.took), "link ran");
    }
}

/// A link failed and the chain goes on without it, as its `on_error` says.
#[derive(Debug)]
pub struct LinkPassedOver<'a> {
    /// The chain.
    pub chain: &'a ChainName,
    /// The link.
    pub link: &'a LinkName,
    /// The id.
    pub id: &'a VconId,
    /// Why.
    pub error: &'a Error,
}

impl LinkPassedOver<'_> {
    /// At warn, but at debug during an outage, which its breaker tells once.
    pub fn emit(&self) {
        let (chain, link, vcon, reason) = (self.chain, self.link, self.id, self.error.kind());
        if self.error.is_unavailable() {
            tracing::debug!(%chain, %link, %vcon, %reason, error = %self.error.chain(), "link passed over");
        } else {
            tracing::warn!(%chain, %link, %vcon, %reason, error = %self.error.chain(), "link passed over");
        }
    }
}

/// One storage saved a vCon, or did not.
#[derive(Debug)]
pub struct StorageSaved<'a> {
    /// The storage.
    pub storage: &'a StorageName,
    /// `success`, `error`.
    pub outcome: &'static str,
    /// All attempts together.
    pub took: Duration,
}

impl StorageSaved<'_> {
    /// At trace.
    pub fn emit(&self) {
        tracing::trace!(storage = %self.storage, outcome = self.outcome, ms = millis(self.took), "storage saved");
    }
}

/// A storage refused one vCon for good while the chain went on.
#[derive(Debug)]
pub struct StorageRefused<'a> {
    /// The storage.
    pub storage: &'a StorageName,
    /// The id.
    pub id: &'a VconId,
    /// Why.
    pub error: &'a Error,
}

impl StorageRefused<'_> {
    /// At warn: the copy is missing until somebody replays it.
    pub fn emit(&self) {
        tracing::warn!(storage = %self.storage, vcon = %self.id, reason = %self.error.kind(), error = %self.error.chain(), "storage refused a vCon");
    }
}

/// A breaker changed its state.
#[derive(Debug)]
pub struct BreakerChanged<'a> {
    /// The link or storage it guards.
    pub guards: &'a str,
    /// `closed`, `open`, `half-open`.
    pub state: &'static str,
    /// The failure that opened it.
    pub error: Option<&'a str>,
    /// Whether this is a probe, or the failure of one: nothing new.
    pub probing: bool,
}

impl BreakerChanged<'_> {
    /// Opening is a warning, told once: chains that need it wait. Closing is told at info, probes at debug.
    pub fn emit(&self) {
        match self.state {
            state if self.probing => tracing::debug!(guards = self.guards, state, "breaker probes"),
            "open" => {
                tracing::warn!(
                    guards = self.guards,
                    error = self.error,
                    "breaker open: chains that need this wait"
                );
            }
            state => tracing::info!(guards = self.guards, state, "breaker changed"),
        }
    }
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
