//! Taking ids: the claim script, and what is told of its answer.

use conserver_core::queue::{ClaimRequest, Claimed, Entry, Lane, Lease, ListShare, Tries};
use conserver_core::vcon::VconId;
use conserver_core::{QueueName, Result, WorkerId};
use redis::Value;

use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::{array, count, integer, text, texts, unexpected};

/// One reply has at most this many entries (Lua passes them on its stack).
const MAX_BATCH: usize = 256;

impl RedisQueue {
    pub(crate) async fn claim_ids(&self, worker: &WorkerId, request: &ClaimRequest<'_>) -> Result<Claimed> {
        self.hints.watch(request.lists);
        loop {
            let (mut claimed, parked) = self.claim_once(worker, request, lane_of(request.lane)).await?;
            self.explain(&mut claimed, worker).await?;
            // Behind what was set aside there may be more.
            if !claimed.leases.is_empty() || claimed.unregistered || !parked {
                return Ok(claimed);
            }
        }
    }

    /// One claim; also tells whether it set other occurrences aside, so that there may be more behind them.
    pub(crate) async fn claim_once(
        &self,
        worker: &WorkerId,
        request: &ClaimRequest<'_>,
        lane: &str,
    ) -> Result<(Claimed, bool)> {
        let room = request.rooms.iter().sum::<usize>().min(MAX_BATCH);
        let mut command = self.scripts.claim.call();
        command.arg(worker.as_str()).arg(room).arg(lane).arg(request.lists.len());
        for (share, quota) in request.lists.iter().zip(ListShare::quotas(request.lists, room)) {
            command.arg(share.list.as_str()).arg(quota).arg(share.room + 1);
        }
        command.arg(request.rooms);
        let reply = self.client.script("claim ids", &self.scripts.claim, &command).await;
        match reply {
            Ok(reply) => {
                let (claimed, parked, unreadable) = read_claim(reply, request.lists)?;
                self.bury_unreadable(worker, &unreadable).await?;
                // Behind these there may be more, as behind what was parked.
                Ok((claimed, parked || !unreadable.is_empty()))
            }
            Err(error) => {
                let lists = request.lists.iter().map(|share| &share.list);
                Err(self.explained(error, lists, Some(worker)).await)
            }
        }
    }

    /// Everything this worker holds by Redis' account, for reconciling.
    pub(crate) async fn held_by(&self, worker: &WorkerId) -> Result<Vec<Lease>> {
        let doing = "list what this worker holds";
        let lists =
            self.client.command(doing, redis::cmd("SMEMBERS").arg(keys::worker_lists(worker))).await?;
        let mut lists: Vec<QueueName> = texts(lists, "SMEMBERS")?.into_iter().map(QueueName::new).collect();
        lists.sort();
        let mut held = redis::pipe();
        for list in &lists {
            held.cmd("LRANGE").arg(keys::in_flight(list, worker)).arg(0).arg(-1);
        }
        let (mut entries, mut unreadable) = (Vec::new(), Vec::new());
        for (list, held) in lists.iter().zip(self.client.pipeline(doing, &held).await?) {
            // A key that is no list holds nothing of ours; `advise` and every claim name it.
            for entry in array(held, "LRANGE").unwrap_or_default() {
                let Value::BulkString(entry) = entry else { return Err(unexpected("LRANGE")) };
                match String::from_utf8(entry) {
                    Ok(entry) => {
                        let (token, id) = split_entry(&entry).ok_or_else(|| unexpected("LRANGE"))?;
                        entries.push(Entry { list: list.clone(), token, id });
                    }
                    Err(entry) => unreadable.push((list.clone(), entry.into_bytes())),
                }
            }
        }
        self.bury_unreadable(worker, &unreadable).await?;
        self.leases_of(entries).await
    }

    /// Entries with what lies beside them.
    pub(crate) async fn leases_of(&self, entries: Vec<Entry>) -> Result<Vec<Lease>> {
        let mut facts = redis::pipe();
        for entry in &entries {
            facts.cmd("LINDEX").arg(keys::context(&entry.list, &entry.id)).arg(0);
            facts.cmd("HGET").arg(keys::tries(&entry.list)).arg(entry.token);
            facts.cmd("STRLEN").arg(keys::document(&entry.id));
        }
        let mut facts = self.client.pipeline("read entries", &facts).await?.into_iter();
        let mut next = || facts.next().unwrap_or(Value::Nil);
        let leases = entries.into_iter().map(|entry| {
            let (context, tries, bytes) = (text(next()), text(next()), next());
            Lease {
                entry,
                context,
                document_bytes: integer(&bytes, "STRLEN").ok().and_then(|n| usize::try_from(n).ok()),
                tries: tries.map(|t| read_tries(&t)).unwrap_or_default(),
            }
        });
        Ok(leases.collect())
    }
}

