//! Taking ids: the claim script, and the wait between two claims that found nothing.

use std::time::{Duration, Instant};

use conserver_core::queue::{ClaimRequest, Claimed, Entry, Lane, Lease, ListShare, Tries};
use conserver_core::vcon::VconId;
use conserver_core::{QueueName, Result, WorkerId};
use redis::Value;

use crate::options::Delivery;
use crate::queue::RedisQueue;
use crate::reply::{array, count, integer, text, unexpected};

/// Two claims that found nothing are at least this far apart, however many hints come.
const DEBOUNCE: Duration = Duration::from_millis(1);
/// One reply has at most this many entries (Lua passes them on its stack).
const MAX_BATCH: usize = 256;

impl RedisQueue {
    pub(crate) async fn claim_ids(&self, worker: &WorkerId, request: &ClaimRequest<'_>) -> Result<Claimed> {
        if self.options.delivery == Delivery::AtMostOnce && request.lane == Lane::Main {
            return self.pop_ids(request).await;
        }
        self.hints.watch(request.lists);
        let end = Instant::now() + request.wait;
        loop {
            let asked = Instant::now();
            let claimed = self.claim_once(worker, request).await?;
            let now = Instant::now();
            if !claimed.leases.is_empty() || claimed.unregistered || now >= end {
                return Ok(claimed);
            }
            let pause = self.options.poll.min(end - now);
            // A hint is only a hint: without one, the poll finds what came.
            let _ = tokio::time::timeout(pause, self.hints.changed()).await;
            if let Some(rest) = DEBOUNCE.checked_sub(asked.elapsed()) {
                tokio::time::sleep(rest).await;
            }
        }
    }

    async fn claim_once(&self, worker: &WorkerId, request: &ClaimRequest<'_>) -> Result<Claimed> {
        let room = request.rooms.iter().sum::<usize>().min(MAX_BATCH);
        let lane = match request.lane {
            Lane::Main => "main",
            Lane::Suspects => "suspects",
        };
        let mut command = self.scripts.claim.call();
        command.arg(worker.as_str()).arg(room).arg(lane).arg(request.lists.len());
        for (share, quota) in request.lists.iter().zip(quotas(request.lists, room)) {
            command.arg(share.list.as_str()).arg(quota).arg(share.room + 1);
        }
        command.arg(request.rooms);
        let reply = self.client.script("claim ids", &self.scripts.claim, &command).await?;
        read_claim(reply, request.lists)
    }

    /// Everything this worker holds by Redis' account, for reconciling.
    pub(crate) async fn held_by(&self, worker: &WorkerId) -> Result<Vec<Lease>> {
        let doing = "list what this worker holds";
        let lists =
            self.client.command(doing, redis::cmd("SMEMBERS").arg(crate::keys::worker_lists(worker))).await?;
        let mut leases = Vec::new();
        for list in array(lists, "SMEMBERS")?.into_iter().filter_map(text) {
            let list = QueueName::new(list);
            let held = self
                .client
                .command(
                    doing,
                    redis::cmd("LRANGE").arg(crate::keys::in_flight(&list, worker)).arg(0).arg(-1),
                )
                .await?;
            for entry in array(held, "LRANGE")?.into_iter().filter_map(text) {
                leases.push(self.lease_of(&list, &entry).await?);
            }
        }
        Ok(leases)
    }

    async fn lease_of(&self, list: &QueueName, entry: &str) -> Result<Lease> {
        let (token, id) = split_entry(entry).ok_or_else(|| unexpected("LRANGE"))?;
        let mut facts = redis::pipe();
        facts
            .cmd("LINDEX")
            .arg(crate::keys::context(list, &id))
            .arg(0)
            .cmd("HGET")
            .arg(crate::keys::tries(list))
            .arg(token)
            .cmd("STRLEN")
            .arg(crate::keys::document(&id));
        let mut facts = self.client.pipeline("read an entry", &facts).await?.into_iter();
        let context = facts.next().and_then(text);
        let tries = facts.next().and_then(text);
        let document_bytes = facts.next().and_then(|v| integer(&v, "STRLEN").ok());
        Ok(Lease {
            entry: Entry { list: list.clone(), token, id },
            context,
            document_bytes: document_bytes.and_then(|n| usize::try_from(n).ok()),
            tries: tries.map(|t| read_tries(&t)).unwrap_or_default(),
        })
    }

