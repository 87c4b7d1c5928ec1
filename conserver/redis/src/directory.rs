//! Which vCons there are: the sorted set of all, the sets of parties, and the documents themselves.

use async_trait::async_trait;
use conserver_core::Result;
use conserver_core::directory::{CreatedRange, Dated, Directory, PartyTerms};
use conserver_core::queue::Paging;
use conserver_core::vcon::VconId;
use redis::Cmd;

use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::{count, page, text, texts, unexpected};

/// Entries that one step of a cursor reads at least: those of the cursor's own second are passed over.
const STEP: usize = 100;
/// Keys that one step over all documents looks at.
const SCAN: usize = 1000;

impl RedisQueue {
    /// A part of the sorted set, the newest first.
    fn by_date(&self, range: CreatedRange, offset: usize, limit: usize) -> Cmd {
        let end = |end: Option<i64>, open: &str| end.map_or_else(|| open.to_owned(), |at| at.to_string());
        let mut command = redis::cmd("ZREVRANGEBYSCORE");
        command
            .arg(&self.options.sorted_set)
            .arg(end(range.until, "+inf"))
            .arg(end(range.since, "-inf"))
            .arg("LIMIT")
            .arg(offset.min(i64::MAX as usize))
            .arg(limit.min(i64::MAX as usize));
        command
    }
}

/// Members are keys of documents; the Python server also leaves bare ids.
pub(crate) fn member_id(member: &str) -> VconId {
    VconId::from(member.strip_prefix("vcon:").unwrap_or(member))
}

#[async_trait]
impl Directory for RedisQueue {
    async fn newest(&self, range: CreatedRange, page: Paging) -> Result<Vec<VconId>> {
        if page.limit == 0 {
            return Ok(Vec::new());
        }
        let command = self.by_date(range, page.offset, page.limit);
        let members = self.client.command("list vCons by date", &command).await?;
        Ok(texts(members, "ZREVRANGEBYSCORE")?.iter().map(|member| member_id(member)).collect())
    }

    async fn after(&self, range: CreatedRange, last: Option<&Dated>, limit: usize) -> Result<Vec<Dated>> {
        const DOING: &str = "list vCons by date";
        let until = match (range.until, last) {
            (Some(until), Some(last)) => Some(until.min(last.created)),
            (until, last) => until.or(last.map(|last| last.created)),
        };
        let range = CreatedRange { until, ..range };
        let mut found: Vec<Dated> = Vec::new();
        let mut offset = 0;
        while found.len() < limit {
            let step = (limit - found.len()).max(STEP);
            let mut command = self.by_date(range, offset, step);
            command.arg("WITHSCORES");
            let part = texts(self.client.command(DOING, &command).await?, DOING)?;
            for pair in part.chunks_exact(2) {
                let created: f64 = pair[1].parse().map_err(|_| unexpected("ZREVRANGEBYSCORE"))?;
                let dated = Dated { created: created as i64, id: member_id(&pair[0]) };
                // Those of the same second that were on the pages before.
                let is_before = last.is_some_and(|last| dated.created == last.created && dated.id >= last.id);
                if !is_before && found.len() < limit {
                    found.push(dated);
                }
            }
            if part.len() < 2 * step {
                break;
            }
            offset += step;
        }
        Ok(found)
    }

    async fn count(&self, range: CreatedRange) -> Result<u64> {
        let end = |end: Option<i64>, open: &str| end.map_or_else(|| open.to_owned(), |at| at.to_string());
        let mut command = redis::cmd("ZCOUNT");
        command.arg(&self.options.sorted_set).arg(end(range.since, "-inf")).arg(end(range.until, "+inf"));
        Ok(count(&self.client.command("count vCons", &command).await?))
    }

    async fn search(&self, terms: &PartyTerms) -> Result<Vec<VconId>> {
        let sets: Vec<String> = terms.iter().map(|(kind, value)| format!("{kind}:{value}")).collect();
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("SINTER");
        for set in &sets {
            command.arg(set);
        }
        let mut ids = texts(self.client.command("search vCons by party", &command).await?, "SINTER")?;
        ids.sort();
        Ok(ids.into_iter().map(VconId::from).collect())
    }

    async fn present(&self, ids: &[VconId]) -> Result<Vec<bool>> {
        let mut look = redis::pipe();
        for id in ids {
            look.cmd("TYPE").arg(keys::document(id));
        }
        let answers = self.client.all("look for documents", &look).await?;
        let is_document = |answer| matches!(text(answer).as_deref(), Some("string" | "ReJSON-RL"));
        Ok(answers.into_iter().map(is_document).collect())
    }

    async fn documents(&self, from: Option<&str>) -> Result<(Vec<VconId>, Option<String>)> {
        let mut command = redis::cmd("SCAN");
        command.arg(from.unwrap_or("0")).arg("MATCH").arg("vcon:*").arg("COUNT").arg(SCAN);
        let (next, keys) = page(self.client.command("look through all documents", &command).await?, "SCAN")?;
        let ids = keys.iter().filter_map(|key| key.strip_prefix("vcon:")).map(VconId::from).collect();
        Ok((ids, (next != "0").then_some(next)))
    }
}
