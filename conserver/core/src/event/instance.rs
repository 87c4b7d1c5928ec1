//! What is worth telling of the instance: batches, documents, workers, lists, the backend.

use std::time::Duration;

use conserver_vcon::VconId;

use super::live::{self, Happening};
use crate::figure::{self, Label};
use crate::queue::{ListStatus, Recovered};
use crate::{ErrorKind, QueueName};

/// A batch of settlements was confirmed.
#[derive(Debug)]
pub struct BatchSettled {
    /// How many.
    pub items: usize,
    /// Until it was confirmed, repetitions included.
    pub took: Duration,
}

impl BatchSettled {
    /// At trace.
    pub fn emit(&self) {
        tracing::trace!(vcons = self.items, ms = super::millis(self.took), "settled");
        figure::SETTLE_ITEMS.observe(&[], self.items as f64);
        figure::SETTLE_TIME.observe(&[], self.took.as_secs_f64());
    }
}

/// The store did not have a document, and the storages were asked.
#[derive(Debug)]
pub struct DocumentMissed<'a> {
    /// The id.
    pub id: &'a VconId,
    /// Whether a storage had it; `None` where that could not be found out.
    pub found: Option<bool>,
}

impl DocumentMissed<'_> {
    /// At debug: what is nowhere becomes a dead letter, which is told.
    pub fn emit(&self) {
        tracing::debug!(vcon = %self.id, in_a_storage = self.found, "document missed");
        figure::LOAD_MISS.add(&[], 1);
        match self.found {
            Some(true) => figure::STORAGE_HIT.add(&[], 1),
            Some(false) => figure::NOT_FOUND.add(&[], 1),
            None => {}
        }
    }
}

/// A line of the log could not be written.
#[derive(Debug)]
pub struct LogLineLost;

impl LogLineLost {
    /// Only counted: a line about it would be lost, too.
    pub fn emit(&self) {
        figure::LOG_LOST.add(&[], 1);
    }
}

/// What the worker holds longest.
#[derive(Debug)]
pub struct OldestHeld {
    /// Since its claim; zero where nothing is held.
    pub age: Duration,
}

impl OldestHeld {
    /// Only counted.
    pub fn emit(&self) {
        figure::OLDEST.set(&[], self.age.as_secs_f64());
    }
}

/// A worker has begun to work.
#[derive(Debug)]
pub struct WorkerRuns {
    /// `main` or `suspects`.
    pub lane: &'static str,
}

impl WorkerRuns {
    /// Only counted: the start is told with what it starts on.
    pub fn emit(&self) {
        figure::WORKERS.set(&[Label::Word(self.lane)], 1.0);
    }
}

/// What an ended worker held was put back.
#[derive(Debug)]
pub struct VconsRecovered<'a> {
    /// What was done.
    pub recovered: &'a Recovered,
    /// What the worker died of.
    pub signal: &'a str,
    /// Its process.
    pub pid: u32,
}

impl VconsRecovered<'_> {
    /// Poison is an error: somebody has to find out what it did.
    pub fn emit(&self) {
        for id in &self.recovered.poison {
            tracing::error!(vcon = %id, signal = self.signal, "dead letter: poison");
            live::dead_letter(None, None, id, ErrorKind::Poison.as_str(), self.signal);
        }
        let (state, vcons) = ("recovered".to_owned(), Some(self.recovered.returned));
        live::state(|| Happening::Worker { state, pid: self.pid, role: None, cause: None, vcons });
        figure::RECOVERED.add(&[], self.recovered.returned);
        figure::SUSPECTS.add(&[], self.recovered.suspects.len() as u64);
        figure::POISON.add(&[], self.recovered.poison.len() as u64);
    }
}

/// A child of the supervisor was started.
#[derive(Debug)]
pub struct ChildStarted {
    /// `worker`, `suspects`, `api`.
    pub role: &'static str,
    /// Its process.
    pub pid: u32,
}

impl ChildStarted {
    /// At debug: a worker says itself that it started, and on what.
    pub fn emit(&self) {
        tracing::debug!(role = self.role, pid = self.pid, "child started");
        let (state, role) = ("started".to_owned(), Some(self.role.to_owned()));
        live::state(|| Happening::Worker { state, pid: self.pid, role, cause: None, vcons: None });
    }
}

