//! Where a run gets its documents: from the claim that brought it, the working copies, or else the storages.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use conserver_core::chain::{Documents, LoadedDocument, find_in_storages};
use conserver_core::event::DocumentMissed;
use conserver_core::guarded::GuardedStorage;
use conserver_core::queue::Entry;
use conserver_core::store::{DocumentWrite, Loaded, VconStore};
use conserver_core::vcon::{Limits, Vcon, VconId};
use conserver_core::{Error, ErrorKind, Result, WorkerId};

use super::desk::Desk;

/// Everything a run needs of the world of documents; one per worker.
pub(crate) struct Source {
    pub(crate) store: Arc<dyn VconStore>,
    /// All storages of the configuration, in its order; empty where the fallback is off.
    pub(crate) fallback: Mutex<Vec<Arc<GuardedStorage>>>,
    pub(crate) ttl: Option<Duration>,
    pub(crate) limits: Limits,
    pub(crate) worker: WorkerId,
    pub(crate) desk: Arc<Desk>,
}

/// [`Source`] for the run of one entry, with what the claim's load found.
pub(crate) struct RunDocuments<'a> {
    pub(crate) source: &'a Source,
    pub(crate) entry: &'a Entry,
    pub(crate) found: Mutex<Option<Loaded>>,
}

#[async_trait]
impl Documents for RunDocuments<'_> {
    async fn load(&self, id: &VconId) -> Result<LoadedDocument> {
        let found =
            if *id == self.entry.id { self.found.lock().expect("no panic while held").take() } else { None };
        let found = match found {
            Some(found) => found,
            None => self.source.store.load(std::slice::from_ref(id)).await?.pop().unwrap_or(Loaded::Missing),
        };
        match found {
            Loaded::Found { json, encoding } => Ok(LoadedDocument::Text { json, encoding }),
            Loaded::Unreadable(error) => Err(error),
            Loaded::Missing => self.source.found_in_storages(id).await.map(LoadedDocument::Parsed),
        }
    }

    async fn checkpoint(&self, entry: &Entry, document: &DocumentWrite) -> Result<bool> {
        self.source.store.checkpoint(&self.source.worker, entry, document).await
    }

    fn may_write(&self) -> bool {
        self.source.desk.has_lease()
    }
}

impl Source {
    async fn found_in_storages(&self, id: &VconId) -> Result<Vcon> {
        let result = self.look_in_storages(id).await;
        let found = match &result {
            Ok(_) => Some(true),
            Err(error) if error.kind() == ErrorKind::Missing => Some(false),
            Err(_) => None,
        };
        DocumentMissed { id, found }.emit();
        result
    }

    async fn look_in_storages(&self, id: &VconId) -> Result<Vcon> {
        let storages = self.fallback.lock().expect("no panic while held").clone();
        if storages.is_empty() {
            let says = "there is no working copy of the vCon (it may have expired), and no storage to ask";
            return Err(Error::new(ErrorKind::Missing, says));
        }
        let vcon = find_in_storages(&storages, id, None).await?;
        // A copy for the next reader; the run goes on without it.
        if let Err(error) = self.store.restore(&vcon, self.ttl).await {
            tracing::debug!(vcon = %id, error = %error.chain(), "could not bring a stored vCon back");
        }
        Ok(vcon)
    }
}

/// The error for a document that is never loaded.
pub(crate) fn too_large(bytes: usize, most: usize) -> Error {
    let says = format!(
        "the document has {bytes} bytes, more than the {most} that `limits: max_document_bytes` allows"
    );
    Error::new(ErrorKind::TooLarge, says)
}
