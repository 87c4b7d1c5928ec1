//! Redis as any other program sees it: plain commands on the public keys, and a look at ours.
//!
//! Each call has a connection of its own, so that a server that was away is simply there again.

use std::collections::BTreeMap;

use redis::{Commands, Connection, RedisResult};
use serde_json::Value;

/// A Redis.
#[derive(Clone)]
pub(crate) struct Db {
    client: redis::Client,
}

impl Db {
    pub(crate) fn new(url: &str) -> Self {
        Self { client: redis::Client::open(url).expect("a Redis URL") }
    }

    /// A connection, for what has no method here.
    pub(crate) fn connect(&self) -> Connection {
        self.client.get_connection().expect("Redis is there")
    }

    /// Runs something that may fail, because Redis is away.
    pub(crate) fn attempt<T>(&self, ask: impl FnOnce(&mut Connection) -> RedisResult<T>) -> RedisResult<T> {
        ask(&mut self.client.get_connection()?)
    }

    /// Stores a document as producers do, `SET vcon:<id>`; answers its id.
    pub(crate) fn put(&self, document: &Value) -> String {
        let id = id_of(document);
        let () = self.connect().set(format!("vcon:{id}"), document.to_string()).unwrap();
        id
    }

    pub(crate) fn push(&self, list: &str, ids: &[&str]) {
        let () = self.connect().rpush(list, ids).unwrap();
    }

    /// A whole list.
    pub(crate) fn list(&self, list: &str) -> Vec<String> {
        self.connect().lrange(list, 0, -1).unwrap()
    }

    pub(crate) fn len(&self, list: &str) -> usize {
        self.connect().llen(list).unwrap()
    }

    /// The working copy of a document.
    pub(crate) fn document(&self, id: &str) -> Option<Value> {
        let json: Option<String> = self.connect().get(format!("vcon:{id}")).unwrap();
        json.map(|json| serde_json::from_str(&json).unwrap())
    }

    /// What is known of a dead letter.
    pub(crate) fn letter(&self, dlq: &str, id: &str) -> BTreeMap<String, String> {
        self.connect().hgetall(format!("cs:dlq:{dlq}:{id}")).unwrap()
    }

    /// Keys of a pattern.
    pub(crate) fn keys(&self, pattern: &str) -> Vec<String> {
        let options = redis::ScanOptions::default().with_pattern(pattern).with_count(5000);
        let mut connection = self.connect();
        let mut keys: Vec<String> = connection.scan_options(options).unwrap().map(Result::unwrap).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// The registered workers, or that of one process.
    pub(crate) fn workers(&self, pid: Option<u32>) -> Vec<String> {
        let all: Vec<String> = self.connect().zrange("cs:workers", 0, -1).unwrap();
        let of_pid = |worker: &String| pid.is_none_or(|pid| worker.contains(&format!(":{pid}:")));
        all.into_iter().filter(of_pid).collect()
    }

    /// How many ids are in flight with one process, or with all.
    pub(crate) fn in_flight(&self, pid: Option<u32>) -> usize {
        self.held(pid).len()
    }

    /// The ids that are in flight with one process, or with all.
    pub(crate) fn held(&self, pid: Option<u32>) -> Vec<String> {
        let mut connection = self.connect();
        let mut held = Vec::new();
        for worker in self.workers(pid) {
            let lists: Vec<String> = connection.smembers(format!("cs:wl:{worker}")).unwrap();
            for list in lists {
                let entries: Vec<String> =
                    connection.lrange(format!("cs:infl:{{{list}}}:{worker}"), 0, -1).unwrap();
                held.extend(entries.iter().map(|entry| entry.split_once('|').unwrap().1.to_owned()));
            }
        }
        held
    }

    /// Keys of ours that hold ids: in flight, busy, parked, delayed, suspect, staged, stray. Redis drops empty ones.
    pub(crate) fn left(&self) -> Vec<(String, usize)> {
        let lasting = ["cs:format", "cs:seq", "cs:workers", "cs:sweeper", "cs:notes"];
        let kept = |key: &String| {
            !lasting.contains(&key.as_str())
                && !["cs:w:", "cs:wl:", "cs:dlq:", "cs:lane:", "cs:story:"].iter().any(|p| key.starts_with(p))
        };
        self.keys("cs:*")
            .into_iter()
            .filter(kept)
            .map(|key| (self.size(&key), key))
            .map(|(n, k)| (k, n))
            .collect()
    }

    fn size(&self, key: &str) -> usize {
        let mut connection = self.connect();
        let kind: String = redis::cmd("TYPE").arg(key).query(&mut connection).unwrap();
        match kind.as_str() {
            "list" => connection.llen(key).unwrap(),
            "hash" => connection.hlen(key).unwrap(),
            "set" => connection.scard(key).unwrap(),
            "zset" => connection.zcard(key).unwrap(),
            "none" => 0,
            _ => 1,
        }
    }
}

/// The id of a generated document.
pub(crate) fn id_of(document: &Value) -> String {
    document["uuid"].as_str().expect("a generated vCon has a `uuid`").to_owned()
}
