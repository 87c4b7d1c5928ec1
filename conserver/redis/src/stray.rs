//! What lies where nobody looks any more: for `doctor`.

use conserver_core::Result;
use conserver_core::backend::Stray;
use conserver_core::queue::LEASE;

use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::{count, texts};

impl RedisQueue {
    /// Looks through our own keys (with `SCAN`, never `KEYS`) for what no live worker owns.
    pub async fn strays(&self) -> Result<Vec<Stray>> {
        let doing = "look for strays";
        let workers =
            self.client.command(doing, redis::cmd("ZRANGE").arg(keys::WORKERS).arg(0).arg(-1)).await?;
        let workers = texts(workers, "ZRANGE")?;
        let known = |key: &str| workers.iter().any(|worker| key.ends_with(&format!(":{worker}")));
        let mut strays = Vec::new();
        for key in self.scan("cs:infl:*").await?.into_iter().filter(|key| !known(key)) {
            let entries = self.client.command(doing, redis::cmd("LLEN").arg(&key)).await?;
            let meaning =
                "held by a worker that is not registered; `conserver drain` returns them".to_owned();
            strays.push(Stray { key, entries: count(&entries), meaning });
        }
        let misplaced = self.client.command(doing, redis::cmd("LLEN").arg(keys::STRAY)).await?;
        if count(&misplaced) > 0 {
            strays.push(Stray {
                key: keys::STRAY.to_owned(),
                entries: count(&misplaced),
                meaning:
                    "ids whose list is no list: mend the key named in each entry, then push them by hand"
                        .to_owned(),
            });
        }
        let busy = self.orphaned_busy(&workers).await?;
        if busy > 0 {
            strays.push(Stray {
                key: keys::BUSY.to_owned(),
                entries: busy,
                meaning: "ids marked as running by workers that are gone; `conserver drain` clears them"
                    .to_owned(),
            });
        }
        for status in self.all_workers().await? {
            let ended = -status.lease_ms;
            if ended > 2 * LEASE.as_millis() as i64 {
                strays.push(Stray {
                    key: keys::worker(&status.info.id),
                    entries: status.in_flight,
                    meaning: format!(
                        "worker on `{}` whose lease ended {} s ago; a running conserver recovers it",
                        status.info.host,
                        ended / 1000
                    ),
                });
            }
        }
        Ok(strays)
    }

    async fn orphaned_busy(&self, workers: &[String]) -> Result<u64> {
        Ok(self.busy().await?.iter().filter(|(_, worker)| !workers.contains(worker)).count() as u64)
    }

    async fn busy(&self) -> Result<Vec<(String, String)>> {
        let all = self.client.command("list running ids", redis::cmd("HGETALL").arg(keys::BUSY)).await?;
        let mut all = texts(all, "HGETALL")?.into_iter();
        let mut pairs = Vec::new();
        while let (Some(id), Some(worker)) = (all.next(), all.next()) {
            pairs.push((id, worker));
        }
        Ok(pairs)
    }
}
