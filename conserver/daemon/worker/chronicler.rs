//! Remembers what became of each vCon, behind the pipeline's back: nothing waits for it, and what it cannot keep
//! up with is left out, what went well first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use conserver_core::WorkerId;
use conserver_core::chain::{Run, RunEnd};
use conserver_core::clock::{Seldom, millis, unix_millis};
use conserver_core::event::VconFinished;
use conserver_core::queue::{End, Settlement};
use conserver_core::story::{Chronicle, Memory, RunStory, Step, StepResult};
use conserver_core::vcon::VconId;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

/// Runs that went well are remembered up to this many in a second. It bounds what stories cost where thousands go
/// through: a site that has more looks at figures, and at what failed.
const ORDINARY: u32 = 1000;
/// Runs that wait to be written.
const WAITING: usize = 4096;
/// One write has at most this many.
const BATCH: usize = 512;
/// What ends in this time is written together.
const GATHER: Duration = Duration::from_millis(50);

/// What is known of a run beside its settlement.
#[derive(Debug, Default)]
pub(crate) struct Course {
    steps: Vec<Step>,
    why: Option<String>,
    went_on_as: Option<VconId>,
}

impl Course {
    /// The course of the run of this id; its steps are taken out.
    pub(crate) fn of(id: &VconId, run: &mut Run) -> Self {
        let why = match &run.end {
            RunEnd::Halted { reason, .. } if !reason.is_empty() => Some(reason.clone()),
            RunEnd::Failed { error, .. } => Some(error.chain()),
            RunEnd::Halted { .. } | RunEnd::Done | RunEnd::Lost => None,
        };
        let went_on_as = (run.id != *id).then(|| run.id.clone());
        Self { steps: std::mem::take(&mut run.steps), why, went_on_as }
    }

    /// The step that the run failed in, if it was one.
    pub(crate) fn failed(&self) -> Option<&Step> {
        self.steps.iter().rev().find(|step| matches!(step.result, StepResult::Failed | StepResult::CutOff))
    }
}

/// Takes notes of runs that ended.
pub(crate) struct Chronicler {
    worker: WorkerId,
    /// `None`: nothing is to be remembered.
    notes: Option<Sender<RunStory>>,
    /// Of ordinary runs: the second, and how many may still be noted in it.
    budget: (Instant, u32),
}

impl Chronicler {
    /// Begins to take notes; the task writes them until the chronicler is gone.
    pub(crate) fn start(
        chronicle: Arc<dyn Chronicle>,
        worker: WorkerId,
        memory: Memory,
    ) -> (Self, Option<JoinHandle<()>>) {
        let budget = (Instant::now(), ORDINARY);
        if memory.runs == 0 {
            return (Self { worker, notes: None, budget }, None);
        }
        let (notes, taken) = channel(WAITING);
        let writing = tokio::spawn(write(chronicle, memory, taken));
        (Self { worker, notes: Some(notes), budget }, Some(writing))
    }

    /// Notes how a run ended. `refusal`: what spoke against its settlement.
    pub(crate) fn note(
        &mut self,
        settlement: &Settlement,
        course: &Course,
        finished: &VconFinished<'_>,
        refusal: Option<&str>,
    ) {
        let Some(notes) = &self.notes else { return };
        if finished.end == "done" && !has_left(&mut self.budget) {
            return;
        }
        let lease = &settlement.lease;
        let again_in_ms = match &settlement.end {
            End::Retry { after, .. } => Some(millis(*after)),
            _ => None,
        };
        let run = RunStory {
            vcon: lease.entry.id.clone(),
            chain: finished.chain.clone(),
            list: lease.entry.list.clone(),
            worker: self.worker.clone(),
            attempt: lease.tries.attempt + 1,
            crashes: lease.tries.strikes,
            at: unix_millis(),
            ms: millis(finished.took),
            end: finished.end.into(),
            why: refusal.map(str::to_owned).or_else(|| course.why.clone()),
            again_in_ms,
            went_on_as: course.went_on_as.clone(),
            steps: course.steps.clone(),
        };
        // Full: the backend is away or slow, and the run is left out.
        let _ = notes.try_send(run);
    }
}

/// Whether one more ordinary run may be noted in this second.
fn has_left(budget: &mut (Instant, u32)) -> bool {
    if budget.0.elapsed() >= Duration::from_secs(1) {
        *budget = (Instant::now(), ORDINARY);
    }
    let has_left = budget.1 > 0;
    budget.1 = budget.1.saturating_sub(1);
    has_left
}

async fn write(chronicle: Arc<dyn Chronicle>, memory: Memory, mut notes: Receiver<RunStory>) {
    let mut told = Seldom::every(Duration::from_secs(60));
    let mut batch = Vec::new();
    while notes.recv_many(&mut batch, BATCH).await > 0 {
        if batch.len() < BATCH && !notes.is_closed() {
            tokio::time::sleep(GATHER).await;
            while batch.len() < BATCH
                && let Ok(run) = notes.try_recv()
            {
                batch.push(run);
            }
        }
        if let Err(error) = chronicle.remember(&batch, memory).await
            && told.is_time()
        {
            tracing::warn!(error = %error.chain(), runs = batch.len(), "cannot remember what became of vCons; nothing else suffers");
        }
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_runs_are_bounded_in_each_second() {
        let mut budget = (Instant::now(), 2);
        assert_eq!([(); 3].map(|()| has_left(&mut budget)), [true, true, false]);
        let second_ago = Instant::now() - Duration::from_secs(1);
        budget.0 = second_ago;
        assert!(has_left(&mut budget));
    }
}
