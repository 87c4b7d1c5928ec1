//! Entries whose id is no UTF-8 text. Nothing of ours can name them, so they would never leave the in-flight list:
//! they become dead letters as soon as they are seen.

use conserver_core::queue::DeadLetter;
use conserver_core::{ErrorKind, QueueName, Result, WorkerId};

use crate::queue::RedisQueue;
use crate::settle::{json, millis};

impl RedisQueue {
    /// Dead-letters entries of this worker, each `token|id` in the bytes that lie in Redis.
    pub(crate) async fn bury_unreadable(
        &self,
        worker: &WorkerId,
        entries: &[(QueueName, Vec<u8>)],
    ) -> Result<()> {
        for (list, entry) in entries {
            let letter = DeadLetter {
                reason: ErrorKind::Invalid.as_str().to_owned(),
                error: format!("the id is no UTF-8 text: {}", entry.escape_ascii()),
                list: Some(list.clone()),
                worker: Some(worker.clone()),
                ..DeadLetter::default()
            };
            let mut command = self.scripts.settle.call();
            command
                .arg(worker.as_str())
                .arg(millis(self.options.dlq_expiry))
                .arg(self.options.context_expiry.as_secs().max(1))
                .arg(millis(self.options.vcon_expiry))
                .arg(1)
                .arg("X")
                .arg(list.as_str())
                .arg(&entry[..])
                .arg(list.dead_letters().as_str())
                .arg(json(&letter))
                .arg(0)
                .arg(0);
            self.client.script("dead-letter an id that is no text", &self.scripts.settle, &command).await?;
        }
        Ok(())
    }
}
