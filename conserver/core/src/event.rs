//! What is worth telling: one struct per event, whose `emit` writes the log line and counts, so that logs and
//! [figures](crate::figure) cannot disagree. Nothing else counts.
//!
//! Levels: `error` = somebody has to act; `warn` = degraded, heals or was dropped by rule; `info` = life cycle;
//! `debug` = per vCon. No event carries a body or a secret; ids are fields, never labels.

mod instance;
pub mod live;
mod webhook;

use std::time::Duration;

use conserver_vcon::VconId;

use self::live::Happening;
use crate::figure::{self, Label};
use crate::{ChainName, Error, Guards, LinkName, QueueName, StorageName, clock};

pub use instance::{
    BatchSettled, BuildKnown, ChildEnded, ChildStarted, ConfigChanged, DocumentMissed, ListsSeen,
    LogLineLost, OldestHeld, RedisSeen, VconsEnqueued, VconsRecovered, WorkerRuns,
};
pub use webhook::{MediaPostFailed, RefusalPassedOver, WebhookAnswered, WebhookFailed, WebhookUnset};

/// A vCon was claimed.
#[derive(Debug)]
pub struct VconTaken<'a> {
    /// The chain.
    pub chain: &'a ChainName,
    /// The list it came from.
    pub list: &'a QueueName,
    /// The id.
    pub id: &'a VconId,
}

impl VconTaken<'_> {
    /// At trace.
    pub fn emit(&self) {
        tracing::trace!(chain = %self.chain, list = %self.list, vcon = %self.id, "vCon taken");
        figure::RECEIVED.add(&[Label::Name(self.list.shared())], 1);
        figure::IN_FLIGHT.change(&[Label::Name(self.chain.shared())], 1.0);
    }
}

/// A vCon reached its end in this worker.
#[derive(Debug)]
pub struct VconFinished<'a> {
    /// The chain.
    pub chain: &'a ChainName,
    /// The list it came from.
    pub list: &'a QueueName,
    /// The id.
    pub id: &'a VconId,
    /// `done`, `halted`, `retry`, `dead`, `given-back`, `gone`.
    pub end: &'static str,
    /// From claim to settlement.
    pub took: Duration,
    /// Why it failed, if it did.
    pub failure: Option<Failure<'a>>,
}

/// Why a run failed.
#[derive(Debug, Clone, Copy)]
pub struct Failure<'a> {
    /// Class of the error, where it is known.
    pub reason: Option<&'a str>,
    /// The link that failed.
    pub link: Option<&'a LinkName>,
    /// The storage that failed.
    pub storage: Option<&'a StorageName>,
    /// One line.
    pub error: &'a str,
}

impl VconFinished<'_> {
    /// One summary line per vCon, at debug.
    pub fn emit(&self) {
        tracing::debug!(chain = %self.chain, list = %self.list, vcon = %self.id, end = self.end, ms = millis(self.took), "vCon finished");
        let chain = Label::Name(self.chain.shared());
        figure::IN_FLIGHT.change(&[chain], -1.0);
        figure::ENDS.add(&[chain, Label::Word(self.end)], 1);
        if matches!(self.end, "done" | "halted" | "dead") {
            figure::SETTLED.add(&[Label::Name(self.list.shared())], 1);
        }
        if matches!(self.end, "done" | "halted") {
            figure::PROCESSED.add(&[chain], 1);
            figure::PROCESSING_TIME.observe(&[chain], self.took.as_secs_f64());
        }
        live::settled(|| Happening::Settled {
            chain: self.chain.clone(),
            list: self.list.clone(),
            vcon: self.id.clone(),
            outcome: self.end.to_owned(),
            ms: clock::millis(self.took),
            why: self.failure.map(|failure| live::Why {
                reason: failure.reason.map(str::to_owned),
                link: failure.link.cloned(),
                storage: failure.storage.cloned(),
                error: live::shortened(failure.error),
            }),
        });
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
        figure::REDELIVERED.add(&[Label::Name(self.chain.shared())], 1);
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
        figure::DLQ.add(&[Label::Text(self.dlq.as_str()), Label::Text(self.reason)], 1);
        live::dead_letter(Some(self.chain), Some(self.dlq), self.id, self.reason, self.error);
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
        let link = Label::Name(self.link.shared());
        figure::LINK_COUNT.add(&[link, Label::Word(self.outcome)], 1);
        figure::LINK_TIME.observe(&[link, Label::Name(self.chain.shared())], self.took.as_secs_f64());
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
        figure::LINK_PASSED_OVER.add(&[Label::Name(link.shared())], 1);
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
        let labels = [Label::Name(self.storage.shared()), Label::Word(self.outcome)];
        figure::STORAGE_COUNT.add(&labels, 1);
        figure::STORAGE_DURATION.observe(&labels, self.took.as_secs_f64());
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
        let dlq = self.storage.dead_letters();
        let reason = self.error.kind().as_str();
        figure::DLQ.add(&[Label::Text(dlq.as_str()), Label::Word(reason)], 1);
        live::dead_letter(None, Some(&dlq), self.id, reason, &self.error.chain());
    }
}

