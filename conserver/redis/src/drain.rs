//! The way back to plain lists: whatever no live worker holds returns to where a Python worker finds it.

use conserver_core::queue::{Drained, LEASE, Strikes};
use conserver_core::{QueueName, Result, WorkerId};
use redis::Value;

use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::{array, count, page, text, unexpected};
use crate::settle::millis;

/// One drain script returns about this many ids, so that no script holds Redis up.
const PAGE: usize = 1000;

impl RedisQueue {
    pub(crate) async fn drain_lists(&self, lists: &[QueueName]) -> Result<Drained> {
        // First what lost workers hold: some of it comes back as a retry or a suspect.
        let mut drained = Drained { abandoned: self.reclaim().await?, ..Drained::default() };
        loop {
            let mut command = self.scripts.drain.call();
            command.arg(PAGE).arg(millis(self.options.dlq_expiry));
            for list in lists {
                command.arg(list.as_str());
            }
            let reply = self.client.script("drain", &self.scripts.drain, &command).await?;
            let counts: Vec<u64> = array(reply, "a drain")?.iter().map(count).collect();
            let [delayed, suspects, parked, more] = counts[..] else {
                return Err(unexpected("a drain"));
            };
            drained.delayed += delayed;
            drained.suspects += suspects;
            drained.parked += parked;
            if more == 0 {
                return Ok(drained);
            }
        }
    }

    /// Returns what workers hold that are not registered, or whose lease ended long ago; answers how many entries.
    async fn reclaim(&self) -> Result<u64> {
        let mut lost = Vec::new();
        for status in self.all_workers().await? {
            if -status.lease_ms > 2 * LEASE.as_millis() as i64 {
                lost.push(status.info.id);
            }
        }
        // While Redis was away nobody could renew: then an ended lease says nothing.
        if !lost.is_empty() && self.uptime().await? < 2 * LEASE.as_secs() {
            lost.clear();
        }
        for key in self.scan("cs:wl:*").await? {
            let worker = WorkerId::new(key.trim_start_matches("cs:wl:"));
            let registered = redis::cmd("ZSCORE").arg(keys::WORKERS).arg(worker.as_str()).to_owned();
            if self.client.command("look for lost workers", &registered).await? == Value::Nil {
                lost.push(worker);
            }
        }
        let mut returned = 0;
        for worker in lost {
            let recovered = self.recover_worker(&worker, &Strikes::none()).await?;
            returned += recovered.returned;
        }
        Ok(returned)
    }

    /// Seconds since the server started.
    async fn uptime(&self) -> Result<u64> {
        let info = self.client.command("read the uptime", redis::cmd("INFO").arg("server")).await?;
        let info = text(info).unwrap_or_default();
        let uptime = info.lines().find_map(|line| line.strip_prefix("uptime_in_seconds:"));
        uptime.and_then(|seconds| seconds.trim().parse().ok()).ok_or_else(|| unexpected("INFO"))
    }

    /// Keys of a pattern, with `SCAN` and never `KEYS`.
    pub(crate) async fn scan(&self, pattern: &str) -> Result<Vec<String>> {
        self.scan_for(&["MATCH", pattern]).await
    }

    /// All keys of which this holds, each once.
    pub(crate) async fn scan_for(&self, holds: &[&str]) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let mut cursor = "0".to_owned();
        loop {
            let mut command = redis::cmd("SCAN");
            command.arg(&cursor).arg(holds).arg("COUNT").arg(1000);
            let (next, keys) = page(self.client.command("scan the keys", &command).await?, "SCAN")?;
            found.extend(keys);
            cursor = next;
            if cursor == "0" {
                found.sort_unstable();
                // A scan may answer a key twice.
                found.dedup();
                return Ok(found);
            }
        }
    }
}
