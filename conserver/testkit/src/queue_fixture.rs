//! One backend of queue and store under test, with what the cases need beside the contracts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use conserver_core::directory::Directory;
use conserver_core::intake::Intake;
use conserver_core::queue::Queue;
use conserver_core::store::VconStore;
use conserver_core::story::Chronicle;
use conserver_core::vcon::VconId;
use conserver_core::{QueueName, WorkerId};

/// A backend, empty at first, in which documents live for [`VCON_EXPIRY`] and dead letters for [`DLQ_EXPIRY`].
#[async_trait]
pub trait QueueFixture: Send + Sync {
    /// The queue under test.
    fn queue(&self) -> Arc<dyn Queue>;

    /// The store under test.
    fn store(&self) -> Arc<dyn VconStore>;

    /// The doors of the pipeline, on the same data.
    fn intake(&self) -> Arc<dyn Intake>;

    /// What finds ids, on the same data.
    fn directory(&self) -> Arc<dyn Directory>;

    /// What remembers runs, on the same data.
    fn chronicle(&self) -> Arc<dyn Chronicle>;

    /// Lists an id by date as the Python server does after it read one from a storage: without its prefix. `false` if
    /// this backend has no such thing.
    async fn list_bare_id(&self, id: &VconId, created: i64) -> bool;

    /// Another instance on the same data, as another process has it.
    fn reopen(&self) -> Arc<dyn Queue>;

    /// How long a document still lives; `None`: for ever, or it is not there.
    async fn time_to_live(&self, id: &VconId) -> Option<Duration>;

    /// Which ids are found under a search key: `tel`, `mailto` or `name`.
    async fn found_under(&self, kind: &str, value: &str) -> Vec<VconId>;

    /// A number that grows with every write.
    async fn writes(&self) -> u64;

    /// Moves the end of a worker's lease into the past.
    async fn end_lease(&self, worker: &WorkerId);

    /// Puts something that is no list where a list should be; `false` if this backend has no such thing.
    async fn spoil_list(&self, list: &QueueName) -> bool;

    /// Puts something that is no document where a document should be; `false` if this backend has no such thing.
    async fn spoil_document(&self, id: &VconId) -> bool;

    /// Takes the other side away for the rest of the fixture's life; `false` if there is no other side.
    async fn outage(&mut self) -> bool;
}

/// How long documents live in a backend under test.
pub const VCON_EXPIRY: Duration = Duration::from_secs(3600);

/// How long dead letters live in a backend under test.
pub const DLQ_EXPIRY: Duration = Duration::from_secs(604_800);