/// One attempt at a link or storage.
#[derive(Debug)]
pub struct Attempted<'a> {
    /// The link or storage.
    pub guards: &'a std::sync::Arc<str>,
    /// What was attempted: `run`, `save`, `get`, `delete`.
    pub op: &'static str,
    /// `success`, the kind of the error, or `refused` by an open breaker.
    pub outcome: &'static str,
}

impl Attempted<'_> {
    /// At trace.
    pub fn emit(&self) {
        tracing::trace!(guards = %self.guards, op = self.op, outcome = self.outcome, "attempted");
        let labels = [Label::Name(self.guards), Label::Word(self.op), Label::Word(self.outcome)];
        figure::ATTEMPTS.add(&labels, 1);
    }
}

/// A breaker changed its state.
#[derive(Debug)]
pub struct BreakerChanged<'a> {
    /// What it guards.
    pub guards: &'a Guards,
    /// `closed`, `open`, `half-open`.
    pub state: &'static str,
    /// The state before.
    pub was: &'static str,
    /// The failure that opened it.
    pub error: Option<&'a str>,
    /// How long it has not been closed; zero where it opens.
    pub open: Duration,
    /// Whether this is a probe, or the failure of one: nothing new.
    pub probing: bool,
}

impl BreakerChanged<'_> {
    /// Opening is a warning, told once: chains that need it wait. Closing is told at info, probes at debug.
    pub fn emit(&self) {
        let Guards { kind, name } = self.guards;
        let (word, guards) = (kind.as_str(), &**name);
        match self.state {
            state if self.probing => tracing::debug!(kind = word, guards, state, "breaker probes"),
            "open" => {
                let error = self.error;
                tracing::warn!(kind = word, guards, error, "breaker open: chains that need this wait");
            }
            _ => {
                let seconds = self.open.as_secs_f64();
                tracing::info!(
                    kind = word,
                    guards,
                    "breaker closed: {word} `{guards}` answers again after {seconds:.1} s; its chains go on"
                );
            }
        }
        let [kind_label, name_label] = labels(self.guards);
        figure::BREAKER_CHANGES.add(&[kind_label, name_label, Label::Word(self.state)], 1);
        match (self.was, self.state) {
            ("closed", "open" | "half-open") => figure::BREAKER_OPEN.change(&labels(self.guards), 1.0),
            ("open" | "half-open", "closed") => figure::BREAKER_OPEN.change(&labels(self.guards), -1.0),
            _ => return,
        }
        live::state(|| Happening::Breaker {
            guards: *kind,
            name: guards.to_owned(),
            state: self.state.to_owned(),
            pid: std::process::id(),
        });
    }
}

/// A breaker that is not closed goes, with the configuration it belongs to.
#[derive(Debug)]
pub struct BreakerGone<'a> {
    /// What it guarded.
    pub guards: &'a Guards,
}

impl BreakerGone<'_> {
    /// Only counted: the reload is told.
    pub fn emit(&self) {
        figure::BREAKER_OPEN.change(&labels(self.guards), -1.0);
    }
}

fn labels(guards: &Guards) -> [Label<'_>; 2] {
    [Label::Word(guards.kind.as_str()), Label::Name(&guards.name)]
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
