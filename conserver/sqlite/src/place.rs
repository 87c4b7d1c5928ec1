//! Putting ids where they belong: at the end of a list, at its head, on a dead-letter list.

use conserver_core::queue::DeadLetter;
use conserver_core::vcon::VconId;
use conserver_core::{QueueName, Result};
use sqlx::Row;

use crate::session::{Session, failed, growing, json, numbers, sql};

/// Rows of one statement.
const ROWS: usize = 500;

/// One occurrence of an id, on its way to a list.
pub(crate) struct Occurrence {
    pub(crate) id: VconId,
    pub(crate) context: Option<String>,
    pub(crate) letter: Option<DeadLetter>,
}

impl Occurrence {
    /// A plain id.
    pub(crate) fn plain(id: VconId) -> Self {
        Self { id, context: None, letter: None }
    }
}

impl Session {
    /// Puts ids at the end of a list, in order; answers its length.
    pub(crate) async fn append(&mut self, list: &QueueName, occurrences: &[Occurrence]) -> Result<u64> {
        let grow = "INSERT INTO list (name, length) VALUES (?, ?) \
                    ON CONFLICT (name) DO UPDATE SET length = length + excluded.length RETURNING key, length";
        let count = i64::try_from(occurrences.len()).unwrap_or(i64::MAX);
        let row = self.rows(sql(grow).bind(list.as_str()).bind(count)).await?.remove(0);
        let (key, length): (i64, i64) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
        let now = self.now;
        for some in occurrences.chunks(ROWS) {
            let mut insert = growing("INSERT INTO entry (list, state, id, since, context, letter) ");
            insert.push_values(some, |mut row, occurrence| {
                let letter = occurrence.letter.as_ref().map(json);
                row.push_bind(key).push("0").push_bind(occurrence.id.as_str()).push_bind(now);
                row.push_bind(occurrence.context.as_deref()).push_bind(letter);
            });
            self.run(insert.build()).await?;
        }
        self.rings |= count > 0;
        Ok(u64::try_from(length).unwrap_or(0))
    }

    /// Puts entries, each with the key of its list, before all others of their lists, in order.
    pub(crate) async fn put_first(&mut self, entries: &[(i64, i64)]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let first = self.number(sql("SELECT min(place) FROM entry")).await?.unwrap_or(0);
        let places: Vec<i64> = entries.iter().map(|(place, _)| *place).collect();
        let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
        let back = "UPDATE entry SET place = ? + j.key, state = 0, due = NULL, worker = NULL, token = NULL \
                    FROM json_each(?) j WHERE entry.place = j.value";
        self.run(sql(back).bind(first - count).bind(numbers(&places))).await?;
        let mut lists: Vec<i64> = entries.iter().map(|(_, list)| *list).collect();
        lists.sort_unstable();
        for same in lists.chunk_by(|a, b| a == b) {
            let count = i64::try_from(same.len()).unwrap_or(i64::MAX);
            self.lengthen(same[0], count).await?;
        }
        self.rings = true;
        Ok(())
    }

    /// Counts entries that came onto a list or, where negative, left it.
    pub(crate) async fn lengthen(&mut self, list: i64, by: i64) -> Result<()> {
        let grow = "UPDATE list SET length = length + ? WHERE key = ?";
        self.run(sql(grow).bind(by).bind(list)).await.map(drop)
    }

    /// Takes entries away for good.
    pub(crate) async fn remove(&mut self, places: &[i64]) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        let gone = "DELETE FROM entry WHERE place IN (SELECT value FROM json_each(?))";
        self.run(sql(gone).bind(numbers(places))).await.map(drop)
    }

    /// Puts an id on a dead-letter list with its reason; its document lives at least as long as letters do.
    pub(crate) async fn bury(
        &mut self,
        dlq: &QueueName,
        id: VconId,
        mut letter: DeadLetter,
        live: i64,
    ) -> Result<()> {
        if letter.at == 0 {
            letter.at = self.now / 1000;
        }
        if live > 0 {
            let extend = "UPDATE document SET expires = ?1 WHERE id = ?2 AND expires < ?1 AND expiring = 0";
            self.run(sql(extend).bind(self.now + live).bind(id.as_str())).await?;
        }
        self.append(dlq, &[Occurrence { id, context: None, letter: Some(letter) }]).await.map(drop)
    }

    /// Other occurrences of ids that run no longer, each with the key of its list, oldest first.
    pub(crate) async fn parked_behind(&mut self, ids: &[&VconId]) -> Result<Vec<(i64, i64)>> {
        let any = self.number(sql("SELECT 1 FROM entry WHERE state = 1 LIMIT 1")).await?;
        if ids.is_empty() || any.is_none() {
            return Ok(Vec::new());
        }
        let mut parked = Vec::new();
        for some in ids.chunks(ROWS) {
            let mut look = growing("SELECT place, list FROM entry WHERE state = 1 AND id IN (");
            let mut values = look.separated(", ");
            for id in some {
                values.push_bind(id.as_str());
            }
            look.push(") ORDER BY place");
            for row in self.rows(look.build()).await? {
                parked.push((row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?));
            }
        }
        parked.sort_unstable();
        Ok(parked)
    }
}
