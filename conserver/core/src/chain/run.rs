//! The heart: one vCon through one chain.
//!
//! Load when somebody looks at the document; each link in order; save after a checkpoint; all storages at once.
//! Nothing is written to queues and no effect takes place here: the run says what happened, and
//! [`to_end`](super::to_end) what that means. Whatever cuts a run off (an error, a panic, the chain's timeout) leaves
//! the documents as after the last link that succeeded.

use bytes::Bytes;
use conserver_vcon::{Vcon, VconId, View};
use sha1::{Digest, Sha1};
use tokio::time::Instant;

use super::Chain;
use super::documents::{LoadedDocument, parse};
use super::draft::Draft;
use super::fan_out::fan_out;
use super::job::{Job, Run, RunEnd};
use crate::config::plan::OnError;
use crate::event::{LinkPassedOver, StorageRefused};
use crate::guarded::{GuardedLink, GuardedStorage, caught};
use crate::link::{Effect, Flow, LinkContext, LinkOutcome};
use crate::policy::{Elapsed, within};
use crate::store::Encoding;
use crate::story::{Step, StepResult};
use crate::trace::RunTrace;
use crate::{Error, ErrorKind, LinkName, Result, StorageName, cpu};

/// Runs one vCon through a chain.
///
/// # Cancel safety
/// Dropping the future leaves the lease as it is: links may have run and storages may have the vCon, which a rerun
/// repeats.
pub async fn run(chain: &Chain, job: Job<'_>) -> Run {
    let timeout = chain.plan.timeout;
    let trace = RunTrace::begin(&chain.plan.name, job.lease);
    let mut progress = Progress::new(chain, job, &trace);
    let end = match within(timeout, caught(progress.go())).await {
        Ok(Ok(Ok(end))) => end,
        Ok(Ok(Err(Stop::Lost))) => RunEnd::Lost,
        Ok(Ok(Err(Stop::Failed(error))) | Err(error)) => progress.failed(error),
        Err(Elapsed) => progress.failed(too_slow(chain)),
    };
    let mut run = progress.finish(end).await;
    run.context = trace.context();
    trace.end(match &run.end {
        RunEnd::Failed { error, .. } => Some(error),
        RunEnd::Done | RunEnd::Halted { .. } | RunEnd::Lost => None,
    });
    run
}

/// Where a run stands. It outlives a run that is cut off.
struct Progress<'a> {
    chain: &'a Chain,
    job: Job<'a>,
    cx: LinkContext,
    deadline: Option<Instant>,
    /// The document of the id that the chain goes on with, once somebody has looked at it.
    draft: Option<Draft>,
    /// Documents that a switch left behind.
    left: Vec<Draft>,
    /// The link that runs.
    link: Option<&'a LinkName>,
    /// The storage for whose sake the run fails.
    storage: Option<StorageName>,
    /// What storages were given.
    given: Option<Vcon>,
    trace: &'a RunTrace<'a>,
    run: Run,
}

/// Why a run stops before its end.
enum Stop {
    Failed(Error),
    Lost,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<'a> Progress<'a> {
    fn new(chain: &'a Chain, job: Job<'a>, trace: &'a RunTrace<'a>) -> Self {
        let (entry, tries) = (&job.lease.entry, &job.lease.tries);
        let first = chain.links.first().map_or_else(|| LinkName::from(""), |link| link.name().clone());
        let (name, list, id) = (chain.plan.name.clone(), entry.list.clone(), entry.id.clone());
        Self {
            chain,
            cx: LinkContext::new(name, first, list, id.clone(), tries.attempt),
            deadline: chain.plan.timeout.map(|limit| Instant::now() + limit),
            draft: None,
            left: Vec::new(),
            link: None,
            storage: None,
            given: None,
            trace,
            run: Run::of(id),
            job,
        }
    }

    /// The whole chain.
    async fn go(&mut self) -> Result<RunEnd, Stop> {
        for (index, link) in self.chain.links.iter().enumerate() {
            match self.step(index, link).await? {
                Flow::Continue => {}
                Flow::Switch(id) => self.switch(id),
                Flow::Halt { reason } => return Ok(RunEnd::Halted { link: link.name().clone(), reason }),
            }
        }
        self.link = None;
        if !self.chain.storages.is_empty() {
            self.save().await?;
        }
        Ok(RunEnd::Done)
    }

    /// One link.
    async fn step(&mut self, index: usize, link: &'a GuardedLink) -> Result<Flow, Stop> {
        let (info, name) = (link.info(), link.name());
        self.link = None;
        if info.needs_document {
            self.load().await?;
        }
        self.link = Some(name);
        self.cx.link = name.clone();
        let vcon = self.draft.as_ref().map(Draft::current);
        let span = self.trace.link(name, index, &self.run.id);
        self.run.steps.push(Step::link(name));
        let began = Instant::now();
        let result = link.run(&self.cx, vcon, self.deadline).await;
        span.end(result.as_ref().err());
        let goes_on = link.on_error() == OnError::Continue;
        let told = match &result {
            Ok(LinkOutcome { flow: Flow::Halt { .. }, .. }) => StepResult::Halted,
            Ok(_) => StepResult::Ok,
            Err(_) if goes_on => StepResult::PassedOver,
            Err(_) => StepResult::Failed,
        };
        if let Some(step) = self.run.steps.last_mut() {
            step.end(told, began.elapsed(), result.as_ref().err());
        }
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(error) if goes_on => {
                LinkPassedOver { chain: &self.cx.chain, link: name, id: &self.run.id, error: &error }.emit();
                return Ok(Flow::Continue);
            }
            Err(error) => return Err(error.into()),
        };
        self.run.links += 1;
        if let Some(vcon) = outcome.vcon {
            self.edit(vcon);
        }
        self.note(outcome.effects);
        if info.checkpoint {
            self.checkpoint().await?;
        }
        Ok(outcome.flow)
    }

