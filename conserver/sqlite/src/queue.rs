//! The queue: what it holds, and the contract, each method in the file of its subject.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use conserver_core::queue::{
    ClaimRequest, Claimed, Drained, Lease, LeaseKeeper, Letter, ListStatus, Paging, Queue, Recovered,
    Settled, Settlement, Strikes, WorkerInfo, WorkerStatus,
};
use conserver_core::vcon::VconId;
use conserver_core::{Error, ErrorKind, QueueName, Result, WorkerId};
use futures::future::BoxFuture;
use sqlx::Sqlite;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqlitePool;
use tokio::sync::OnceCell;

use crate::base::Place;
use crate::bell::{Bell, Ear};
use crate::clock::saturated;
use crate::error::classify;
use crate::lease::Keeper;
use crate::obstacle::Watch;
use crate::options::SqliteOptions;
use crate::presence::Identity;
use crate::session::Session;
use crate::settle::Terms;
use crate::writer::{Keep, Writer};

/// Without a bell, an idle worker looks this often.
const DEAF: Duration = Duration::from_millis(20);

/// Lists of ids and working copies of documents in one file.
///
/// It is cheap to make and opens the file when it is first used.
pub struct SqliteQueue {
    pub(crate) options: SqliteOptions,
    pub(crate) place: Place,
    shown: String,
    bell: Bell,
    base: OnceCell<Base>,
    /// Names this process to the sweeper's election.
    pub(crate) sweeper: String,
    pub(crate) watch: Watch,
    /// Whether the last claim found something.
    pub(crate) is_busy: AtomicBool,
}

/// The connections of a process.
pub(crate) struct Base {
    pub(crate) writer: Writer,
    readers: Mutex<(Identity, SqlitePool)>,
    place: Place,
    bell: Bell,
    ear: OnceLock<Option<Ear>>,
}

impl SqliteQueue {
    /// Nothing is opened yet.
    pub fn new(options: SqliteOptions) -> Self {
        let place = Place::new(&options.directory);
        Self {
            shown: format!("sqlite:{}", place.database().display()),
            bell: Bell::new(place.bell()),
            watch: Watch::new(&place),
            is_busy: AtomicBool::new(false),
            place,
            options,
            base: OnceCell::new(),
            sweeper: format!("{}:{:x}", std::process::id(), fastrand::u64(..)),
        }
    }

    /// Where the file lies, as messages call it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The connections; makes them, and the file, at the first call.
    pub(crate) async fn base(&self) -> Result<&Base> {
        let open = async || {
            let writer = Writer::start(self.place.clone(), self.bell.clone())
                .map_err(|cause| Error::new(ErrorKind::Unavailable, "cannot start a thread").source(cause))?;
            // Readers need the file to be there.
            writer.write(Keep::Soon, |_| Box::pin(async { Ok(()) })).await?;
            let place = self.place.clone();
            let readers = Mutex::new((place.lies_there().ok_or_else(|| place.gone())?, place.readers()));
            Ok(Base { writer, readers, place, bell: self.bell.clone(), ear: OnceLock::new() })
        };
        self.base.get_or_try_init(open).await
    }

    /// Does this in a transaction.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        keep: Keep,
        doing: &str,
        work: impl for<'s> FnOnce(&'s mut Session) -> BoxFuture<'s, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let base = self.base().await?;
        base.writer.write(keep, work).await.map_err(|error| error.context(doing))
    }

    pub(crate) fn terms(&self) -> Terms {
        Terms { document: saturated(self.options.vcon_expiry), letter: saturated(self.options.dlq_expiry) }
    }
}

impl Base {
    /// A connection to read with: it sees all that was committed to the file that lies there now.
    pub(crate) async fn reader(&self) -> Result<PoolConnection<Sqlite>> {
        let found = self.place.lies_there().ok_or_else(|| self.place.gone())?;
        let pool = {
            let mut readers = self.readers.lock().expect("no panic while held");
            if readers.0 != found {
                *readers = (found, self.place.readers());
            }
            readers.1.clone()
        };
        pool.acquire().await.map_err(|error| classify("read the database", error))
    }

    /// Begins to listen; must be called inside the runtime.
    pub(crate) fn listen(&self) {
        self.ear.get_or_init(|| self.bell.listen());
    }

    /// Waits until ids may have come, at most this long.
    pub(crate) async fn rung(&self, longest: Duration) {
        match self.ear.get() {
            Some(Some(ear)) => drop(tokio::time::timeout(longest, ear.hear()).await),
            _ => tokio::time::sleep(longest.min(DEAF)).await,
        }
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    async fn register(&self, worker: &WorkerInfo) -> Result<()> {
        self.register_worker(worker).await
    }

    async fn claim(&self, worker: &WorkerId, request: &ClaimRequest<'_>) -> Result<Claimed> {
        self.claim_ids(worker, request).await
    }

    async fn arrival(&self, longest: Duration) {
        let longest = longest.min(self.options.poll);
        match self.base().await {
            Ok(base) => base.rung(longest).await,
            Err(_) => tokio::time::sleep(longest).await,
        }
    }

    async fn settle(&self, worker: &WorkerId, batch: &[Settlement]) -> Result<Vec<Settled>> {
        self.settle_all(worker, batch).await
    }

    async fn holdings(&self, worker: &WorkerId) -> Result<Vec<Lease>> {
        self.held_by(worker).await
    }

    async fn recover(&self, dead: &WorkerId, strikes: &Strikes) -> Result<Recovered> {
        self.recover_worker(dead, strikes).await
    }

    async fn workers(&self) -> Result<Vec<WorkerStatus>> {
        self.all_workers().await
    }

    fn keeper(&self, worker: &WorkerId) -> Result<Box<dyn LeaseKeeper>> {
        Ok(Box::new(Keeper::new(self.place.clone(), self.bell.clone(), worker.clone(), self.terms())))
    }

    async fn push(&self, list: &QueueName, ids: &[VconId]) -> Result<u64> {
        self.push_ids(list, ids).await
    }

    async fn peek(&self, list: &QueueName, count: usize) -> Result<Vec<VconId>> {
        self.peek_ids(list, count).await
    }

    async fn status(&self, lists: &[QueueName]) -> Result<Vec<ListStatus>> {
        self.list_status(lists).await
    }

    async fn lists(&self) -> Result<Vec<(QueueName, u64)>> {
        self.lists_of_vcons().await
    }

    async fn why_delayed(&self, list: &QueueName) -> Result<Option<String>> {
        self.last_error_of_delayed(list).await
    }

    async fn set_paused(&self, list: &QueueName, paused: bool) -> Result<bool> {
        self.pause_list(list, paused).await
    }

    async fn dead_letters(&self, dlq: &QueueName, paging: Paging) -> Result<Vec<Letter>> {
        self.letters(dlq, paging).await
    }

    async fn replay(&self, dlq: &QueueName, letters: &[VconId], target: &QueueName) -> Result<usize> {
        self.move_letters(dlq, letters, Some(target)).await
    }

    async fn discard(&self, dlq: &QueueName, letters: &[VconId]) -> Result<usize> {
        self.move_letters(dlq, letters, None).await
    }

    async fn drain(&self, lists: &[QueueName]) -> Result<Drained> {
        self.drain_lists(lists).await
    }

    async fn sweep(&self, lists: &[QueueName], dlqs: &[QueueName]) -> Result<Option<u64>> {
        self.sweep_lists(lists, dlqs).await
    }
}
