//! Where a run gets its documents from, and how it saves them in the middle.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use conserver_vcon::{DocumentError, Limits, Vcon, VconId};
use tokio::time::Instant;

use crate::guarded::GuardedStorage;
use crate::queue::Entry;
use crate::store::{DocumentWrite, Encoding};
use crate::{Error, ErrorKind, Result, cpu};

/// A document as it was found.
#[derive(Debug, Clone)]
pub enum LoadedDocument {
    /// As text, and how it lies in the store.
    Text {
        /// The JSON.
        json: Bytes,
        /// How it lies there, and will be written back.
        encoding: Encoding,
    },
    /// As a storage gave it back.
    Parsed(Vcon),
}

/// What the worker lends a run. It knows the store, the storages to fall back to, and the lease.
#[async_trait]
pub trait Documents: Send + Sync {
    /// Finds a document: in the store, else in a storage.
    ///
    /// # Errors
    /// `Missing` if it is nowhere; where something could not be asked, that error instead, for it may be there.
    async fn load(&self, id: &VconId) -> Result<LoadedDocument>;

    /// Saves a document in the middle of a run; `false` if the entry is no longer this worker's.
    ///
    /// # Errors
    /// The store's.
    async fn checkpoint(&self, entry: &Entry, document: &DocumentWrite) -> Result<bool>;

    /// Whether the lease lasts, as far as this process can tell without asking.
    fn may_write(&self) -> bool;
}

/// Looks for a vCon in storages, in this order; those that give nothing back are passed over. No attempt begins a pause
/// that would reach beyond `deadline`.
///
/// # Errors
/// `Missing` if every storage says so. One that fails, of whatever kind, may be the one that has it: its error comes back
/// instead.
pub async fn find_in_storages(
    storages: &[Arc<GuardedStorage>],
    id: &VconId,
    deadline: Option<Instant>,
) -> Result<Vcon> {
    let mut unknown: Option<Error> = None;
    for storage in storages.iter().filter(|storage| storage.info().can_get) {
        match storage.get(id, deadline).await {
            // An object without members is no document.
            Ok(Some(vcon)) if vcon.members().next().is_some() => return Ok(vcon),
            Ok(_) => {}
            // What heals by itself decides: then it will be known.
            Err(error) => unknown = Some(unknown.filter(|first| !first.is_permanent()).unwrap_or(error)),
        }
    }
    let missing = || Error::new(ErrorKind::Missing, "the document is neither in the store nor in a storage");
    Err(unknown.unwrap_or_else(missing))
}

/// Reads a document that was found; a large one on the pool.
pub(super) async fn parse(id: &VconId, json: Bytes, limits: &Limits) -> Result<Vcon> {
    let (id, limits) = (id.clone(), *limits);
    cpu::run_if(json.len(), move || Vcon::parse(id, json, &limits)).await.map_err(refusal)
}

fn refusal(error: DocumentError) -> Error {
    let kind = if error.rule() == "too-large" { ErrorKind::TooLarge } else { ErrorKind::Invalid };
    Error::new(kind, "cannot read the document").source(error)
}
