//! What became of vCons: a table of a bounded length.

use std::time::Duration;

use async_trait::async_trait;
use conserver_core::Result;
use conserver_core::story::{Chronicle, Memory, RunStory};
use conserver_core::vcon::VconId;
use sqlx::Row;

use crate::clock::{self, saturated};
use crate::queue::SqliteQueue;
use crate::session::{failed, json, rows, sql};
use crate::writer::Keep;

#[async_trait]
impl Chronicle for SqliteQueue {
    async fn remember(&self, runs: &[RunStory], memory: Memory) -> Result<()> {
        if runs.is_empty() || memory.runs == 0 {
            return Ok(());
        }
        let runs = json(&runs);
        let most = i64::try_from(memory.runs).unwrap_or(i64::MAX);
        let age = saturated(memory.age);
        self.write(Keep::Soon, "remember what became of vCons", move |session| {
            Box::pin(async move {
                let add = "INSERT INTO story (id, at, run) SELECT value ->> 'vcon', value ->> 'at', value \
                           FROM json_each(?)";
                session.run(sql(add).bind(runs)).await?;
                let oldest = session.now.saturating_sub(age);
                session.run(sql("DELETE FROM story WHERE at < ?").bind(oldest)).await?;
                let surplus = "DELETE FROM story WHERE key <= (SELECT max(key) FROM story) - ?";
                session.run(sql(surplus).bind(most)).await.map(drop)
            })
        })
        .await
    }

    async fn runs_of(&self, id: &VconId, since: i64) -> Result<Vec<RunStory>> {
        let mut reader = self.base().await?.reader().await?;
        let look = "SELECT run FROM story WHERE id = ? AND at >= ? ORDER BY key";
        let found = rows(&mut reader, sql(look).bind(id.as_str()).bind(since)).await?;
        let mut runs = Vec::with_capacity(found.len());
        for row in &found {
            // One of another version may be unreadable, and is passed over.
            let run: &str = row.try_get(0).map_err(failed)?;
            runs.extend(serde_json::from_str::<RunStory>(run).ok());
        }
        Ok(runs)
    }

    async fn leave_note(&self, instance: &str, note: Option<&str>, lives: Duration) -> Result<()> {
        let (instance, note, lives) = (instance.to_owned(), note.map(str::to_owned), saturated(lives));
        self.write(Keep::Soon, "leave a note", move |session| {
            Box::pin(async move {
                let now = session.now;
                let clear = "DELETE FROM note WHERE instance = ? OR until < ?";
                session.run(sql(clear).bind(&instance).bind(now)).await?;
                if let Some(note) = note {
                    let leave = "INSERT INTO note (instance, until, note) VALUES (?, ?, ?)";
                    session.run(sql(leave).bind(instance).bind(now.saturating_add(lives)).bind(note)).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn notes(&self) -> Result<Vec<String>> {
        let mut reader = self.base().await?.reader().await?;
        let look = "SELECT note FROM note WHERE until >= ? ORDER BY instance";
        let found = rows(&mut reader, sql(look).bind(clock::now())).await?;
        found.iter().map(|row| row.try_get(0).map_err(failed)).collect()
    }
}
