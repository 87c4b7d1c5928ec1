//! The documents of a trial, in memory: what the store is to a worker.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use conserver_core::chain::{Documents, LoadedDocument};
use conserver_core::queue::Entry;
use conserver_core::store::{DocumentWrite, Encoding};
use conserver_core::vcon::VconId;
use conserver_core::{Error, ErrorKind, Result};

pub(super) struct Shelf {
    documents: Mutex<HashMap<VconId, Bytes>>,
}

impl Shelf {
    pub(super) fn new(id: VconId, json: Bytes) -> Self {
        Self { documents: Mutex::new(HashMap::from([(id, json)])) }
    }

    /// The document as it is now; nothing if there is none.
    pub(super) fn document(&self, id: &VconId) -> Bytes {
        self.documents.lock().expect("no panic while held").get(id).cloned().unwrap_or_default()
    }

    pub(super) fn put(&self, document: &DocumentWrite) {
        let mut documents = self.documents.lock().expect("no panic while held");
        documents.insert(document.id.clone(), document.json.clone());
    }
}

#[async_trait]
impl Documents for Shelf {
    async fn load(&self, id: &VconId) -> Result<LoadedDocument> {
        let json = self.document(id);
        if json.is_empty() {
            let says = format!("`{id}` is none of the files that are tried");
            return Err(Error::new(ErrorKind::Missing, says));
        }
        Ok(LoadedDocument::Text { json, encoding: Encoding::default() })
    }

    async fn checkpoint(&self, _entry: &Entry, document: &DocumentWrite) -> Result<bool> {
        self.put(document);
        Ok(true)
    }

    fn may_write(&self) -> bool {
        true
    }
}
