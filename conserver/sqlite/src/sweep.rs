//! Times to live never run out while an id is queued, parked, in flight or dead: one elected process extends them, and
//! takes away what has expired.

use conserver_core::{QueueName, Result};
use sqlx::Row;

use crate::clock;
use crate::queue::SqliteQueue;
use crate::session::{Session, failed, growing, numbers, rows, sql};
use crate::writer::Keep;

/// One transaction changes at most this many rows, so that none holds the others up.
const PAGE: i64 = 500;
/// The election lasts this long and is renewed with each page, in milliseconds.
const TERM: i64 = 60_000;

impl SqliteQueue {
    pub(crate) async fn sweep_lists(&self, lists: &[QueueName], dlqs: &[QueueName]) -> Result<Option<u64>> {
        if !self.elected().await? {
            return Ok(None);
        }
        let terms = self.terms();
        let mut extended = self.extend(lists, terms.document).await?;
        if terms.letter > 0 {
            extended += self.extend(dlqs, terms.letter).await?;
        }
        for gone in [
            "DELETE FROM document WHERE key IN (SELECT key FROM document WHERE expires <= ?1 LIMIT ?2)",
            "DELETE FROM found WHERE (kind, value, id) IN \
             (SELECT kind, value, id FROM found WHERE expires <= ?1 LIMIT ?2)",
            "DELETE FROM once WHERE name IN (SELECT name FROM once WHERE until <= ?1 LIMIT ?2)",
        ] {
            while self.elected().await? {
                let doing = "take away what has expired";
                let taken =
                    self.write(Keep::Soon, doing, move |session| Box::pin(session.purge(gone))).await?;
                if taken < PAGE.cast_unsigned() {
                    break;
                }
            }
        }
        Ok(Some(extended))
    }

    /// Whether this process is the sweeper: it holds the office, or takes it where it is vacant.
    async fn elected(&self) -> Result<bool> {
        let name = self.sweeper.clone();
        self.write(Keep::Soon, "elect a sweeper", move |session| {
            Box::pin(async move {
                let take = "INSERT INTO sweeper VALUES (1, ?1, ?2) ON CONFLICT DO UPDATE \
                            SET name = ?1, until = ?2 WHERE name = ?1 OR until < ?3";
                let now = session.now;
                Ok(session.run(sql(take).bind(name).bind(now + TERM).bind(now)).await? > 0)
            })
        })
        .await
    }

    /// Extends the documents of these lists to a full term, those that have less than three quarters of it left.
    async fn extend(&self, lists: &[QueueName], term: i64) -> Result<u64> {
        let base = self.base().await?;
        let mut extended = 0;
        let mut after = i64::MIN;
        while self.elected().await? {
            // Read without a lock: mostly there is nothing to do.
            let mut look = growing(
                "SELECT e.place, d.key FROM entry e JOIN document d ON d.id = e.id AND d.expiring = 0 AND d.expires < ",
            );
            look.push_bind(clock::now() + term / 4 * 3).push(" WHERE e.place > ").push_bind(after);
            look.push(" AND e.list IN (SELECT key FROM list WHERE name IN (");
            let mut names = look.separated(", ");
            for list in lists {
                names.push_bind(list.as_str());
            }
            look.push(")) ORDER BY e.place LIMIT ").push_bind(PAGE);
            let found = rows(&mut *base.reader().await?, look.build()).await?;
            let Some(last) = found.last() else { break };
            after = last.try_get(0).map_err(failed)?;
            let keys: Vec<i64> =
                found.iter().map(|row| row.try_get(1).map_err(failed)).collect::<Result<_>>()?;
            let doing = "extend times to live";
            extended += self
                .write(Keep::Soon, doing, move |session| {
                    Box::pin(async move {
                        let extend = "UPDATE document SET expires = ?1 WHERE expires < ?1 AND expiring = 0 \
                                      AND key IN (SELECT value FROM json_each(?2))";
                        session.run(sql(extend).bind(session.now + term).bind(numbers(&keys))).await
                    })
                })
                .await?;
        }
        Ok(extended)
    }
}

impl Session {
    async fn purge(&mut self, gone: &'static str) -> Result<u64> {
        self.run(sql(gone).bind(self.now).bind(PAGE)).await
    }
}