/// The word for a lane in the claim script.
fn lane_of(lane: Lane) -> &'static str {
    match lane {
        Lane::Main => "main",
        Lane::Suspects => "suspects",
    }
}

/// Entries whose id is no text, with their lists.
type Unreadable = Vec<(QueueName, Vec<u8>)>;

/// Reads the answer of the claim script: what was claimed, whether anything was parked, and what is no text.
fn read_claim(reply: Value, lists: &[ListShare]) -> Result<(Claimed, bool, Unreadable)> {
    const WHAT: &str = "a claim";
    let mut parts = array(reply, WHAT)?.into_iter();
    let status = integer(&parts.next().unwrap_or(Value::Nil), WHAT)?;
    let lengths = array(parts.next().unwrap_or(Value::Nil), WHAT)?;
    let no_list = |length: &Value| matches!(length, Value::Int(-1));
    let mut claimed = Claimed {
        lengths: lengths.iter().map(count).collect(),
        unregistered: status == -1,
        problems: lists
            .iter()
            .zip(&lengths)
            .filter(|(_, length)| no_list(length))
            .map(|(share, _)| (share.list.clone(), String::new()))
            .collect(),
        ..Claimed::default()
    };
    // In the order of the answer, for the extras count by it.
    let mut leases = Vec::new();
    let mut unreadable = Unreadable::new();
    for entry in array(parts.next().unwrap_or(Value::Nil), WHAT)? {
        let Value::BulkString(line) = entry else { return Err(unexpected(WHAT)) };
        let (list, bytes, entry) = read_line(&line, lists).ok_or_else(|| unexpected(WHAT))?;
        match std::str::from_utf8(entry) {
            Ok(entry) => {
                let (token, id) = split_entry(entry).ok_or_else(|| unexpected(WHAT))?;
                let entry = Entry { list, token, id };
                leases.push(Some(Lease {
                    entry,
                    context: None,
                    document_bytes: bytes,
                    tries: Tries::default(),
                }));
            }
            Err(_) => {
                unreadable.push((list, entry.to_owned()));
                leases.push(None);
            }
        }
    }
    let mut extras = array(parts.next().unwrap_or(Value::Nil), WHAT)?.into_iter();
    while let (Some(index), context, tries) = (extras.next(), extras.next(), extras.next()) {
        let index = usize::try_from(integer(&index, WHAT)?).unwrap_or(0);
        let lease = index.checked_sub(1).and_then(|i| leases.get_mut(i)).ok_or_else(|| unexpected(WHAT))?;
        let Some(lease) = lease else { continue };
        lease.context = context.and_then(text);
        lease.tries = tries.and_then(text).map(|t| read_tries(&t)).unwrap_or_default();
    }
    for broken in array(parts.next().unwrap_or(Value::Nil), WHAT)? {
        let index = usize::try_from(integer(&broken, WHAT)?).unwrap_or(0);
        let share = index.checked_sub(1).and_then(|i| lists.get(i)).ok_or_else(|| unexpected(WHAT))?;
        claimed.problems.push((share.list.clone(), String::new()));
    }
    let parked = parts.next().is_some_and(|n| count(&n) > 0);
    claimed.leases = leases.into_iter().flatten().collect();
    Ok((claimed, parked, unreadable))
}

/// Reads `list index \n bytes \n token|id` up to the entry, which may be any bytes.
fn read_line<'a>(line: &'a [u8], lists: &[ListShare]) -> Option<(QueueName, Option<usize>, &'a [u8])> {
    let mut fields = line.splitn(3, |byte| *byte == b'\n');
    let mut number = || -> Option<i64> { std::str::from_utf8(fields.next()?).ok()?.parse().ok() };
    let (index, bytes) = (number()?, number()?);
    let list = lists.get(usize::try_from(index).ok()?.checked_sub(1)?)?.list.clone();
    Some((list, usize::try_from(bytes).ok(), fields.next()?))
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

    #[test]
    fn an_id_may_hold_any_text() {
        let lists = [ListShare { list: QueueName::new("a"), weight: 1, room: 0 }];
        let line = b"1\n-1\n7|odd\nid|with bars";
        let (list, bytes, entry) = read_line(line, &lists).unwrap();
        assert_eq!((list.as_str(), bytes, entry), ("a", None, &b"7|odd\nid|with bars"[..]));
        assert_eq!(split_entry("7|a|b").unwrap(), (7, VconId::from("a|b")));
    }
}
