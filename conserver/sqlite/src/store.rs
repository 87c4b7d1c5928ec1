//! The working copies: JSON text by id.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use conserver_core::queue::Entry;
use conserver_core::store::{DocumentWrite, Encoding, IndexKeys, Loaded, VconStore};
use conserver_core::vcon::{Vcon, VconId, View};
use conserver_core::{Result, WorkerId};
use sqlx::Row;

use crate::clock::{now, saturated};
use crate::queue::SqliteQueue;
use crate::session::{Session, failed, growing, rows, sql};
use crate::settle::Terms;
use crate::writer::Keep;

/// Documents of one statement.
const ROWS: usize = 500;

#[async_trait]
impl VconStore for SqliteQueue {
    async fn load(&self, ids: &[VconId]) -> Result<Vec<Loaded>> {
        let base = self.base().await?;
        let mut reader = base.reader().await?;
        let mut found: HashMap<String, Bytes> = HashMap::with_capacity(ids.len());
        for some in ids.chunks(ROWS) {
            let mut look = growing("SELECT id, json FROM document WHERE id IN (");
            let mut values = look.separated(", ");
            for id in some {
                values.push_bind(id.as_str());
            }
            // What a worker holds has not expired, whoever slept in between.
            look.push(") AND (expires IS NULL OR expires > ").push_bind(now());
            look.push(" OR expiring = 0 AND EXISTS (SELECT 1 FROM entry e WHERE e.id = document.id AND e.state = 2))");
            for row in rows(&mut reader, look.build()).await? {
                let json: Vec<u8> = row.try_get(1).map_err(failed)?;
                found.insert(row.try_get(0).map_err(failed)?, json.into());
            }
        }
        let answer = |id: &VconId| match found.get(id.as_str()) {
            Some(json) => Loaded::Found { json: json.clone(), encoding: Encoding::Text },
            None => Loaded::Missing,
        };
        Ok(ids.iter().map(answer).collect())
    }

    async fn put(&self, vcon: &Vcon, ttl: Option<Duration>) -> Result<()> {
        let document = Document::of(vcon, IndexKeys::of(vcon), ttl, self.options.index_expiry);
        self.write(Keep::Durable, "store a vCon", |session| Box::pin(document.put(session))).await
    }

    async fn restore(&self, vcon: &Vcon, ttl: Option<Duration>) -> Result<()> {
        let keys = IndexKeys { created: vcon.created_unix(), ..IndexKeys::default() };
        let document = Document::of(vcon, keys, ttl, self.options.index_expiry);
        let doing = "bring a stored vCon back";
        self.write(Keep::Soon, doing, |session| Box::pin(document.restore(session))).await
    }

    async fn checkpoint(&self, worker: &WorkerId, entry: &Entry, document: &DocumentWrite) -> Result<bool> {
        let (worker, token, terms) = (worker.clone(), entry.token.cast_signed(), self.terms());
        let document = (document.id.clone(), document.json.clone());
        self.write(Keep::Durable, "save a document in the middle of a run", move |session| {
            Box::pin(checkpoint(session, worker, token, document, terms))
        })
        .await
    }

    async fn index(&self, id: &VconId, keys: &IndexKeys) -> Result<()> {
        let (id, keys, live) = (id.clone(), keys.clone(), saturated(self.options.index_expiry));
        self.write(Keep::Durable, "index a vCon", move |session| {
            Box::pin(async move { session.index(&id, &keys, session.now.saturating_add(live)).await })
        })
        .await
    }

    async fn delete(&self, id: &VconId) -> Result<bool> {
        let id = id.clone();
        self.write(Keep::Durable, "delete a vCon", move |session| {
            Box::pin(async move { session.delete(&id).await })
        })
        .await
    }
}

/// A document that outlives its caller.
struct Document {
    id: VconId,
    json: Bytes,
    keys: IndexKeys,
    ttl: Option<i64>,
    index: i64,
}

impl Document {
    fn of(vcon: &Vcon, keys: IndexKeys, ttl: Option<Duration>, index: Duration) -> Self {
        let (id, json) = (vcon.id().clone(), vcon.render(View::Stored));
        Self { id, json, keys, ttl: ttl.map(saturated), index: saturated(index) }
    }

    async fn put(self, session: &mut Session) -> Result<()> {
        let expires = self.ttl.map(|ttl| session.now.saturating_add(ttl));
        session.put(&self.id, &self.json, expires).await?;
        session.index(&self.id, &self.keys, session.now.saturating_add(self.index)).await
    }

    async fn restore(self, session: &mut Session) -> Result<()> {
        let there = "SELECT 1 FROM document WHERE id = ? AND (expires IS NULL OR expires > ?)";
        let there = sql(there).bind(self.id.as_str()).bind(session.now);
        if session.number(there).await?.is_some() {
            return session.index(&self.id, &self.keys, session.now.saturating_add(self.index)).await;
        }
        self.put(session).await
    }
}

async fn checkpoint(
    session: &mut Session,
    worker: WorkerId,
    token: i64,
    document: (VconId, Bytes),
    terms: Terms,
) -> Result<bool> {
    let held = "SELECT 1 FROM worker w JOIN entry e ON e.state = 2 AND e.worker = w.key AND e.token = ? WHERE w.name = ?";
    if session.number(sql(held).bind(token).bind(worker.as_str())).await?.is_none() {
        return Ok(false);
    }
    session.save_all(&[document], terms).await?;
    Ok(true)
}
