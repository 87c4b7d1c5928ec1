//! Dead letters: entries of a list, each with why it is there.

use std::collections::HashMap;

use conserver_core::queue::{DeadLetter, Letter, Paging};
use conserver_core::vcon::VconId;
use conserver_core::{QueueName, Result};
use sqlx::Row;

use crate::place::Occurrence;
use crate::queue::SqliteQueue;
use crate::session::{Session, failed, growing, rows, sql};
use crate::writer::Keep;

/// One transaction moves at most this many letters, so that none holds the others up.
const PAGE: usize = 500;

impl SqliteQueue {
    pub(crate) async fn letters(&self, dlq: &QueueName, paging: Paging) -> Result<Vec<Letter>> {
        let mut reader = self.base().await?.reader().await?;
        let look = "SELECT e.id, e.letter FROM list l JOIN entry e ON e.list = l.key AND e.state = 0 \
                    WHERE l.name = ? ORDER BY e.place LIMIT ? OFFSET ?";
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let look = sql(look).bind(dlq.as_str()).bind(number(paging.limit)).bind(number(paging.offset));
        let found = rows(&mut reader, look).await?;
        let read = |row: &sqlx::sqlite::SqliteRow| -> sqlx::Result<Letter> {
            let letter: Option<String> = row.try_get(1)?;
            // One that another version wrote may miss members or have others.
            let why = letter.map(|letter| serde_json::from_str::<DeadLetter>(&letter).unwrap_or_default());
            Ok(Letter { id: VconId::from(row.try_get::<String, _>(0)?), why })
        };
        found.iter().map(|row| read(row).map_err(failed)).collect()
    }

    pub(crate) async fn move_letters(
        &self,
        dlq: &QueueName,
        letters: &[VconId],
        target: Option<&QueueName>,
    ) -> Result<usize> {
        let mut moved = 0;
        for page in letters.chunks(PAGE) {
            let (dlq, page, target) = (dlq.clone(), page.to_vec(), target.cloned());
            moved += self
                .write(Keep::Durable, "move dead letters", move |session| {
                    Box::pin(move_page(session, dlq, page, target))
                })
                .await?;
        }
        Ok(moved)
    }
}

async fn move_page(
    session: &mut Session,
    dlq: QueueName,
    page: Vec<VconId>,
    target: Option<QueueName>,
) -> Result<usize> {
    let Some(list) = session.number(sql("SELECT key FROM list WHERE name = ?").bind(dlq.as_str())).await?
    else {
        return Ok(0);
    };
    let mut look = growing("SELECT id, place FROM entry WHERE state = 0 AND list = ");
    look.push_bind(list).push(" AND id IN (");
    let mut values = look.separated(", ");
    for id in &page {
        values.push_bind(id.as_str());
    }
    look.push(") ORDER BY place DESC");
    let mut places: HashMap<String, Vec<i64>> = HashMap::new();
    for row in session.rows(look.build()).await? {
        let id: String = row.try_get(0).map_err(failed)?;
        places.entry(id).or_default().push(row.try_get(1).map_err(failed)?);
    }
    // The same id may lie there twice: each time it is named, the oldest goes.
    let named: Vec<(VconId, i64)> = page
        .into_iter()
        .filter_map(|id| places.get_mut(id.as_str()).and_then(Vec::pop).map(|place| (id, place)))
        .collect();
    session.remove(&named.iter().map(|(_, place)| *place).collect::<Vec<_>>()).await?;
    let moved = named.len();
    session.lengthen(list, -i64::try_from(moved).unwrap_or(0)).await?;
    if let Some(target) = target {
        let occurrences: Vec<Occurrence> = named.into_iter().map(|(id, _)| Occurrence::plain(id)).collect();
        session.append(&target, &occurrences).await?;
    }
    Ok(moved)
}