/// A child of the supervisor ended.
#[derive(Debug)]
pub struct ChildEnded {
    /// Its process.
    pub pid: u32,
    /// `worker`, `suspects`, `api`.
    pub role: &'static str,
    /// `ok`, `failed`, `stuck`, `recovered`, or the signal.
    pub cause: &'static str,
}

impl ChildEnded {
    /// Only counted: what becomes of it is told with what it held.
    pub fn emit(&self) {
        figure::WORKER_ENDS.add(&[Label::Word(self.role), Label::Word(self.cause)], 1);
        let (state, role) = ("ended".to_owned(), Some(self.role.to_owned()));
        let cause = Some(self.cause.to_owned());
        live::state(|| Happening::Worker { state, pid: self.pid, role, cause, vcons: None });
    }
}

/// The configuration changed.
#[derive(Debug)]
pub struct ConfigChanged {
    /// `taken` or `refused`.
    pub outcome: &'static str,
}

impl ConfigChanged {
    /// Only counted: what was wrong is told problem by problem.
    pub fn emit(&self) {
        figure::RELOADS.add(&[Label::Word(self.outcome)], 1);
    }
}

/// Somebody looked at the lists.
#[derive(Debug)]
pub struct ListsSeen<'a> {
    /// Ingress lists and how they stand.
    pub ingress: &'a [(QueueName, ListStatus)],
    /// Dead-letter lists, their kind (`dlq`, `storage-dlq`) and their length.
    pub dead: &'a [(QueueName, &'static str, u64)],
}

impl ListsSeen<'_> {
    /// Only counted.
    pub fn emit(&self) {
        for (list, status) in self.ingress {
            let name = Label::Name(list.shared());
            figure::LIST_LENGTH.set(&[name, Label::Word("ingress")], status.queued as f64);
            for (place, ids) in [
                ("in-flight", status.in_flight),
                ("delayed", status.delayed),
                ("parked", status.parked),
                ("suspects", status.suspects),
            ] {
                figure::LIST_ELSEWHERE.set(&[name, Label::Word(place)], ids as f64);
            }
            figure::LIST_OVERDUE.set(&[name], status.overdue_ms.unwrap_or(0) as f64 / 1e3);
            let oldest = status.oldest.as_ref().and_then(|oldest| oldest.age_ms).unwrap_or(0);
            figure::LIST_OLDEST.set(&[name], oldest as f64 / 1e3);
            figure::LIST_PAUSED.set(&[name], f64::from(u8::from(status.paused)));
        }
        for (list, kind, length) in self.dead {
            figure::LIST_LENGTH.set(&[Label::Name(list.shared()), Label::Word(kind)], *length as f64);
        }
    }
}

/// Somebody asked Redis how it is.
#[derive(Debug)]
pub struct RedisSeen {
    /// Memory that it uses.
    pub memory_bytes: u64,
}

impl RedisSeen {
    /// Only counted.
    pub fn emit(&self) {
        figure::REDIS_MEMORY.set(&[], self.memory_bytes as f64);
    }
}

/// The API put vCons on a list.
#[derive(Debug)]
pub struct VconsEnqueued<'a> {
    /// The list, if a chain takes from it: names that come with requests are no labels.
    pub list: Option<&'a QueueName>,
    /// `new`, `external`, `reingress`, `dlq_reprocess`.
    pub source: &'static str,
    /// How many.
    pub count: usize,
}

impl VconsEnqueued<'_> {
    /// At trace.
    pub fn emit(&self) {
        tracing::trace!(
            list = self.list.map(QueueName::as_str),
            source = self.source,
            vcons = self.count,
            "enqueued"
        );
        let list = self.list.map_or(Label::Word("other"), |list| Label::Name(list.shared()));
        figure::ENQUEUED.add(&[list, Label::Word(self.source)], self.count as u64);
    }
}

/// Which program this is.
#[derive(Debug)]
pub struct BuildKnown<'a> {
    /// Its version.
    pub version: &'a str,
    /// The commit it was built from.
    pub commit: &'a str,
}

impl BuildKnown<'_> {
    /// Only counted.
    pub fn emit(&self) {
        figure::BUILD.set(&[Label::Text(self.version), Label::Text(self.commit)], 1.0);
    }
}
