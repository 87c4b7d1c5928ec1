//! What became of a vCon, run by run, and how a running instance stands: for people who ask "where is it, and why?".
//! Nothing in the pipeline relies on it.
//!
//! A run is remembered after it was settled, and written behind the pipeline's back: a process that is killed takes
//! its last moment's memories with it, a backend that is away those of the outage. What failed for good is known
//! from its [`DeadLetter`](crate::queue::DeadLetter) in any case.

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use conserver_vcon::VconId;
use serde::{Deserialize, Serialize};

use crate::{ChainName, LinkName, QueueName, Result, StorageName, WorkerId};

/// One run of a vCon through a chain, as it is remembered. Words and numbers only: no part of the document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStory {
    /// The id, as it stood on the list.
    pub vcon: VconId,
    /// The chain.
    pub chain: ChainName,
    /// The list it came from.
    pub list: QueueName,
    /// The worker.
    pub worker: WorkerId,
    /// Which run this was: 1, and one more after each that counted.
    pub attempt: u32,
    /// How many workers had crashed while they ran it: of those runs nothing else is known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub crashes: u32,
    /// When it was settled, in Unix milliseconds by the worker's clock.
    pub at: i64,
    /// Milliseconds from its claim to its settlement.
    pub ms: u64,
    /// `done`, `halted`, `retry`, `dead`, `given-back`, `gone`.
    pub end: Cow<'static, str>,
    /// Why, where a link ended the chain or something failed: one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Only `retry`: milliseconds until it is handed out again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_in_ms: Option<u64>,
    /// The id that the chain ended with, if it went on with another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub went_on_as: Option<VconId>,
    /// Links in their order, then storages.
    pub steps: Vec<Step>,
}

/// One link or storage of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The link, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkName>,
    /// The storage, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageName>,
    /// What came of it.
    pub result: StepResult,
    /// Milliseconds that it took, its attempts and pauses included; thousandths count.
    pub ms: f64,
    /// The kind of its error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Cow<'static, str>>,
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepResult {
    /// It worked.
    Ok,
    /// It ended the chain.
    Halted,
    /// It failed, and the chain went on.
    PassedOver,
    /// It failed, and the run with it.
    Failed,
    /// The run was cut off in it: by the chain's timeout, or by the end of the worker.
    CutOff,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Step {
    /// A link that begins.
    pub(crate) fn link(name: &LinkName) -> Self {
        Self { link: Some(name.clone()), ..Self::begun() }
    }

    /// A storage that begins.
    pub(crate) fn storage(name: &StorageName) -> Self {
        Self { storage: Some(name.clone()), ..Self::begun() }
    }

    /// Cut off, as long as nothing else is known.
    fn begun() -> Self {
        Self { link: None, storage: None, result: StepResult::CutOff, ms: 0.0, error: None }
    }

    /// It ended like this.
    pub(crate) fn end(&mut self, result: StepResult, took: Duration, error: Option<&crate::Error>) {
        self.result = result;
        self.ms = took.as_micros() as f64 / 1000.0;
        self.error = error.map(|error| error.kind().as_str().into());
    }
}

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// About how many runs; 0: none.
    pub runs: usize,
    /// For how long.
    pub age: Duration,
}

/// Remembers runs, and keeps notes.
#[async_trait]
pub trait Chronicle: Send + Sync + 'static {
    /// Remembers these runs, and forgets others for their sake.
    ///
    /// # Behaviour
    /// * the oldest runs go first where there are more than `memory` holds
    async fn remember(&self, runs: &[RunStory], memory: Memory) -> Result<()>;

    /// What is remembered of one vCon, the oldest run first.
    ///
    /// # Behaviour
    /// * runs come in the order in which they were remembered, and those of other ids are not among them
    /// * a run that was settled before `since` (Unix milliseconds) is left out
    /// * an id that nothing is known of has no runs
    async fn runs_of(&self, id: &VconId, since: i64) -> Result<Vec<RunStory>>;

    /// Leaves a note of how a running instance stands, for commands: they speak with the backend alone. Without a note
    /// it takes back the one that it left.
    ///
    /// # Behaviour
    /// * an instance has one note, the last that it left, beside those of others
    /// * a note is gone once it is taken back, or older than `lives`
    async fn leave_note(&self, instance: &str, note: Option<&str>, lives: Duration) -> Result<()>;

    /// The notes of running instances, in the order of their names.
    async fn notes(&self) -> Result<Vec<String>>;
}
