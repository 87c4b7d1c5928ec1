//! A database of its own for each test.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use conserver_core::Secret;
use conserver_core::registry::{BuildContext, StorageKind};
use conserver_core::storage::Storage;
use conserver_core::vcon::{Limits, Vcon, VconId};
use conserver_storage_postgres::{Postgres, PostgresOptions};
use conserver_testkit::postgres::{Database, PASSWORD, PostgresServer, USER};
use conserver_testkit::storage_suite::StorageFixture;
pub(crate) use conserver_testkit::storage_suite::{save, try_save};
use conserver_testkit::vcons::Vcons;

pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) options: PostgresOptions,
    pub(crate) storage: Arc<dyn Storage>,
}

impl Fixture {
    /// A database of the shared server.
    pub(crate) fn new() -> Self {
        Self::on(PostgresServer::shared().create_database(), |_| {})
    }

    /// A storage in this database.
    pub(crate) fn on(database: Database, change: impl FnOnce(&mut PostgresOptions)) -> Self {
        let mut options = PostgresOptions {
            host: "127.0.0.1".to_owned(),
            port: database.port,
            database: database.name.clone(),
            user: USER.to_owned(),
            password: Secret::new(PASSWORD),
            pool_size: 4,
            connect_timeout: Duration::from_secs(2),
            ..PostgresOptions::default()
        };
        change(&mut options);
        let storage = build(&options, &BuildContext::new("archive"));
        Self { database, options, storage }
    }

    /// The same with copies in the legacy format.
    pub(crate) fn legacy_egress(&mut self) {
        let mut cx = BuildContext::new("archive");
        cx.legacy_egress = true;
        self.storage = build(&self.options, &cx);
    }
}

fn build(options: &PostgresOptions, cx: &BuildContext) -> Arc<dyn Storage> {
    assert_eq!(Postgres::check(options), Vec::<String>::new());
    Postgres::build(options.clone(), cx).unwrap()
}

/// A vCon with a number that no column can hold.
pub(crate) fn refused() -> Vcon {
    let mut call = Vcons::new(99).call();
    call["x-number"] = serde_json::json!(4711);
    let text = call.to_string().replace("4711", "1e-400000");
    let id = VconId::new(call["uuid"].as_str().unwrap());
    Vcon::parse(id, text.into_bytes().into(), &Limits::default()).unwrap()
}

#[async_trait]
impl StorageFixture for Fixture {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.storage)
    }

    async fn reopen(&self) -> Arc<dyn Storage> {
        build(&self.options, &BuildContext::new("archive"))
    }

    fn refused(&self) -> Vcon {
        refused()
    }

    async fn spoil(&self, id: &VconId) {
        self.database.psql(&format!("UPDATE vcons SET vcon_json = '[1]' WHERE id = '{id}'"));
    }

    async fn outage(&mut self) {
        // The server is shared: only this database goes away. Tests of their own stop a whole server.
        let name = &self.database.name;
        let admin = PostgresServer::shared().database("postgres");
        admin.psql(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
        admin.psql(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        ));
    }
}
