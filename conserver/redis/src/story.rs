//! What became of vCons: streams of a bounded length, to which an id belongs by a hash of its own, so that one short
//! stream is read for it and all of them together hold as many runs as there may be.

use std::collections::BTreeSet;

use async_trait::async_trait;
use conserver_core::Result;
use conserver_core::story::{Chronicle, Memory, RunStory};
use conserver_core::vcon::VconId;
use redis::Value;

use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::{array, text};
use crate::settle::{json, millis};

#[async_trait]
impl Chronicle for RedisQueue {
    async fn remember(&self, runs: &[RunStory], memory: Memory) -> Result<()> {
        if runs.is_empty() || memory.runs == 0 {
            return Ok(());
        }
        let length = memory.runs.div_ceil(keys::STORIES);
        let mut streams = BTreeSet::new();
        let mut pipeline = redis::pipe();
        for run in runs {
            let key = keys::story(&run.vcon);
            // Whole nodes of the stream go at once, which costs next to nothing.
            pipeline
                .cmd("XADD")
                .arg(&key)
                .arg("MAXLEN")
                .arg("~")
                .arg(length)
                .arg("*")
                .arg("run")
                .arg(json(run));
            streams.insert(key);
        }
        for key in &streams {
            pipeline.cmd("PEXPIRE").arg(key).arg(millis(memory.age).max(1));
        }
        self.client.all("remember what became of vCons", &pipeline).await.map(drop)
    }

    async fn runs_of(&self, id: &VconId, since: i64) -> Result<Vec<RunStory>> {
        const DOING: &str = "read what became of a vCon";
        let mut command = redis::cmd("XRANGE");
        command.arg(keys::story(id)).arg("-").arg("+");
        let entries = array(self.client.command(DOING, &command).await?, DOING)?;
        let runs = entries.into_iter().filter_map(run_of);
        Ok(runs.filter(|run| run.vcon == *id && run.at >= since).collect())
    }
}

/// An entry is its id and its fields; one of another version may be unreadable and is passed over.
fn run_of(entry: Value) -> Option<RunStory> {
    let fields = array(entry, "XRANGE").ok()?.pop()?;
    serde_json::from_str(&text(array(fields, "XRANGE").ok()?.pop()?)?).ok()
}
