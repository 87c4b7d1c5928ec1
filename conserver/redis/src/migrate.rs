//! From documents of the JSON module to text, and the indices made whole: for a Redis that a Python server filled.
//!
//! Each document is converted by one script, so a migration that is killed leaves every document whole, the old way or
//! the new one; run again, it finds what is left. Entries of indices are added and renamed; `prune.rs` takes out those of
//! documents that are nowhere.

use conserver_core::Result;
use conserver_core::directory::Directory;
use conserver_core::store::{Encoding, IndexKeys, Loaded, VconStore};
use conserver_core::vcon::{Vcon, VconId};
use redis::Value;
use serde::Serialize;

use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::{array, count, text, texts, unexpected};
use crate::store::index_sets;

/// Documents that are read at once.
const READ: usize = 50;
/// Members of the sorted set that one step looks at.
const SCAN: usize = 1000;

/// What a migration found and, if it was to write, mended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// Documents looked at.
    pub documents: u64,
    /// Documents of the JSON module among them.
    pub json_documents: u64,
    /// Members of the sorted set that are bare ids.
    pub bare_members: u64,
    /// Documents with a date that the sorted set did not have.
    pub missing_members: u64,
    /// Ids that a search set of one of their parties did not have.
    pub missing_search_entries: u64,
    /// Members of the sorted set whose document is nowhere; see [`RedisQueue::prune`], as for the next two.
    pub stale_members: u64,
    /// Ids in search sets whose document is nowhere.
    pub stale_search_entries: u64,
    /// Ids whose document has expired in Redis and is in a storage.
    pub stored_elsewhere: u64,
    /// What was left as it is.
    pub problems: Vec<Problem>,
}

/// A key that was left as it is, or a document that is in no index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The key.
    pub key: String,
    /// What is wrong with it.
    pub error: String,
}

impl Migration {
    /// Whether there is, or was, nothing to do.
    pub fn is_nothing(&self) -> bool {
        let documents = self.json_documents;
        let missing = self.bare_members + self.missing_members + self.missing_search_entries;
        let stale = self.stale_members + self.stale_search_entries;
        documents + missing + stale == 0
    }
}

impl RedisQueue {
    /// Looks at the sorted set and at every document; with `apply`, also mends what it finds. `told` hears of each step.
    ///
    /// A key that cannot be mended is a problem and holds up no other. An error is a server that is away or refuses
    /// commands: what was done until then stays done, and the next call goes on from there.
    pub async fn migrate(&self, apply: bool, mut told: impl FnMut(&Migration)) -> Result<Migration> {
        let mut done = Migration::default();
        // Names first: a document whose bare id stands there is not missing.
        self.name_members(apply, &mut done, &mut told).await?;
        let mut from = None;
        loop {
            let (mut ids, next) = self.documents(from.as_deref()).await?;
            // A scan may answer a key twice.
            ids.sort();
            ids.dedup();
            for ids in ids.chunks(READ) {
                self.migrate_documents(ids, apply, &mut done).await?;
                told(&done);
            }
            match next {
                Some(next) => from = Some(next),
                None => return Ok(done),
            }
        }
    }

    async fn name_members(
        &self,
        apply: bool,
        done: &mut Migration,
        told: &mut impl FnMut(&Migration),
    ) -> Result<()> {
        const DOING: &str = "look through the sorted set";
        let set = &self.options.sorted_set;
        let mut cursor = "0".to_owned();
        loop {
            let mut scan = redis::cmd("ZSCAN");
            scan.arg(set).arg(&cursor).arg("COUNT").arg(SCAN);
            let mut page = array(self.client.command(DOING, &scan).await?, "ZSCAN")?;
            let members = texts(page.pop().unwrap_or(Value::Nil), "ZSCAN")?;
            cursor = page.pop().and_then(text).ok_or_else(|| unexpected("ZSCAN"))?;
            let bare =
                || members.chunks(2).map(|pair| &pair[0]).filter(|member| !member.starts_with("vcon:"));
            if apply && bare().next().is_some() {
                let script = &self.scripts.rename_member;
                let mut rename = script.call();
                rename.arg(set);
                for member in bare() {
                    rename.arg(member);
                }
                done.bare_members += count(&self.client.script("name members", script, &rename).await?);
            } else {
                done.bare_members += bare().count() as u64;
            }
            told(done);
            if cursor == "0" {
                return Ok(());
            }
        }
    }

