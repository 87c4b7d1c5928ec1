//! Plain list work: push, peek, lengths, pause.

use conserver_core::queue::{ListStatus, Oldest, Since};
use conserver_core::vcon::VconId;
use conserver_core::{QueueName, Result};
use sqlx::Row;

use crate::clock;
use crate::place::Occurrence;
use crate::queue::SqliteQueue;
use crate::session::{failed, rows, sql};
use crate::writer::Keep;

impl SqliteQueue {
    pub(crate) async fn push_ids(&self, list: &QueueName, ids: &[VconId]) -> Result<u64> {
        if ids.is_empty() {
            let status = self.list_status(std::slice::from_ref(list)).await?;
            return Ok(status.first().map_or(0, |status| status.queued));
        }
        let list = list.clone();
        let occurrences: Vec<Occurrence> = ids.iter().cloned().map(Occurrence::plain).collect();
        let doing = format!("push to `{list}`");
        self.write(Keep::Durable, &doing, move |session| {
            Box::pin(async move { session.append(&list, &occurrences).await })
        })
        .await
    }

    pub(crate) async fn peek_ids(&self, list: &QueueName, count: usize) -> Result<Vec<VconId>> {
        let mut reader = self.base().await?.reader().await?;
        let look = "SELECT e.id FROM list l JOIN entry e ON e.list = l.key AND e.state = 0 \
                    WHERE l.name = ? ORDER BY e.place LIMIT ?";
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let found = rows(&mut reader, sql(look).bind(list.as_str()).bind(count)).await?;
        found.iter().map(|row| row.try_get::<String, _>(0).map(VconId::from).map_err(failed)).collect()
    }

    pub(crate) async fn list_status(&self, lists: &[QueueName]) -> Result<Vec<ListStatus>> {
        let mut reader = self.base().await?.reader().await?;
        let look = "SELECT length, paused, \
                      (SELECT count(*) FROM entry WHERE state = 2 AND list = key), \
                      (SELECT count(*) FROM entry WHERE state = 3 AND list = key), \
                      (SELECT count(*) FROM entry WHERE state = 1 AND list = key), \
                      (SELECT count(*) FROM entry WHERE state = 4 AND list = key), \
                      (SELECT min(due) FROM entry WHERE state = 3 AND list = key), \
                      (SELECT length FROM list WHERE name = ?2), \
                      (SELECT id FROM entry WHERE state = 0 AND list = key ORDER BY place LIMIT 1), \
                      (SELECT since FROM entry WHERE state = 0 AND list = key ORDER BY place LIMIT 1) \
                    FROM (SELECT 1) LEFT JOIN list ON name = ?1";
        let now = clock::now();
        let mut all = Vec::with_capacity(lists.len());
        for list in lists {
            let dead = list.dead_letters();
            let found = rows(&mut reader, sql(look).bind(list.as_str()).bind(dead.as_str())).await?;
            let count = |n: usize| -> Result<u64> {
                let count: Option<i64> = found[0].try_get(n).map_err(failed)?;
                Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
            };
            let due: Option<i64> = found[0].try_get(6).map_err(failed)?;
            let head: Option<String> = found[0].try_get(8).map_err(failed)?;
            let since: Option<i64> = found[0].try_get(9).map_err(failed)?;
            all.push(ListStatus {
                queued: count(0)?,
                paused: count(1)? == 1,
                in_flight: count(2)?,
                delayed: count(3)?,
                parked: count(4)?,
                suspects: count(5)?,
                overdue_ms: due.and_then(|due| u64::try_from(now - due).ok()),
                dead: count(7)?,
                oldest: head.map(|id| Oldest {
                    id: id.into(),
                    // The clock may have been set back.
                    age_ms: since.map(|at| u64::try_from(now - at).unwrap_or(0)),
                    since: Since::Put,
                }),
            });
        }
        Ok(all)
    }

    pub(crate) async fn lists_of_vcons(&self) -> Result<Vec<(QueueName, u64)>> {
        let mut reader = self.base().await?.reader().await?;
        let look = "SELECT name, length FROM list l WHERE length > 0 AND EXISTS \
                      (SELECT 1 FROM document WHERE id = \
                        (SELECT id FROM entry WHERE state = 0 AND list = l.key ORDER BY place LIMIT 1)) \
                    ORDER BY name";
        let found = rows(&mut reader, sql(look)).await?;
        let read = |row: &sqlx::sqlite::SqliteRow| -> sqlx::Result<(QueueName, u64)> {
            let length: i64 = row.try_get(1)?;
            Ok((QueueName::new(row.try_get::<&str, _>(0)?), length.cast_unsigned()))
        };
        found.iter().map(|row| read(row).map_err(failed)).collect()
    }

    pub(crate) async fn last_error_of_delayed(&self, list: &QueueName) -> Result<Option<String>> {
        let mut reader = self.base().await?.reader().await?;
        let look = "SELECT tries ->> 'last_error' FROM entry \
                    WHERE state = 3 AND list = (SELECT key FROM list WHERE name = ?) ORDER BY due LIMIT 1";
        let found = rows(&mut reader, sql(look).bind(list.as_str())).await?;
        found.first().map_or(Ok(None), |row| row.try_get(0).map_err(failed))
    }

    pub(crate) async fn pause_list(&self, list: &QueueName, paused: bool) -> Result<bool> {
        let list = list.clone();
        self.write(Keep::Durable, "pause or resume a list", move |session| {
            Box::pin(async move {
                session.append(&list, &[]).await?;
                let change = "UPDATE list SET paused = ?1 WHERE name = ?2 AND paused <> ?1";
                let changed = session.run(sql(change).bind(paused).bind(list.as_str())).await?;
                session.rings |= !paused;
                Ok(changed > 0)
            })
        })
        .await
    }
}