    /// The Python server's way: what is popped is gone from Redis.
    async fn pop_ids(&self, request: &ClaimRequest<'_>) -> Result<Claimed> {
        let mut claimed = Claimed { lengths: vec![0; request.lists.len()], ..Claimed::default() };
        let paused = self.paused(request.lists).await?;
        let lists: Vec<&QueueName> =
            request.lists.iter().map(|s| &s.list).zip(paused).filter(|(_, p)| !p).map(|(l, _)| l).collect();
        // The blocking wait has to end well before the connection's own time-out.
        let wait = request.wait.min(self.options.response_timeout / 2).as_secs_f64().max(0.01);
        if lists.is_empty() || request.rooms.iter().all(|room| *room == 0) {
            tokio::time::sleep(Duration::from_secs_f64(wait)).await;
            return Ok(claimed);
        }
        let mut command = redis::cmd("BLPOP");
        for list in &lists {
            command.arg(list.as_str());
        }
        command.arg(wait);
        let mut popped = array(self.popping.command("pop an id", &command).await?, "BLPOP")?.into_iter();
        let (Some(list), Some(id)) = (popped.next().and_then(text), popped.next().and_then(text)) else {
            return Ok(claimed);
        };
        let (list, id) = (QueueName::new(list), VconId::from(id));
        let mut lease = self.lease_of(&list, &format!("0|{id}")).await?;
        lease.entry = Entry { list, token: 0, id };
        claimed.leases.push(lease);
        Ok(claimed)
    }
}

/// How many ids of a room each list may take while all are full: its part of the sum of weights, at least one;
/// with weight 0 only what is left, which makes the order of the lists strict.
fn quotas(lists: &[ListShare], room: usize) -> impl Iterator<Item = usize> {
    let sum: u64 = lists.iter().map(|share| u64::from(share.weight)).sum::<u64>().max(1);
    lists.iter().map(move |share| {
        if share.weight == 0 {
            return 0;
        }
        let part = (room as u64 * u64::from(share.weight)).div_ceil(sum);
        usize::try_from(part).unwrap_or(room).clamp(1, room.max(1))
    })
}

fn read_claim(reply: Value, lists: &[ListShare]) -> Result<Claimed> {
    const WHAT: &str = "a claim";
    let mut parts = array(reply, WHAT)?.into_iter();
    let status = integer(&parts.next().unwrap_or(Value::Nil), WHAT)?;
    let lengths = array(parts.next().unwrap_or(Value::Nil), WHAT)?.iter().map(count).collect();
    let mut claimed = Claimed { leases: Vec::new(), lengths, unregistered: status == -1 };
    for entry in array(parts.next().unwrap_or(Value::Nil), WHAT)? {
        let line = text(entry).ok_or_else(|| unexpected(WHAT))?;
        claimed.leases.push(read_entry(&line, lists).ok_or_else(|| unexpected(WHAT))?);
    }
    let mut extras = array(parts.next().unwrap_or(Value::Nil), WHAT)?.into_iter();
    while let (Some(index), context, tries) = (extras.next(), extras.next(), extras.next()) {
        let index = usize::try_from(integer(&index, WHAT)?).unwrap_or(0);
        let lease = index.checked_sub(1).and_then(|i| claimed.leases.get_mut(i));
        let lease = lease.ok_or_else(|| unexpected(WHAT))?;
        lease.context = context.and_then(text);
        lease.tries = tries.and_then(text).map(|t| read_tries(&t)).unwrap_or_default();
    }
    Ok(claimed)
}

/// Reads `list index \n token \n bytes \n id`.
fn read_entry(line: &str, lists: &[ListShare]) -> Option<Lease> {
    let mut fields = line.splitn(4, '\n');
    let index: usize = fields.next()?.parse().ok()?;
    let token = fields.next()?.parse().ok()?;
    let bytes: i64 = fields.next()?.parse().ok()?;
    let id = VconId::from(fields.next()?);
    let list = lists.get(index.checked_sub(1)?)?.list.clone();
    Some(Lease {
        entry: Entry { list, token, id },
        context: None,
        document_bytes: usize::try_from(bytes).ok(),
        tries: Tries::default(),
    })
}

/// Tries written by another version may miss members or have others: what is unreadable counts as none.
fn read_tries(json: &str) -> Tries {
    serde_json::from_str(json).unwrap_or_default()
}

/// Splits `token|id`.
pub(crate) fn split_entry(entry: &str) -> Option<(u64, VconId)> {
    let (token, id) = entry.split_once('|')?;
    Some((token.parse().ok()?, VconId::from(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(list: &str, weight: u32) -> ListShare {
        ListShare { list: QueueName::new(list), weight, room: 0 }
    }

    #[test]
    fn quotas_follow_weights_and_nobody_gets_none() {
        let lists = [share("a", 3), share("b", 1), share("c", 1)];
        assert_eq!(quotas(&lists, 10).collect::<Vec<_>>(), [6, 2, 2]);
        assert_eq!(quotas(&lists, 1).collect::<Vec<_>>(), [1, 1, 1]);
    }

    #[test]
    fn an_id_may_hold_any_text() {
        let lists = [share("a", 1)];
        let lease = read_entry("1\n7\n-1\nodd\nid|with bars", &lists).unwrap();
        assert_eq!((lease.entry.id.as_str(), lease.entry.token), ("odd\nid|with bars", 7));
        assert_eq!(lease.document_bytes, None);
        assert_eq!(split_entry("7|a|b").unwrap(), (7, VconId::from("a|b")));
    }
}
