//! The working copies: `vcon:<id>` as JSON text, or as a document of the JSON module where another program wrote
//! it so. It is read either way and written back the way it was found.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use conserver_core::queue::Entry;
use conserver_core::store::{DocumentWrite, Encoding, IndexKeys, Loaded, VconStore};
use conserver_core::vcon::{Vcon, VconId, View};
use conserver_core::{Error, ErrorKind, Result, WorkerId};
use redis::{Pipeline, Value};

use crate::error::classify;
use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::{count, text, unexpected};
use crate::settle::millis;

/// What the server calls a document of its JSON module.
const JSON: &str = "ReJSON-RL";

impl RedisQueue {
    /// Reads documents that are not plain strings, each by its type: two round trips for all of them.
    async fn load_odd(&self, ids: &[&VconId]) -> Result<Vec<Loaded>> {
        let keys: Vec<String> = ids.iter().map(|id| keys::document(id)).collect();
        let mut look = redis::pipe();
        for key in &keys {
            look.cmd("TYPE").arg(key);
        }
        let kinds: Vec<String> =
            self.reading.all("look at documents", &look).await?.into_iter().filter_map(text).collect();
        let mut read = redis::pipe();
        for (key, kind) in keys.iter().zip(&kinds) {
            match kind.as_str() {
                JSON => read.cmd("JSON.GET").arg(key).arg("."),
                // Written between the two looks, or gone by now.
                _ => read.cmd("GET").arg(key),
            };
        }
        let values = self.reading.pipeline("read documents by their types", &read).await?;
        let loaded =
            keys.iter().zip(kinds).zip(values).map(|((key, kind), value)| match (kind.as_str(), value) {
                (JSON, Value::BulkString(json)) => {
                    Ok(Loaded::Found { json: json.into(), encoding: Encoding::Json })
                }
                (JSON, Value::SimpleString(json)) => {
                    Ok(Loaded::Found { json: json.into(), encoding: Encoding::Json })
                }
                (JSON | "none" | "string", Value::ServerError(error)) => {
                    Err(classify("read a document", error.into()))
                }
                (JSON | "none" | "string", value) => Ok(found(value)),
                (other, _) => {
                    let says = format!("`{key}` holds a {other}, not a document");
                    Ok(Loaded::Unreadable(Error::new(ErrorKind::WrongType, says)))
                }
            });
        loaded.collect()
    }

    /// The commands that make a document findable.
    fn add_index(&self, pipeline: &mut Pipeline, id: &VconId, found_under: &IndexKeys) {
        if let Some(created) = found_under.created {
            pipeline.cmd("ZADD").arg(&self.options.sorted_set).arg(created).arg(keys::document(id)).ignore();
        }
        for key in index_sets(found_under) {
            pipeline.cmd("SADD").arg(&key).arg(id.as_str()).ignore();
            pipeline.cmd("EXPIRE").arg(&key).arg(self.options.index_expiry.as_secs().max(1)).ignore();
        }
    }
}

/// The sets that a document is found under.
pub(crate) fn index_sets(found_under: &IndexKeys) -> impl Iterator<Item = String> + '_ {
    let named = [("tel", &found_under.tel), ("mailto", &found_under.mailto), ("name", &found_under.name)];
    named.into_iter().flat_map(|(kind, values)| values.iter().map(move |value| format!("{kind}:{value}")))
}

fn found(value: Value) -> Loaded {
    match value {
        Value::BulkString(json) => Loaded::Found { json: Bytes::from(json), encoding: Encoding::Text },
        _ => Loaded::Missing,
    }
}

