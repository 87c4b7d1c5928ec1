//! Which vCons there are: by date, by party, and the documents themselves.

use std::collections::HashSet;

use async_trait::async_trait;
use conserver_core::Result;
use conserver_core::directory::{CreatedRange, Dated, Directory, PartyTerms};
use conserver_core::queue::Paging;
use conserver_core::vcon::VconId;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::clock::now;
use crate::queue::SqliteQueue;
use crate::session::{failed, growing, rows, sql};

/// Documents of one part.
const PART: usize = 1000;
/// Ids of one statement.
const ROWS: usize = 500;

fn ends(range: CreatedRange) -> (i64, i64) {
    (range.since.unwrap_or(i64::MIN), range.until.unwrap_or(i64::MAX))
}

fn number(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn id(row: &SqliteRow) -> Result<VconId> {
    row.try_get::<String, _>(0).map(VconId::from).map_err(failed)
}

#[async_trait]
impl Directory for SqliteQueue {
    async fn newest(&self, range: CreatedRange, page: Paging) -> Result<Vec<VconId>> {
        let mut reader = self.base().await?.reader().await?;
        let look = "SELECT id FROM vcons WHERE created BETWEEN ? AND ? ORDER BY created DESC, id DESC LIMIT ? OFFSET ?";
        let (since, until) = ends(range);
        let look = sql(look).bind(since).bind(until).bind(number(page.limit)).bind(number(page.offset));
        rows(&mut reader, look).await?.iter().map(id).collect()
    }

    async fn after(&self, range: CreatedRange, last: Option<&Dated>, limit: usize) -> Result<Vec<Dated>> {
        let mut reader = self.base().await?.reader().await?;
        let look = match last {
            Some(_) => {
                "SELECT id, created FROM vcons WHERE created BETWEEN ? AND ? AND (created, id) < (?, ?) \
                 ORDER BY created DESC, id DESC LIMIT ?"
            }
            None => {
                "SELECT id, created FROM vcons WHERE created BETWEEN ? AND ? ORDER BY created DESC, id DESC LIMIT ?"
            }
        };
        let (since, until) = ends(range);
        let mut look = sql(look).bind(since).bind(until);
        if let Some(last) = last {
            look = look.bind(last.created).bind(last.id.as_str());
        }
        let found = rows(&mut reader, look.bind(number(limit))).await?;
        found.iter().map(|row| Ok(Dated { id: id(row)?, created: row.try_get(1).map_err(failed)? })).collect()
    }

    async fn count(&self, range: CreatedRange) -> Result<u64> {
        let mut reader = self.base().await?.reader().await?;
        let (since, until) = ends(range);
        let count = sql("SELECT count(*) FROM vcons WHERE created BETWEEN ? AND ?").bind(since).bind(until);
        let counted: i64 = rows(&mut reader, count).await?.remove(0).try_get(0).map_err(failed)?;
        Ok(counted.cast_unsigned())
    }

    async fn search(&self, terms: &PartyTerms) -> Result<Vec<VconId>> {
        let mut look = growing("");
        for (n, (kind, value)) in terms.iter().enumerate() {
            look.push(if n > 0 { " INTERSECT " } else { "" });
            look.push("SELECT id FROM found WHERE kind = ")
                .push_bind(kind)
                .push(" AND value = ")
                .push_bind(value);
            look.push(" AND expires > ").push_bind(now());
        }
        if terms.iter().next().is_none() {
            return Ok(Vec::new());
        }
        look.push(" ORDER BY id");
        let mut reader = self.base().await?.reader().await?;
        rows(&mut reader, look.build()).await?.iter().map(id).collect()
    }

    async fn present(&self, ids: &[VconId]) -> Result<Vec<bool>> {
        let mut reader = self.base().await?.reader().await?;
        let mut found: HashSet<VconId> = HashSet::with_capacity(ids.len());
        for some in ids.chunks(ROWS) {
            let mut look = growing("SELECT id FROM document WHERE (expires IS NULL OR expires > ");
            look.push_bind(now()).push(") AND id IN (");
            let mut values = look.separated(", ");
            for id in some {
                values.push_bind(id.as_str());
            }
            look.push(")");
            for row in rows(&mut reader, look.build()).await? {
                found.insert(id(&row)?);
            }
        }
        Ok(ids.iter().map(|id| found.contains(id)).collect())
    }

    async fn documents(&self, from: Option<&str>) -> Result<(Vec<VconId>, Option<String>)> {
        let mut reader = self.base().await?.reader().await?;
        let look = "SELECT id, key FROM document WHERE key > ? AND (expires IS NULL OR expires > ?) ORDER BY key LIMIT ?";
        let after: i64 = from.and_then(|from| from.parse().ok()).unwrap_or(i64::MIN);
        let part = rows(&mut reader, sql(look).bind(after).bind(now()).bind(number(PART))).await?;
        let last = part.last().filter(|_| part.len() == PART);
        let next = last.map(|row| row.try_get::<i64, _>(1).map_err(failed)).transpose()?;
        Ok((part.iter().map(id).collect::<Result<_>>()?, next.map(|key| key.to_string())))
    }
}
