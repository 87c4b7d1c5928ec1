//! A private Redis with a queue on it, and a plain connection to look behind the queue's back.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use conserver_core::directory::Directory;
use conserver_core::intake::Intake;
use conserver_core::queue::Queue;
use conserver_core::store::VconStore;
use conserver_core::story::Chronicle;
use conserver_core::vcon::VconId;
use conserver_core::{QueueName, Secret, WorkerId};
use conserver_redis::{RedisOptions, RedisQueue};
use conserver_testkit::queue_suite::QueueFixture;
use conserver_testkit::redis::{AppendOnly, RedisOptions as ServerOptions, RedisServer};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue};

/// A server, the queue on it, and a connection of the test's own.
pub struct Bench {
    pub server: RedisServer,
    pub redis: Arc<RedisQueue>,
    pub raw: MultiplexedConnection,
}

impl Bench {
    /// A server that keeps nothing on disk: most tests do not restart it.
    pub async fn new() -> Self {
        Self::with(&[], |_| ()).await
    }

    /// On which documents follow the script that settles, however few they are.
    pub async fn following() -> Self {
        Self::with(&[], |options| options.follow_from = 0).await
    }

    /// Both ways in which documents travel.
    pub async fn both() -> [Self; 2] {
        [Self::new().await, Self::following().await]
    }

    /// With more arguments for the server and other options of the queue.
    pub async fn with(args: &[&str], change: impl FnOnce(&mut RedisOptions)) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        Self::on(ServerOptions { append_only: AppendOnly::No, tls: false, args }, change).await
    }

    /// On a server started this way.
    pub async fn on(server: ServerOptions, change: impl FnOnce(&mut RedisOptions)) -> Self {
        let server = RedisServer::start_with(server);
        let mut options = RedisOptions::new(Secret::new(server.url()));
        change(&mut options);
        let redis = Arc::new(RedisQueue::new(options).expect("the address is fine"));
        let raw = connect(&server.url()).await;
        Self { server, redis, raw }
    }

    /// The queue as its contract.
    pub fn queue(&self) -> Arc<dyn Queue> {
        self.redis.clone()
    }

    /// The store as its contract.
    pub fn store(&self) -> Arc<dyn VconStore> {
        self.redis.clone()
    }

    /// One command, its parts separated by spaces.
    pub async fn run<T: FromRedisValue>(&self, line: &str) -> T {
        self.words(&line.split(' ').collect::<Vec<_>>()).await
    }

    /// Everything that is there: keys with their types and values, the times to live left out.
    pub async fn snapshot(&self) -> BTreeMap<String, String> {
        let mut keys: Vec<String> = self.run("KEYS *").await;
        keys.sort();
        let mut all = BTreeMap::new();
        for key in keys {
            let kind: String = self.words(&["TYPE", &key]).await;
            let mut value: Vec<String> = match kind.as_str() {
                "string" => vec![self.words(&["GET", &key]).await],
                "list" => self.words(&["LRANGE", &key, "0", "-1"]).await,
                "hash" => self.words(&["HGETALL", &key]).await,
                "set" => self.words(&["SMEMBERS", &key]).await,
                _ => self.words(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]).await,
            };
            if kind == "set" {
                value.sort();
            }
            all.insert(key, format!("{kind} {value:?}"));
        }
        all
    }

    /// Puts something else where one of our keys should be.
    pub async fn spoil(&self, key: &str) {
        let _: i64 = self.words(&["DEL", key]).await;
        if matches!(key, "cs:seq" | "cs:sweeper") || key.starts_with("cs:lane:") {
            let _: i64 = self.words(&["RPUSH", key, "not", "ours"]).await;
        } else {
            let _: () = self.words(&["SET", key, "not ours"]).await;
        }
    }

    /// One command of these words.
    pub async fn words<T: FromRedisValue>(&self, words: &[&str]) -> T {
        ask(&self.raw, words).await
    }
}

/// One command on a connection.
pub async fn ask<T: FromRedisValue>(raw: &MultiplexedConnection, words: &[&str]) -> T {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command.query_async(&mut raw.clone()).await.unwrap_or_else(|e| panic!("{words:?}: {e}"))
}

/// A plain connection.
pub async fn connect(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).expect("the address is fine");
    client.get_multiplexed_async_connection().await.expect("the server is up")
}

#[async_trait]
impl QueueFixture for Bench {
    fn queue(&self) -> Arc<dyn Queue> {
        self.redis.clone()
    }

    fn store(&self) -> Arc<dyn VconStore> {
        self.redis.clone()
    }

    fn intake(&self) -> Arc<dyn Intake> {
        self.redis.clone()
    }

    fn directory(&self) -> Arc<dyn Directory> {
        self.redis.clone()
    }

    fn chronicle(&self) -> Arc<dyn Chronicle> {
        self.redis.clone()
    }

    async fn list_bare_id(&self, id: &VconId, created: i64) -> bool {
        self.words::<i64>(&["ZADD", "vcons", &created.to_string(), id.as_str()]).await == 1
    }

    fn reopen(&self) -> Arc<dyn Queue> {
        let options = RedisOptions::new(Secret::new(self.server.url()));
        Arc::new(RedisQueue::new(options).expect("the address is fine"))
    }

    async fn time_to_live(&self, id: &VconId) -> Option<Duration> {
        let left: i64 = self.words(&["PTTL", &format!("vcon:{id}")]).await;
        u64::try_from(left).ok().map(Duration::from_millis)
    }

    async fn found_under(&self, kind: &str, value: &str) -> Vec<VconId> {
        let ids: Vec<String> = self.words(&["SMEMBERS", &format!("{kind}:{value}")]).await;
        ids.into_iter().map(VconId::from).collect()
    }

    async fn writes(&self) -> u64 {
        let info: String = self.run("INFO persistence").await;
        let changes = info.lines().find_map(|line| line.strip_prefix("rdb_changes_since_last_save:"));
        changes.and_then(|n| n.trim().parse().ok()).expect("Redis counts its changes")
    }

    async fn end_lease(&self, worker: &WorkerId) {
        let (seconds, micros): (i64, i64) = self.run("TIME").await;
        let just_now = (seconds * 1000 + micros / 1000 - 1).to_string();
        let _: i64 = self.words(&["ZADD", "cs:workers", "XX", "CH", &just_now, worker.as_str()]).await;
    }

    async fn spoil_list(&self, list: &QueueName) -> bool {
        let _: () = self.words(&["SET", list.as_str(), "no list"]).await;
        true
    }

    async fn spoil_document(&self, id: &VconId) -> bool {
        let _: i64 = self.words(&["HSET", &format!("vcon:{id}"), "no", "document"]).await;
        true
    }

    async fn outage(&mut self) -> bool {
        self.server.kill();
        true
    }
}
