//! A server of its own for each test, and a plain connection to look behind the storage's back.

use std::sync::Arc;

use async_trait::async_trait;
use conserver_core::Secret;
use conserver_core::registry::{BuildContext, StorageKind};
use conserver_core::storage::Storage;
use conserver_core::vcon::{Vcon, VconId};
use conserver_storage_redis::{RedisStorage, RedisStorageOptions};
use conserver_testkit::redis::{AppendOnly, RedisOptions, RedisServer};
use conserver_testkit::storage_suite::StorageFixture;
pub(crate) use conserver_testkit::storage_suite::{save, try_save};
use conserver_testkit::vcons::{Vcons, vcon};
use redis::FromRedisValue;

/// More than any document of the suite has, and little enough to go beyond.
const MAX_SIZE: u64 = 2 << 20;

pub(crate) struct Fixture {
    pub(crate) server: RedisServer,
    pub(crate) options: RedisStorageOptions,
    pub(crate) storage: Arc<dyn Storage>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(&[], |_| ())
    }

    /// With more arguments for the server, and other options.
    pub(crate) fn with(args: &[&str], change: impl FnOnce(&mut RedisStorageOptions)) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let server = RedisOptions { append_only: AppendOnly::No, tls: false, args };
        Self::on(RedisServer::start_with(server), change)
    }

    /// On this server, which is also the one with the lists.
    pub(crate) fn on(server: RedisServer, change: impl FnOnce(&mut RedisStorageOptions)) -> Self {
        let mut options = RedisStorageOptions { max_size: MAX_SIZE, ..RedisStorageOptions::default() };
        change(&mut options);
        let storage = build(&server, &options);
        Self { server, options, storage }
    }

    /// One command, behind the storage's back.
    pub(crate) fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(self.server.url()).unwrap();
        let mut connection = client.get_connection().expect("the server is up");
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut connection).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }
}

fn build(server: &RedisServer, options: &RedisStorageOptions) -> Arc<dyn Storage> {
    assert_eq!(RedisStorage::check(options), Vec::<String>::new());
    let mut cx = BuildContext::new("cache");
    cx.redis = Some(Secret::new(server.url()));
    RedisStorage::build(options.clone(), &cx).unwrap()
}

/// Where the storage keeps this id.
pub(crate) fn key(id: &VconId) -> String {
    format!("vcon_storage:{id}")
}

#[async_trait]
impl StorageFixture for Fixture {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.storage)
    }

    async fn reopen(&self) -> Arc<dyn Storage> {
        build(&self.server, &self.options)
    }

    fn refused(&self) -> Vcon {
        vcon(&Vcons::new(99).with_audio(MAX_SIZE as usize))
    }

    async fn spoil(&self, id: &VconId) {
        self.ask::<()>(&["SET", &key(id), "[1]"]);
    }

    async fn outage(&mut self) {
        self.server.kill();
    }
}