    async fn migrate_documents(&self, ids: &[VconId], apply: bool, done: &mut Migration) -> Result<()> {
        let mut indexed = Vec::new();
        for (id, loaded) in ids.iter().zip(self.load(ids).await?) {
            let (json, encoding) = match loaded {
                Loaded::Found { json, encoding } => (json, encoding),
                Loaded::Unreadable(error) => {
                    done.documents += 1;
                    done.leave(id, error.chain());
                    continue;
                }
                // It expired since the scan.
                Loaded::Missing => continue,
            };
            done.documents += 1;
            if encoding == Encoding::Json {
                match self.unfold(id, apply).await {
                    Ok(converted) => done.json_documents += u64::from(converted),
                    Err(error) if error.is_unavailable() => return Err(error),
                    Err(error) => {
                        done.leave(id, error.chain());
                        continue;
                    }
                }
            }
            match Vcon::parse(id.clone(), json, &Default::default()) {
                Ok(vcon) => indexed.push((id, IndexKeys::of(&vcon))),
                Err(error) => done.leave(id, format!("in no index: {error}")),
            }
        }
        self.complete_indices(&indexed, apply, done).await
    }

    /// Whether it was a document of the JSON module, and is text now (if it was to be).
    async fn unfold(&self, id: &VconId, apply: bool) -> Result<bool> {
        if !apply {
            return Ok(true);
        }
        let script = &self.scripts.unfold;
        let mut command = script.call();
        command.arg(keys::document(id));
        Ok(count(&self.client.script("write a JSON document as text", script, &command).await?) == 1)
    }

    /// Adds what the indices do not have; what they have keeps its score.
    async fn complete_indices(
        &self,
        found: &[(&VconId, IndexKeys)],
        apply: bool,
        done: &mut Migration,
    ) -> Result<()> {
        const DOING: &str = "look at the indices";
        let set = &self.options.sorted_set;
        let mut look = redis::pipe();
        for (id, found_under) in found {
            look.cmd("ZSCORE").arg(set).arg(keys::document(id));
            look.cmd("ZSCORE").arg(set).arg(id.as_str());
            for key in index_sets(found_under) {
                look.cmd("SISMEMBER").arg(key).arg(id.as_str());
            }
        }
        let mut answers = self.client.pipeline(DOING, &look).await?.into_iter();
        let mut next = || answers.next().ok_or_else(|| unexpected("a look at the indices"));
        let mut add = redis::pipe();
        for (id, found_under) in found {
            let (full, bare) = (refused(next()?)?, refused(next()?)?);
            if let Some(created) = found_under.created
                && full == Value::Nil
                && bare == Value::Nil
            {
                done.missing_members += 1;
                add.cmd("ZADD").arg(set).arg("NX").arg(created).arg(keys::document(id));
            }
            for key in index_sets(found_under) {
                match refused(next()?) {
                    Ok(Value::Int(0)) => {
                        done.missing_search_entries += 1;
                        add.cmd("SADD").arg(&key).arg(id.as_str());
                        add.cmd("EXPIRE").arg(&key).arg(self.options.index_expiry.as_secs().max(1));
                    }
                    Ok(_) => {}
                    Err(error) if error.is_unavailable() => return Err(error),
                    // The key belongs to somebody else.
                    Err(error) => done.problems.push(Problem { key, error: error.chain() }),
                }
            }
        }
        if apply {
            self.client.all("complete the indices", &add).await?;
        }
        Ok(())
    }
}

/// An error among the answers of a pipeline, as ours.
fn refused(answer: Value) -> Result<Value> {
    answer.extract_error().map_err(|error| crate::error::classify("look at an index", error))
}

impl Migration {
    fn leave(&mut self, id: &VconId, error: String) {
        self.problems.push(Problem { key: keys::document(id), error });
    }
}
