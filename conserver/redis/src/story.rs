//! What became of vCons: streams of a bounded length, to which an id belongs by a hash of its own, so that one short
//! stream is read for it and all of them together hold as many runs as there may be.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use conserver_core::Result;
use conserver_core::story::{Chronicle, Memory, RunStory};
use conserver_core::vcon::VconId;
use redis::Value;

use crate::keys;
use crate::queue::RedisQueue;
use crate::recover::milliseconds;
use crate::reply::{array, text, texts};
use crate::settle::{json, millis};

/// All notes go this long after the last one that was left.
const NOTES_LIVE: Duration = Duration::from_secs(10);

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

    async fn leave_note(&self, instance: &str, note: Option<&str>, lives: Duration) -> Result<()> {
        let (now, notes) = self.all_notes().await?;
        let mut pipeline = redis::pipe();
        if let Some(note) = note {
            let until = now.saturating_add(i64::try_from(lives.as_millis()).unwrap_or(i64::MAX));
            pipeline.cmd("HSET").arg(keys::NOTES).arg(instance).arg(json(&(until, note)));
        }
        let ended = |name: &str, until| if name == instance { note.is_none() } else { until < now };
        for (name, ..) in notes.iter().filter(|(name, until, _)| ended(name, *until)) {
            pipeline.cmd("HDEL").arg(keys::NOTES).arg(name);
        }
        if note.is_some() {
            pipeline.cmd("PEXPIRE").arg(keys::NOTES).arg(millis(lives.max(NOTES_LIVE)));
        }
        self.client.all("leave a note", &pipeline).await.map(drop)
    }

    async fn notes(&self) -> Result<Vec<String>> {
        let (now, notes) = self.all_notes().await?;
        Ok(notes.into_iter().filter(|(_, until, _)| *until >= now).map(|(.., note)| note).collect())
    }
}

impl RedisQueue {
    /// The time, and each instance with its note and until when that counts, the ended ones included.
    async fn all_notes(&self) -> Result<(i64, Vec<(String, i64, String)>)> {
        const DOING: &str = "read the notes of instances";
        let mut look = redis::pipe();
        look.cmd("TIME").cmd("HGETALL").arg(keys::NOTES);
        let mut answers = self.client.all(DOING, &look).await?.into_iter();
        let mut next = || answers.next().unwrap_or(Value::Nil);
        let now = milliseconds(next())?;
        let mut fields = texts(next(), DOING)?.into_iter();
        let mut notes = Vec::new();
        while let (Some(name), Some(note)) = (fields.next(), fields.next()) {
            // One of another version may be unreadable: it counts as ended.
            let (until, note) = serde_json::from_str(&note).unwrap_or_default();
            notes.push((name, until, note));
        }
        notes.sort();
        Ok((now, notes))
    }
}

/// An entry is its id and its fields; one of another version may be unreadable and is passed over.
fn run_of(entry: Value) -> Option<RunStory> {
    let fields = array(entry, "XRANGE").ok()?.pop()?;
    serde_json::from_str(&text(array(fields, "XRANGE").ok()?.pop()?)?).ok()
}
