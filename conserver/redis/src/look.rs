//! What people ask about lists: which there are, and why ids wait in the delay.

use conserver_core::queue::Tries;
use conserver_core::{QueueName, Result};

use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::{count, text, texts};

/// Lists that one round trip looks at.
const PAGE: usize = 500;

impl RedisQueue {
    /// Other programs may have lists here, too: one is told if the id at its head has a document.
    pub(crate) async fn lists_of_vcons(&self) -> Result<Vec<(QueueName, u64)>> {
        const DOING: &str = "look for lists";
        let keys = self.scan_for(&["TYPE", "list"]).await?;
        let keys: Vec<_> = keys.into_iter().filter(|key| !key.starts_with(keys::OURS)).collect();
        let mut lists = Vec::new();
        for page in keys.chunks(PAGE) {
            let mut heads = redis::pipe();
            for key in page {
                heads.cmd("LINDEX").arg(key).arg(0).cmd("LLEN").arg(key);
            }
            // A key that we may not read is answered with an error, and is no list of ours.
            let mut answers = self.client.pipeline(DOING, &heads).await?.into_iter();
            let mut next = || answers.next().unwrap_or(redis::Value::Nil);
            let found: Vec<_> = page
                .iter()
                .filter_map(|key| {
                    let (head, length) = (text(next()), count(&next()));
                    Some((key, keys::document(&head?.into()), length))
                })
                .collect();
            let mut stored = redis::pipe();
            for (_, document, _) in &found {
                stored.cmd("EXISTS").arg(document);
            }
            let stored = self.client.pipeline(DOING, &stored).await?;
            let known = found.into_iter().zip(stored).filter(|(_, stored)| count(stored) == 1);
            lists.extend(known.map(|((key, _, length), _)| (QueueName::new(key), length)));
        }
        Ok(lists)
    }

    pub(crate) async fn last_error_of_delayed(&self, list: &QueueName) -> Result<Option<String>> {
        const DOING: &str = "look why ids are delayed";
        let first =
            self.client.command(DOING, redis::cmd("ZRANGE").arg(keys::retry(list)).arg(0).arg(0)).await?;
        let Some(entry) = texts(first, "ZRANGE")?.pop() else { return Ok(None) };
        let token = entry.split('|').next().unwrap_or_default();
        let tries = self.client.command(DOING, redis::cmd("HGET").arg(keys::tries(list)).arg(token)).await?;
        let tries = text(tries).and_then(|tries| serde_json::from_str::<Tries>(&tries).ok());
        Ok(tries.and_then(|tries| tries.last_error))
    }
}
