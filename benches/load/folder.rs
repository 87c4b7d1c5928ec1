//! A folder with documents in an embedded file, and the daemon on it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use conserver_core::intake::{Arrival, Intake};
use conserver_core::queue::Queue;
use conserver_core::store::IndexKeys;
use conserver_core::vcon::VconId;
use conserver_sqlite::{SqliteOptions, SqliteQueue};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::instance::Daemon;

/// One for each measurement.
pub(crate) struct Folder {
    folder: TempDir,
    queue: SqliteQueue,
    runtime: Runtime,
    /// Of the documents in it.
    pub(crate) ids: Vec<VconId>,
}

impl Folder {
    /// Stores `n` documents, these by turns, each under an id of its own.
    pub(crate) fn prepare(documents: &[Vec<u8>], n: usize) -> anyhow::Result<Self> {
        // Not where temporary files may lie in memory.
        let folder = tempfile::tempdir_in(std::env::current_dir()?)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let queue = SqliteQueue::new(SqliteOptions::new(folder.path()));
        let ids: Vec<VconId> =
            (0..n).map(|i| VconId::new(format!("0198a5c0-0000-8000-8000-{i:012x}"))).collect();
        let arrivals: Vec<Arrival> = ids
            .iter()
            .zip(documents.iter().cycle())
            .map(|(id, document)| Arrival {
                id: id.clone(),
                json: document.clone().into(),
                keys: IndexKeys::default(),
                ttl: Some(Duration::from_secs(3600)),
                lists: Vec::new(),
                context: None,
                once: None,
            })
            .collect();
        for page in arrivals.chunks(500) {
            for answer in runtime.block_on(queue.accept(page)) {
                answer?;
            }
        }
        Ok(Self { folder, queue, runtime, ids })
    }

    /// The file of the database.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("conserver.db")
    }

    /// Puts ids on a list, many at a time.
    pub(crate) fn push(&self, list: &str, ids: &[VconId]) -> anyhow::Result<()> {
        for page in ids.chunks(5000) {
            self.runtime.block_on(self.queue.push(&list.into(), page))?;
        }
        Ok(())
    }

    /// Waits until a list has this many ids.
    pub(crate) fn wait_for(&self, list: &str, n: usize, limit: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let done = self.runtime.block_on(self.queue.push(&list.into(), &[]))?;
            if done >= n as u64 {
                return Ok(());
            }
            anyhow::ensure!(start.elapsed() < limit, "only {done} of {n} came to `{list}` within {limit:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts the daemon on this configuration (without its `data_dir:`) and waits until its workers claim.
    pub(crate) fn daemon(&self, config: &str, workers: usize) -> anyhow::Result<Daemon> {
        let file = self.folder.path().join("chains.yaml");
        fs::write(&file, format!("conserver: 1\ndata_dir: {}\n{config}", self.folder.path().display()))?;
        let daemon = Daemon::start(&file, workers)?;
        let start = Instant::now();
        while self.runtime.block_on(self.queue.workers())?.len() < workers {
            anyhow::ensure!(
                start.elapsed() < Duration::from_secs(20),
                "the workers did not register within 20 s"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(daemon)
    }
}
