//! Plain list work: push, peek, lengths, pause.

use conserver_core::queue::{ListShare, ListStatus};
use conserver_core::vcon::VconId;
use conserver_core::{QueueName, Result};
use redis::Value;

use crate::keys;
use crate::queue::RedisQueue;
use crate::recover::milliseconds;
use crate::reply::{array, count, integer, texts};

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
                .arg(list.as_str());
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
                })
            })
            .collect::<Result<_>>()?;
        let mut held = redis::pipe();
        for list in lists {
            for worker in &workers {
                held.cmd("LLEN").arg(keys::in_flight(list, &worker.as_str().into()));
            }
        }
        let held = self.client.pipeline(DOING, &held).await?;
        if !workers.is_empty() {
            for (status, counts) in status.iter_mut().zip(held.chunks(workers.len())) {
                status.in_flight = counts.iter().map(count).sum();
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
