//! Dead letters: the plain list that other programs know, and the hash beside each entry that says why.

use conserver_core::queue::{DeadLetter, Letter, Paging};
use conserver_core::vcon::VconId;
use conserver_core::{Error, ErrorKind, QueueName, Result};
use redis::Value;

use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::{texts, unexpected};

/// One script moves at most this many letters, so that none holds Redis up.
const PAGE: usize = 500;

impl RedisQueue {
    pub(crate) async fn letters(&self, dlq: &QueueName, paging: Paging) -> Result<Vec<Letter>> {
        let ids = self.peek_ids(dlq, paging.offset, paging.limit).await?;
        let mut hashes = redis::pipe();
        for id in &ids {
            hashes.cmd("HGETALL").arg(keys::letter(dlq, id));
        }
        let answers = self.client.pipeline("read dead letters", &hashes).await?;
        ids.into_iter()
            .zip(answers)
            .map(|(id, fields)| {
                let fields = texts(fields, "HGETALL").unwrap_or_default();
                Ok(Letter { id, why: read_letter(&fields) })
            })
            .collect()
    }

    pub(crate) async fn move_letters(
        &self,
        dlq: &QueueName,
        letters: &[VconId],
        target: Option<&QueueName>,
    ) -> Result<usize> {
        let mut moved = 0;
        for page in letters.chunks(PAGE) {
            let mut command = self.scripts.replay.call();
            command.arg(dlq.as_str()).arg(target.map_or("", |t| t.as_str()));
            for id in page {
                command.arg(id.as_str());
            }
            match self.client.script("move dead letters", &self.scripts.replay, &command).await? {
                Value::Int(n) => moved += usize::try_from(n).unwrap_or(0),
                other => {
                    let says = crate::reply::text(other).ok_or_else(|| unexpected("a replay"))?;
                    return Err(Error::new(ErrorKind::WrongType, says));
                }
            }
        }
        Ok(moved)
    }
}

/// A letter from the fields of its hash; `None` where there is none.
fn read_letter(fields: &[String]) -> Option<DeadLetter> {
    if fields.is_empty() {
        return None;
    }
    let field = |name: &str| fields.chunks_exact(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str());
    Some(DeadLetter {
        reason: field("reason").unwrap_or("unknown").to_owned(),
        error: field("error").unwrap_or_default().to_owned(),
        list: field("list").map(Into::into),
        chain: field("chain").filter(|c| !c.is_empty()).map(Into::into),
        link: field("link").map(Into::into),
        storage: field("storage").map(Into::into),
        attempt: field("attempt").and_then(|n| n.parse().ok()).unwrap_or(0),
        may_have_happened: field("may_have_happened") == Some("true"),
        signal: field("signal").map(str::to_owned),
        trace_id: field("trace_id").map(str::to_owned),
        worker: field("worker").map(Into::into),
        at: field("at").and_then(|n| n.parse().ok()).unwrap_or(0),
    })
}