    /// Makes sure that there is a document.
    async fn load(&mut self) -> Result<(), Stop> {
        if self.draft.is_none() {
            let id = self.run.id.clone();
            let found = match self.job.prefetched.take() {
                Some(found) => found,
                None => self.job.documents.load(&id).await?,
            };
            let (vcon, encoding) = match found {
                LoadedDocument::Text { json, encoding } => {
                    (parse(&id, json, self.job.limits).await?, encoding)
                }
                LoadedDocument::Parsed(vcon) => (vcon, Encoding::default()),
            };
            self.draft = Some(Draft::loaded(id, vcon, encoding));
        }
        Ok(())
    }

    fn edit(&mut self, vcon: Vcon) {
        match &mut self.draft {
            Some(draft) => draft.replace(vcon),
            None => self.draft = Some(Draft::made(self.run.id.clone(), vcon)),
        }
    }

    fn note(&mut self, effects: Vec<Effect>) {
        if effects.iter().any(|effect| matches!(effect, Effect::ExpireAfter(_))) {
            self.run.expires = Some(self.run.id.clone());
        }
        self.run.effects.extend(effects);
    }

    /// Saves what the link made, so that a rerun finds it.
    async fn checkpoint(&mut self) -> Result<(), Stop> {
        let Some(draft) = &mut self.draft else { return Ok(()) };
        if let Some(write) = draft.unwritten(self.job.shape).await {
            if !self.job.documents.checkpoint(&self.job.lease.entry, &write).await? {
                return Err(Stop::Lost);
            }
            draft.mark_stored();
        }
        Ok(())
    }

    /// Goes on with another vCon. What was done to the one before is kept.
    fn switch(&mut self, id: VconId) {
        if id == self.run.id {
            return;
        }
        self.job.prefetched = None;
        self.left.extend(self.draft.take());
        let known = self.left.iter().position(|draft| *draft.id() == id);
        self.draft = known.map(|at| self.left.swap_remove(at));
        self.run.id = id;
    }

    /// All storages at once, but for those that an earlier run gave this very document.
    async fn save(&mut self) -> Result<(), Stop> {
        self.load().await?;
        let Some(draft) = &mut self.draft else { return Ok(()) };
        let vcon = draft.for_storages(self.job.shape, self.job.limits).await?;
        let tries = &self.job.lease.tries;
        if !tries.saved.is_empty() && tries.saved_digest == Some(digest(&vcon).await) {
            self.run.saved.clone_from(&tries.saved);
        }
        if !self.job.documents.may_write() {
            return Err(Stop::Lost);
        }
        let has_it = |storage: &&GuardedStorage| self.run.saved.contains(storage.name());
        let storages =
            self.chain.storages.iter().map(|storage| &**storage).filter(|storage| !has_it(storage));
        let begun = self.run.steps.len();
        self.run.steps.extend(storages.clone().map(|storage| Step::storage(storage.name())));
        let vcon = self.given.insert(vcon);
        let on_error = self.chain.plan.on_storage_error;
        let result =
            fan_out(storages, vcon, self.deadline, on_error, self.trace, &mut self.run.steps[begun..]).await;
        self.run.saved.extend(result.saved);
        self.run.refused = result.refused;
        match result.failure {
            Some((storage, error)) => {
                self.storage = Some(storage);
                Err(error.into())
            }
            None => Ok(()),
        }
    }

    fn failed(&self, error: Error) -> RunEnd {
        RunEnd::Failed { error, link: self.link.cloned(), storage: self.storage.clone() }
    }

    /// Brings out what is to be written and remembered.
    async fn finish(mut self, end: RunEnd) -> Run {
        self.run.end = end;
        if !matches!(self.run.end, RunEnd::Lost)
            && let Err(panic) = caught(self.write()).await
        {
            self.run.end = self.failed(panic);
        }
        if matches!(self.run.end, RunEnd::Done) {
            for (storage, error) in &self.run.refused {
                StorageRefused { storage, id: &self.run.id, error }.emit();
            }
        }
        self.run
    }

    async fn write(&mut self) {
        for draft in self.left.iter_mut().chain(&mut self.draft) {
            self.run.documents.extend(draft.unwritten(self.job.shape).await);
        }
        if let (RunEnd::Failed { .. }, Some(given)) = (&self.run.end, &self.given) {
            self.run.saved_digest = Some(digest(given).await);
        }
    }
}

/// The first 64 bits of the SHA-1 of what storages get: the same in every process and version that reads it.
async fn digest(vcon: &Vcon) -> u64 {
    let json: Bytes = vcon.render(View::Read);
    let id = vcon.id().clone();
    cpu::run_if(json.len(), move || {
        let hash = Sha1::new().chain_update(id.as_str()).chain_update([0]).chain_update(&json).finalize();
        hash.iter().take(8).fold(0, |digest, byte| digest << 8 | u64::from(*byte))
    })
    .await
}

fn too_slow(chain: &Chain) -> Error {
    let limit = chain.plan.timeout.unwrap_or_default();
    Error::new(ErrorKind::Timeout, format!("the run took longer than the {limit:?} that its chain allows"))
}
