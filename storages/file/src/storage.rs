//! The contract, with the blocking work taken off the async threads: one call for each batch.

use std::sync::Arc;

use async_trait::async_trait;
use conserver_core::storage::{Storage, StorageInfo};
use conserver_core::vcon::{Vcon, VconId};
use conserver_core::{Error, ErrorKind, Result};

use crate::archive::Archive;
use crate::options::FileOptions;

/// How many vCons one save takes: enough to share the syncs of folders.
const MAX_BATCH: usize = 64;

/// A folder of vCons.
#[derive(Debug)]
pub struct FileStorage {
    // Shared with the work under way on blocking threads, which goes on when a caller stops waiting.
    archive: Arc<Archive>,
}

impl FileStorage {
    /// A storage in the folder that the options name. It is not touched yet.
    pub fn new(options: FileOptions) -> Self {
        Self { archive: Arc::new(Archive::new(options)) }
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&Archive) -> T + Send + 'static) -> Result<T> {
        let archive = Arc::clone(&self.archive);
        let done = tokio::task::spawn_blocking(move || work(&archive)).await;
        done.map_err(|error| Error::new(ErrorKind::Internal, "the work on files was cut short").source(error))
    }
}

#[async_trait]
impl Storage for FileStorage {
    fn info(&self) -> StorageInfo {
        StorageInfo::new("file").batch(MAX_BATCH)
    }

    async fn save(&self, batch: &[Vcon]) -> Vec<Result<()>> {
        let vcons = batch.to_vec();
        match self.run(move |archive| archive.save(&vcons)).await {
            Ok(results) => results,
            Err(error) => {
                let message = error.chain();
                batch.iter().map(|_| Err(Error::new(ErrorKind::Internal, message.clone()))).collect()
            }
        }
    }

    async fn get(&self, id: &VconId) -> Result<Option<Vcon>> {
        let id = id.clone();
        self.run(move |archive| archive.get(&id)).await?
    }

    async fn delete(&self, id: &VconId) -> Result<bool> {
        let id = id.clone();
        self.run(move |archive| archive.delete(&id)).await?
    }

    async fn check(&self) -> Result<()> {
        self.run(Archive::check).await?
    }
}
