//! The working copies in memory, with a fence, as a worker lends them to a run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use conserver_core::chain::{Documents, LoadedDocument, find_in_storages};
use conserver_core::guarded::GuardedStorage;
use conserver_core::queue::Entry;
use conserver_core::store::{DocumentWrite, Encoding};
use conserver_core::vcon::VconId;
use conserver_core::{Error, ErrorKind, Result};

/// Documents by id. What is not here is looked for in the storages behind it.
#[derive(Default)]
pub(crate) struct Shelf {
    documents: Mutex<BTreeMap<VconId, Bytes>>,
    pub(crate) behind: Vec<Arc<GuardedStorage>>,
    pub(crate) is_away: AtomicBool,
    pub(crate) lease_lasts: Lasts,
    pub(crate) entry_is_gone: AtomicBool,
    loads: AtomicUsize,
    checkpoints: AtomicUsize,
}

pub(crate) struct Lasts(pub(crate) AtomicBool);

impl Default for Lasts {
    fn default() -> Self {
        Self(AtomicBool::new(true))
    }
}

impl Shelf {
    pub(crate) fn put(&self, id: &str, json: &str) {
        self.documents.lock().unwrap().insert(id.into(), Bytes::copy_from_slice(json.as_bytes()));
    }

    pub(crate) fn write(&self, documents: &[DocumentWrite]) {
        for document in documents {
            self.documents.lock().unwrap().insert(document.id.clone(), document.json.clone());
        }
    }

    pub(crate) fn json(&self, id: &str) -> String {
        String::from_utf8(self.documents.lock().unwrap()[id].to_vec()).unwrap()
    }

    pub(crate) fn loads(&self) -> usize {
        self.loads.load(SeqCst)
    }

    pub(crate) fn checkpoints(&self) -> usize {
        self.checkpoints.load(SeqCst)
    }
}

#[async_trait]
impl Documents for Shelf {
    async fn load(&self, id: &VconId) -> Result<LoadedDocument> {
        self.loads.fetch_add(1, SeqCst);
        if self.is_away.load(SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "cannot reach the store"));
        }
        let json = self.documents.lock().unwrap().get(id).cloned();
        match json {
            Some(json) => Ok(LoadedDocument::Text { json, encoding: Encoding::Json }),
            None => find_in_storages(&self.behind, id, None).await.map(LoadedDocument::Parsed),
        }
    }

    async fn checkpoint(&self, _entry: &Entry, document: &DocumentWrite) -> Result<bool> {
        let holds = !self.entry_is_gone.load(SeqCst);
        if holds {
            self.checkpoints.fetch_add(1, SeqCst);
            self.write(std::slice::from_ref(document));
        }
        Ok(holds)
    }

    fn may_write(&self) -> bool {
        self.lease_lasts.0.load(SeqCst)
    }
}
