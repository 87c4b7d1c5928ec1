//! One vCon into all storages of a chain at once.
//!
//! All finish, whatever becomes of the others, and all results count: what one storage has it has, and what
//! another refused is known.

use conserver_vcon::Vcon;
use futures::future::join_all;
use tokio::time::Instant;

use crate::config::plan::OnStorageError;
use crate::guarded::GuardedStorage;
use crate::story::{Step, StepResult};
use crate::trace::RunTrace;
use crate::{Error, Result, StorageName};

/// What the storages of a chain made of one vCon.
#[derive(Debug, Default)]
pub(super) struct Saved {
    /// They have it.
    pub(super) saved: Vec<StorageName>,
    /// They do not, and the chain goes on.
    pub(super) refused: Vec<(StorageName, Error)>,
    /// The one for whose sake the run fails.
    pub(super) failure: Option<(StorageName, Error)>,
}

/// Saves a vCon to all these storages at once, and notes in their steps what came of it.
pub(super) async fn fan_out<'a>(
    storages: impl Iterator<Item = &'a GuardedStorage>,
    vcon: &Vcon,
    deadline: Option<Instant>,
    on_error: OnStorageError,
    trace: &RunTrace<'_>,
    steps: &mut [Step],
) -> Saved {
    let saves = storages.zip(steps).map(|(storage, step)| async move {
        let span = trace.storage(storage.name(), vcon.id());
        let began = Instant::now();
        let result = storage.save(vcon, deadline).await;
        span.end(result.as_ref().err());
        let told = match &result {
            Ok(()) => StepResult::Ok,
            Err(error) if goes_on(storage, error, on_error) => StepResult::PassedOver,
            Err(_) => StepResult::Failed,
        };
        step.end(told, began.elapsed(), result.as_ref().err());
        (storage, result)
    });
    sort(join_all(saves).await.into_iter(), on_error)
}

fn sort<'a>(
    results: impl Iterator<Item = (&'a GuardedStorage, Result<()>)>,
    on_error: OnStorageError,
) -> Saved {
    let mut sorted = Saved::default();
    for (storage, result) in results {
        let name = storage.name().clone();
        match result {
            Ok(()) => sorted.saved.push(name),
            Err(error) if goes_on(storage, &error, on_error) => sorted.refused.push((name, error)),
            Err(error) => {
                let heavier = sorted.failure.as_ref().is_none_or(|(_, other)| weight(&error) > weight(other));
                if heavier {
                    sorted.failure = Some((name, error));
                }
            }
        }
    }
    sorted
}

fn goes_on(storage: &GuardedStorage, error: &Error, on_error: OnStorageError) -> bool {
    let on_error = storage.on_refusal().unwrap_or(on_error);
    !storage.is_required() || (error.is_permanent() && on_error == OnStorageError::Continue)
}

/// Which of several failures decides: what no rerun can mend, then what is away (bounded by time, so that an outage
/// beside it cannot use up the attempts), then the rest.
fn weight(error: &Error) -> u8 {
    match (error.is_permanent(), error.is_unavailable()) {
        (true, _) => 2,
        (_, true) => 1,
        _ => 0,
    }
}
