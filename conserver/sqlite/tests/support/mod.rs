//! A folder with a queue in it, and a plain connection to look behind the queue's back.
#![allow(dead_code, reason = "each test binary uses a part")]

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
use conserver_sqlite::{SqliteOptions, SqliteQueue};
use conserver_testkit::queue_suite::QueueFixture;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use tempfile::TempDir;

/// A folder, the queue in it, and connections of the test's own.
pub struct Bench {
    pub sqlite: Arc<SqliteQueue>,
    pub raw: SqlitePool,
    pub folder: TempDir,
}

impl Bench {
    /// An empty one.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let sqlite = Arc::new(SqliteQueue::new(SqliteOptions::new(folder.path())));
        // The file is there from now on.
        sqlite.workers().await.expect("the file can be made");
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("conserver.db"))
            .busy_timeout(Duration::from_secs(60));
        // One connection, so that what it sees of changes is one account.
        let raw = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
        Self { sqlite, raw, folder }
    }

    /// Another instance on the same file, as another process has it.
    pub fn other(&self) -> Arc<SqliteQueue> {
        Arc::new(SqliteQueue::new(SqliteOptions::new(self.folder.path())))
    }

    /// One number.
    pub async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.raw).await.unwrap()
    }

    /// One change.
    pub async fn change(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.raw).await.unwrap();
    }
}

/// Rounded up, as the file has it: rounded down, what was written just now would lie in the future.
fn now() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos().div_ceil(1_000_000).try_into().unwrap()
}

#[async_trait]
impl QueueFixture for Bench {
    fn queue(&self) -> Arc<dyn Queue> {
        self.sqlite.clone()
    }

    fn store(&self) -> Arc<dyn VconStore> {
        self.sqlite.clone()
    }

    fn intake(&self) -> Arc<dyn Intake> {
        self.sqlite.clone()
    }

    fn directory(&self) -> Arc<dyn Directory> {
        self.sqlite.clone()
    }

    fn chronicle(&self) -> Arc<dyn Chronicle> {
        self.sqlite.clone()
    }

    async fn list_bare_id(&self, _id: &VconId, _created: i64) -> bool {
        false
    }

    fn reopen(&self) -> Arc<dyn Queue> {
        self.other()
    }

    async fn time_to_live(&self, id: &VconId) -> Option<Duration> {
        let expires = sqlx::query_scalar::<_, Option<i64>>("SELECT expires FROM document WHERE id = ?");
        let expires = expires.bind(id.as_str()).fetch_optional(&self.raw).await.unwrap().flatten()?;
        u64::try_from(expires - now()).ok().map(Duration::from_millis)
    }

    async fn found_under(&self, kind: &str, value: &str) -> Vec<VconId> {
        let ids = sqlx::query_scalar::<_, String>("SELECT id FROM found WHERE kind = ? AND value = ?");
        let ids = ids.bind(kind).bind(value).fetch_all(&self.raw).await.unwrap();
        ids.into_iter().map(VconId::from).collect()
    }

    async fn writes(&self) -> u64 {
        // Grows with each commit of another connection that changed anything.
        self.number("PRAGMA data_version").await.cast_unsigned()
    }

    async fn end_lease(&self, worker: &WorkerId) {
        let end =
            sqlx::query("UPDATE worker SET lease = ? WHERE name = ?").bind(now() - 1).bind(worker.as_str());
        assert_eq!(end.execute(&self.raw).await.unwrap().rows_affected(), 1);
    }

    async fn spoil_list(&self, _list: &QueueName) -> bool {
        false
    }

    async fn spoil_document(&self, _id: &VconId) -> bool {
        false
    }

    async fn outage(&mut self) -> bool {
        false
    }
}
