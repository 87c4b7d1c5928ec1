//! Documents that only storages still have: one look per id, however many ask at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use conserver_core::chain::find_in_storages;
use conserver_core::store::Loaded;
use conserver_core::vcon::{Vcon, VconId, View};
use conserver_core::{Error, ErrorKind, Result};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::time::Instant;

use crate::state::State;

/// All storages together may take this long.
const PATIENCE: Duration = Duration::from_secs(20);

type Answer = std::result::Result<Option<Bytes>, Arc<Error>>;
type Look = Shared<BoxFuture<'static, Answer>>;

/// Looks that are under way.
#[derive(Default)]
pub(crate) struct Fetches(Mutex<HashMap<VconId, Look>>);

/// Documents by their ids, in order; what the store does not have is looked for in the storages. A key that holds
/// something else is an error of that id alone.
pub(crate) async fn documents(state: &State, ids: &[VconId]) -> Result<Vec<Result<Option<Bytes>>>> {
    let loaded = state.store.load(ids).await?;
    let mut found = Vec::with_capacity(ids.len());
    for (id, loaded) in ids.iter().zip(loaded) {
        found.push(match loaded {
            Loaded::Found { json, .. } if !is_void(&json) => Ok(Some(json)),
            Loaded::Found { .. } | Loaded::Missing => Ok(from_storages(state, id).await?),
            Loaded::Unreadable(error) => Err(error),
        });
    }
    Ok(found)
}

/// An object without members is no document.
fn is_void(json: &[u8]) -> bool {
    let inside = json.trim_ascii().strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}"));
    inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

/// Looks for one document in the storages and brings it back to the store.
pub(crate) async fn from_storages(state: &State, id: &VconId) -> Result<Option<Bytes>> {
    if state.live().storages.is_empty() {
        return Ok(None);
    }
    let look = {
        let mut looks = state.fetches.0.lock().expect("no panic while held");
        let begin = || {
            let (state, id) = (state.clone(), id.clone());
            let look = async move {
                let answer = look(&state, &id).await.map_err(Arc::new);
                state.fetches.0.lock().expect("no panic while held").remove(&id);
                answer
            };
            // A task of its own: it goes on when those who asked have gone, and others may have joined.
            let task = tokio::spawn(look);
            let ended = || Arc::new(Error::new(ErrorKind::Internal, "a look into the storages ended early"));
            task.map(move |joined| joined.unwrap_or_else(|_| Err(ended()))).boxed().shared()
        };
        looks.entry(id.clone()).or_insert_with(begin).clone()
    };
    look.await.map_err(|error| Error::new(error.kind(), error.chain()))
}

async fn look(state: &State, id: &VconId) -> Result<Option<Bytes>> {
    match find_in_storages(&state.live().storages, id, Some(Instant::now() + PATIENCE)).await {
        Ok(vcon) => Ok(Some(bring_back(state, &vcon).await)),
        Err(error) if error.kind() == ErrorKind::Missing => Ok(None),
        // What does not heal by itself need not be asked for again.
        Err(error) if error.is_permanent() => Err(Error::new(ErrorKind::Internal, error.chain())),
        Err(error) => Err(Error::new(ErrorKind::Unavailable, error.chain())),
    }
}

async fn bring_back(state: &State, vcon: &Vcon) -> Bytes {
    let settings = &state.live().plan.settings;
    let json = vcon.render(View::Write(settings.body_shape));
    let limits = settings.limits();
    if let Ok(written) = Vcon::parse(vcon.id().clone(), json.clone(), &limits)
        && let Err(error) = state.store.restore(&written, settings.vcon_expiry).await
    {
        tracing::warn!(vcon = %vcon.id(), error = error.chain(), "cannot bring a stored vCon back");
    }
    json
}