#[async_trait]
impl VconStore for RedisQueue {
    async fn load(&self, ids: &[VconId]) -> Result<Vec<Loaded>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let doing = "read documents";
        let mut command = redis::cmd("MGET");
        for id in ids {
            command.arg(keys::document(id));
        }
        let Value::Array(values) = self.reading.command(doing, &command).await? else {
            return Err(unexpected("MGET"));
        };
        // MGET answers nil for every key that is no string.
        let odd: Vec<&VconId> =
            ids.iter().zip(&values).filter(|(_, value)| **value == Value::Nil).map(|(id, _)| id).collect();
        let mut odd = self.load_odd(&odd).await?.into_iter();
        let next = |value| match value {
            Value::Nil => odd.next().ok_or_else(|| unexpected("TYPE")),
            value => Ok(found(value)),
        };
        values.into_iter().map(next).collect()
    }

    async fn put(&self, vcon: &Vcon, ttl: Option<Duration>) -> Result<()> {
        let doing = "store a vCon";
        let key = keys::document(vcon.id());
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        let json = vcon.render(View::Stored);
        pipeline.cmd("SET").arg(&key).arg(&json[..]);
        if let Some(ttl) = ttl {
            pipeline.arg("PX").arg(millis(ttl).max(1));
        }
        pipeline.ignore();
        self.add_index(&mut pipeline, vcon.id(), &IndexKeys::of(vcon));
        self.client.transaction(doing, &pipeline).await.map(drop)
    }

    async fn restore(&self, vcon: &Vcon, ttl: Option<Duration>) -> Result<()> {
        let mut pipeline = redis::pipe();
        let json = vcon.render(View::Stored);
        pipeline.cmd("SET").arg(keys::document(vcon.id())).arg(&json[..]).arg("NX");
        if let Some(ttl) = ttl {
            pipeline.arg("PX").arg(millis(ttl).max(1));
        }
        self.add_index(
            &mut pipeline,
            vcon.id(),
            &IndexKeys { created: vcon.created_unix(), ..IndexKeys::default() },
        );
        self.client.all("bring a stored vCon back", &pipeline).await.map(drop)
    }

    async fn checkpoint(&self, worker: &WorkerId, entry: &Entry, document: &DocumentWrite) -> Result<bool> {
        let doing = "save a document in the middle of a run";
        let staged = self.stage(worker, document).await?;
        let mut command = self.scripts.checkpoint.call();
        command
            .arg(worker.as_str())
            .arg(entry.list.as_str())
            .arg(format!("{}|{}", entry.token, entry.id))
            .arg(millis(self.options.vcon_expiry))
            .arg(document.id.as_str())
            .arg(staged.mode())
            .arg(staged.payload());
        match self.client.script(doing, &self.scripts.checkpoint, &command).await? {
            Value::Int(1) => Ok(true),
            Value::Int(0) => Ok(false),
            Value::Int(_) => {
                Err(Error::new(ErrorKind::Unavailable, "a staged document vanished before it was saved"))
            }
            other => Err(Error::new(ErrorKind::WrongType, text(other).unwrap_or_default()).context(doing)),
        }
    }

    async fn index(&self, id: &VconId, found_under: &IndexKeys) -> Result<()> {
        let mut pipeline = redis::pipe();
        self.add_index(&mut pipeline, id, found_under);
        self.client.all("index a vCon", &pipeline).await.map(drop)
    }

    async fn delete(&self, id: &VconId) -> Result<bool> {
        let doing = "delete a vCon";
        let mut pipeline = redis::pipe();
        // The document says under which keys it is found; one that cannot be read leaves only its own entry.
        if let Some(Loaded::Found { json, .. }) = self.load(std::slice::from_ref(id)).await?.pop()
            && let Ok(vcon) = Vcon::parse(id.clone(), json, &Default::default())
        {
            for key in index_sets(&IndexKeys::of(&vcon)) {
                pipeline.cmd("SREM").arg(key).arg(id.as_str());
            }
        }
        pipeline.cmd("ZREM").arg(&self.options.sorted_set).arg(keys::document(id)).arg(id.as_str());
        pipeline.cmd("DEL").arg(keys::document(id));
        let answers = self.client.all(doing, &pipeline).await?;
        Ok(answers.last().is_some_and(|deleted| count(deleted) == 1))
    }
}
