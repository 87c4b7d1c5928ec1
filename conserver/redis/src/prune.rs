//! Entries of indices whose document is nowhere. Times to live take documents away and leave their entries behind.
//!
//! A vCon that has expired here may still be in a storage, so whoever asks says how to look there. Every step is whole:
//! what was taken out stays out, and the next look finds the rest.

use std::collections::HashMap;

use conserver_core::Result;
use conserver_core::vcon::VconId;

use crate::directory::member_id;
use crate::keys;
use crate::migrate::Migration;
use crate::queue::RedisQueue;
use crate::reply::{count, page};

/// Entries, or keys, that one step looks at.
const SCAN: usize = 1000;
/// What names of search sets begin with.
const SEARCH_SETS: [&str; 3] = ["tel:*", "mailto:*", "name:*"];

impl RedisQueue {
    /// Looks for entries of the sorted set and of the search sets whose document is neither here nor `elsewhere`, and
    /// counts them in `done`; with `apply`, also takes them out. `told` hears of each step.
    ///
    /// An error, of the server or of `elsewhere`, leaves what was done until then; the next call goes on from there.
    pub async fn prune(
        &self,
        apply: bool,
        done: &mut Migration,
        elsewhere: impl AsyncFn(&VconId) -> Result<bool>,
        mut told: impl FnMut(&Migration),
    ) -> Result<()> {
        let mut absent = Absent { elsewhere, known: HashMap::new() };
        let members = Index { key: &self.options.sorted_set, scan: "ZSCAN", width: 2 };
        done.stale_members += self.prune_index(&members, apply, &mut absent).await?;
        told(done);
        for pattern in SEARCH_SETS {
            let mut cursor = "0".to_owned();
            loop {
                let mut scan = redis::cmd("SCAN");
                scan.arg(&cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(SCAN).arg("TYPE").arg("set");
                let (next, keys) = page(self.client.command("look for search sets", &scan).await?, "SCAN")?;
                for key in keys {
                    let entries = Index { key: &key, scan: "SSCAN", width: 1 };
                    done.stale_search_entries += self.prune_index(&entries, apply, &mut absent).await?;
                    told(done);
                }
                if next == "0" {
                    break;
                }
                cursor = next;
            }
        }
        done.stored_elsewhere = absent.known.values().filter(|&&is_stored| is_stored).count() as u64;
        Ok(())
    }

    async fn prune_index(
        &self,
        index: &Index<'_>,
        apply: bool,
        absent: &mut Absent<impl AsyncFn(&VconId) -> Result<bool>>,
    ) -> Result<u64> {
        let (mut cursor, mut stale) = ("0".to_owned(), 0);
        loop {
            let mut scan = redis::cmd(index.scan);
            scan.arg(index.key).arg(&cursor).arg("COUNT").arg(SCAN);
            let (next, found) = page(self.client.command("look through an index", &scan).await?, index.scan)?;
            let members: Vec<&String> = found.iter().step_by(index.width).collect();
            let mut look = redis::pipe();
            for member in &members {
                look.cmd("EXISTS").arg(keys::document(&member_id(member)));
            }
            let is_here = self.client.all("look for documents", &look).await?;
            let mut nowhere = Vec::new();
            for (member, is_here) in members.into_iter().zip(is_here) {
                if count(&is_here) == 0 && !absent.is_stored(&member_id(member)).await? {
                    nowhere.push(member);
                }
            }
            stale += if apply { self.unindex(index.key, &nowhere).await? } else { nowhere.len() as u64 };
            if next == "0" {
                return Ok(stale);
            }
            cursor = next;
        }
    }

    async fn unindex(&self, index: &str, members: &[&String]) -> Result<u64> {
        if members.is_empty() {
            return Ok(0);
        }
        let script = &self.scripts.unindex;
        let mut command = script.call();
        command.arg(index);
        for member in members {
            command.arg(member).arg(keys::document(&member_id(member)));
        }
        Ok(count(&self.client.script("take entries out of an index", script, &command).await?))
    }
}

/// One index: its key, the command that goes through it, and how many values that answers for each entry.
struct Index<'a> {
    key: &'a str,
    scan: &'static str,
    width: usize,
}

/// What is not in Redis: whether it is in a storage. An id stands in several indices and is asked for once.
struct Absent<F> {
    elsewhere: F,
    known: HashMap<VconId, bool>,
}

impl<F: AsyncFn(&VconId) -> Result<bool>> Absent<F> {
    async fn is_stored(&mut self, id: &VconId) -> Result<bool> {
        if let Some(is_stored) = self.known.get(id) {
            return Ok(*is_stored);
        }
        let is_stored = (self.elsewhere)(id).await?;
        self.known.insert(id.clone(), is_stored);
        Ok(is_stored)
    }
}
