//! Plain list work: push, peek, lengths, pause.

use conserver_core::queue::{ListShare, ListStatus, Oldest, Since};
use conserver_core::vcon::VconId;
use conserver_core::{QueueName, Result};
use redis::Value;

use crate::keys;
use crate::queue::RedisQueue;
use crate::recover::milliseconds;
use crate::reply::{array, count, integer, text, texts};

/// The first date among scores of the sorted set, in milliseconds.
fn created(scores: Value) -> Option<i64> {
    let scores = array(scores, "ZMSCORE").ok()?;
    let seconds = scores.into_iter().find_map(|score| match score {
        Value::Double(seconds) => Some(seconds),
        score => text(score)?.parse::<f64>().ok(),
    })?;
    Some((seconds * 1e3) as i64)
}

impl RedisQueue {
    pub(crate) async fn push_ids(&self, list: &QueueName, ids: &[VconId]) -> Result<u64> {
        if ids.is_empty() {
            let length = self.client.command("measure a list", redis::cmd("LLEN").arg(list.as_str())).await?;
            return Ok(count(&length));
        }
        let mut command = redis::cmd("RPUSH");
        command.arg(list.as_str());
        for id in ids {
            command.arg(id.as_str());
        }
        let length = self.client.command(&format!("push to `{list}`"), &command).await?;
        Ok(count(&length))
    }

    pub(crate) async fn peek_ids(
        &self,
        list: &QueueName,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<VconId>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("LRANGE");
        command.arg(list.as_str()).arg(offset).arg(offset.saturating_add(limit - 1).min(i64::MAX as usize));
        let ids = self.client.command(&format!("read `{list}`"), &command).await?;
        Ok(texts(ids, "LRANGE")?.into_iter().map(VconId::from).collect())
    }

    pub(crate) async fn list_status(&self, lists: &[QueueName]) -> Result<Vec<ListStatus>> {
        const DOING: &str = "read the state of the lists";
        let mut plain = redis::pipe();
        plain.cmd("TIME").cmd("HVALS").arg(keys::PARKED).cmd("ZRANGE").arg(keys::WORKERS).arg(0).arg(-1);
        for list in lists {
            plain
                .cmd("LLEN")
                .arg(list.as_str())
                .cmd("ZCARD")
                .arg(keys::retry(list))
                .cmd("ZRANGE")
                .arg(keys::retry(list))
                .arg(0)
                .arg(0)
                .arg("WITHSCORES")
                .cmd("LLEN")
                .arg(keys::suspects(list))
                .cmd("LLEN")
                .arg(list.dead_letters().as_str())
                .cmd("SISMEMBER")
                .arg(keys::PAUSED)
                .arg(list.as_str())
                .cmd("LINDEX")
                .arg(list.as_str())
                .arg(0);
        }
        let mut answers = self.client.pipeline(DOING, &plain).await?.into_iter();
        let mut next = || answers.next().unwrap_or(Value::Nil);
        let now = milliseconds(next())?;
        let parked: Vec<Vec<(String, u64)>> =
            texts(next(), DOING)?.iter().map(|runs| serde_json::from_str(runs).unwrap_or_default()).collect();
        let workers = texts(next(), DOING)?;
        let mut status: Vec<ListStatus> = lists
            .iter()
            .map(|list| {
                let queued = count(&next());
                let delayed = count(&next());
                let due = texts(next(), DOING)?.get(1).and_then(|due| due.parse::<f64>().ok());
                Ok(ListStatus {
                    queued,
                    delayed,
                    overdue_ms: due.and_then(|due| u64::try_from(now - due as i64).ok()),
                    suspects: count(&next()),
                    dead: count(&next()),
                    paused: count(&next()) == 1,
                    parked: parked
                        .iter()
                        .flatten()
                        .filter(|(name, _)| name == list.as_str())
                        .map(|(_, n)| n)
                        .sum(),
                    in_flight: 0,
                    oldest: text(next()).map(|id| Oldest {
                        id: id.into(),
                        age_ms: None,
                        since: Since::Created,
                    }),
                })
            })
            .collect::<Result<_>>()?;
        // What the first answers name, in one round trip more.
        let mut named = redis::pipe();
        for (list, status) in lists.iter().zip(&status) {
            for worker in &workers {
                named.cmd("LLEN").arg(keys::in_flight(list, &worker.as_str().into()));
            }
            if let Some(Oldest { id, .. }) = &status.oldest {
                // The Python server also leaves bare ids.
                named.cmd("ZMSCORE").arg(&self.options.sorted_set).arg(keys::document(id)).arg(id.as_str());
            }
        }
        let mut answers = self.client.pipeline(DOING, &named).await?.into_iter();
        for status in &mut status {
            status.in_flight = answers.by_ref().take(workers.len()).map(|held| count(&held)).sum();
            if let Some(oldest) = &mut status.oldest {
                oldest.age_ms = created(answers.next().unwrap_or(Value::Nil)).map(|at| {
                    // One from the future has just come.
                    u64::try_from(now.saturating_sub(at)).unwrap_or(0)
                });
            }
        }
        Ok(status)
    }

    pub(crate) async fn pause_list(&self, list: &QueueName, paused: bool) -> Result<bool> {
        let command = if paused { "SADD" } else { "SREM" };
        let changed = self
            .client
            .command("pause or resume a list", redis::cmd(command).arg(keys::PAUSED).arg(list.as_str()))
            .await?;
        Ok(integer(&changed, command)? == 1)
    }

    /// Which of these lists are paused.
    pub(crate) async fn paused(&self, lists: &[ListShare]) -> Result<Vec<bool>> {
        if lists.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("SMISMEMBER");
        command.arg(keys::PAUSED);
        for share in lists {
            command.arg(share.list.as_str());
        }
        let flags = self.client.command("read pause flags", &command).await?;
        Ok(array(flags, "SMISMEMBER")?.iter().map(|flag| count(flag) == 1).collect())
    }
}
