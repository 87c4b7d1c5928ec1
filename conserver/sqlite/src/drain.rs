//! Whatever no live worker holds returns to the plain lists.

use conserver_core::queue::{Drained, LEASE, Strikes};
use conserver_core::{QueueName, Result};
use sqlx::Row;

use crate::queue::SqliteQueue;
use crate::session::{Session, failed, numbers, sql};
use crate::writer::Keep;

/// One transaction returns at most this many ids, so that none holds the others up.
const PAGE: i64 = 1000;

impl SqliteQueue {
    pub(crate) async fn drain_lists(&self, lists: &[QueueName]) -> Result<Drained> {
        let mut drained = Drained::default();
        // First what lost workers hold: some of it comes back as a retry or a suspect.
        for status in self.all_workers().await? {
            if -status.lease_ms > 2 * i64::try_from(LEASE.as_millis()).unwrap_or(0) {
                drained.abandoned += self.recover_worker(&status.info.id, &Strikes::none()).await?.returned;
            }
        }
        for list in lists {
            loop {
                let name = list.clone();
                let page =
                    self.write(Keep::Durable, "drain", move |session| Box::pin(page(session, name))).await?;
                drained.delayed += page.delayed;
                drained.suspects += page.suspects;
                drained.parked += page.parked;
                if page == Drained::default() {
                    break;
                }
            }
        }
        Ok(drained)
    }
}

/// Returns a page of one list. Parked ids stay while their first occurrence is in flight: its settlement returns them.
async fn page(session: &mut Session, list: QueueName) -> Result<Drained> {
    let look = "WITH of(list) AS (SELECT key FROM list WHERE name = ?1) \
                SELECT place, list, state, due FROM entry WHERE state = 4 AND list = (SELECT list FROM of) UNION ALL \
                SELECT place, list, state, due FROM entry WHERE state = 3 AND list = (SELECT list FROM of) UNION ALL \
                SELECT place, list, state, due FROM entry e WHERE state = 1 AND list = (SELECT list FROM of) \
                AND NOT EXISTS (SELECT 1 FROM entry o WHERE o.id = e.id AND o.state = 2) \
                ORDER BY 3, 4 DESC, 1 DESC LIMIT ?2";
    let mut drained = Drained::default();
    let mut back = Vec::new();
    for row in session.rows(sql(look).bind(list.as_str()).bind(PAGE)).await? {
        let entry: (i64, i64, i64) = (
            row.try_get(0).map_err(failed)?,
            row.try_get(1).map_err(failed)?,
            row.try_get(2).map_err(failed)?,
        );
        match entry.2 {
            4 => drained.suspects += 1,
            3 => drained.delayed += 1,
            _ => drained.parked += 1,
        }
        back.push((entry.0, entry.1));
    }
    // The last ones first, page by page: so the first one ends at the head.
    back.reverse();
    // What earlier runs left is forgotten with it.
    let places: Vec<i64> = back.iter().map(|(place, _)| *place).collect();
    let forget = "UPDATE entry SET tries = NULL WHERE place IN (SELECT value FROM json_each(?))";
    session.run(sql(forget).bind(numbers(&places))).await?;
    session.put_first(&back).await?;
    Ok(drained)
}
