//! Times to live never run out while an id is queued, parked, in flight or dead: one elected process extends them.

use std::time::Duration;

use conserver_core::vcon::VconId;
use conserver_core::{ErrorKind, QueueName, Result};

use crate::claim::split_entry;
use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::{integer, text, texts};
use crate::settle::millis;

/// One script looks at this many ids.
const PAGE: usize = 500;
/// The election lasts this long and is renewed with each page.
const TERM_MS: u64 = 60_000;

impl RedisQueue {
    pub(crate) async fn sweep_lists(&self, lists: &[QueueName], dlqs: &[QueueName]) -> Result<Option<u64>> {
        if !self.elected().await? {
            return Ok(None);
        }
        let live = self.options.vcon_expiry;
        let mut extended = 0;
        for list in lists {
            let mut held = vec![list.as_str().to_owned(), keys::suspects(list)];
            let all = redis::cmd("ZRANGE").arg(keys::WORKERS).arg(0).arg(-1).to_owned();
            for worker in texts(self.client.command("list workers", &all).await?, "ZRANGE")? {
                held.push(keys::in_flight(list, &worker.as_str().into()));
            }
            for key in held {
                extended += self.sweep_list(&key, key != list.as_str(), live, None).await?;
            }
            extended += self.sweep_delayed(list, live).await?;
        }
        extended += self.sweep_parked(live).await?;
        if !self.options.dlq_expiry.is_zero() {
            for dlq in dlqs {
                extended += self.sweep_list(dlq.as_str(), false, self.options.dlq_expiry, Some(dlq)).await?;
            }
        }
        let now = self.client.command("read the time", &redis::cmd("TIME")).await?;
        let now = crate::recover::milliseconds(now)?;
        let purge = redis::cmd("ZREMRANGEBYSCORE").arg(keys::EXPIRING).arg("-inf").arg(now).to_owned();
        self.client.command("forget what has expired", &purge).await?;
        Ok(Some(extended))
    }

    /// Whether this process is the sweeper: it holds the office, or takes it where it is vacant.
    async fn elected(&self) -> Result<bool> {
        let mut take = redis::cmd("SET");
        take.arg(keys::SWEEPER).arg(&self.sweeper).arg("NX").arg("PX").arg(TERM_MS);
        self.client.command("elect a sweeper", &take).await?;
        let holder = self.client.command("read the sweeper", redis::cmd("GET").arg(keys::SWEEPER)).await?;
        Ok(text(holder).is_some_and(|holder| holder == self.sweeper))
    }

    async fn sweep_list(
        &self,
        key: &str,
        entries: bool,
        least: Duration,
        dlq: Option<&QueueName>,
    ) -> Result<u64> {
        let mut extended = 0;
        for start in (0..).step_by(PAGE) {
            let mut page = redis::cmd("LRANGE");
            page.arg(key).arg(start).arg(start + PAGE - 1);
            let members = match self.client.command("page a list", &page).await {
                Ok(members) => texts(members, "LRANGE")?,
                // No list, no ids.
                Err(error) if error.kind() == ErrorKind::WrongType => Vec::new(),
                Err(error) => return Err(error),
            };
            let last = members.len() < PAGE;
            extended += self.extend(members, entries, least, dlq).await?;
            if last {
                break;
            }
        }
        Ok(extended)
    }

    async fn sweep_delayed(&self, list: &QueueName, least: Duration) -> Result<u64> {
        let mut extended = 0;
        for start in (0..).step_by(PAGE) {
            let mut page = redis::cmd("ZRANGE");
            page.arg(keys::retry(list)).arg(start).arg(start + PAGE - 1);
            let members = texts(self.client.command("page delayed ids", &page).await?, "ZRANGE")?;
            let last = members.len() < PAGE;
            extended += self.extend(members, true, least, None).await?;
            if last {
                break;
            }
        }
        Ok(extended)
    }

    async fn sweep_parked(&self, least: Duration) -> Result<u64> {
        let parked = self.client.command("list parked ids", redis::cmd("HKEYS").arg(keys::PARKED)).await?;
        self.extend(texts(parked, "HKEYS")?, false, least, None).await
    }

    async fn extend(
        &self,
        members: Vec<String>,
        entries: bool,
        least: Duration,
        dlq: Option<&QueueName>,
    ) -> Result<u64> {
        let id_of = |member: String| match entries {
            true => split_entry(&member).map(|(_, id)| id),
            false => Some(VconId::from(member)),
        };
        let ids: Vec<VconId> = members.into_iter().filter_map(id_of).collect();
        let mut extended = 0;
        for page in ids.chunks(PAGE) {
            let renew = redis::cmd("PEXPIRE").arg(keys::SWEEPER).arg(TERM_MS).to_owned();
            self.client.command("stay the sweeper", &renew).await?;
            let mut command = self.scripts.extend.call();
            command.arg(&self.sweeper).arg(millis(least)).arg(dlq.map_or("", |d| d.as_str()));
            for id in page {
                command.arg(id.as_str());
            }
            let answer = self.client.script("extend times to live", &self.scripts.extend, &command).await?;
            extended += u64::try_from(integer(&answer, "an extension")?).unwrap_or(0);
        }
        Ok(extended)
    }
}
