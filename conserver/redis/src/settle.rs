//! Ending leases: from settlements to the arguments of the settle script, and back.

use std::sync::atomic::{AtomicU64, Ordering};

use conserver_core::link::Effect;
use conserver_core::queue::{End, Settled, Settlement};
use conserver_core::store::{DocumentWrite, Encoding};
use conserver_core::{Error, ErrorKind, Result, WorkerId};
use redis::{Cmd, Pipeline, Value};

use crate::client::Client;
use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::{array, text, unexpected};

/// Documents above this many bytes are written before the script and renamed by it.
const INLINE: usize = 64 * 1024;
/// A staged document that no script took lives this long.
const STAGED_MS: u64 = 600_000;

impl RedisQueue {
    pub(crate) async fn settle_all(&self, worker: &WorkerId, batch: &[Settlement]) -> Result<Vec<Settled>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::new();
        let mut command = self.scripts.settle.call();
        command
            .arg(worker.as_str())
            .arg(millis(self.options.dlq_expiry))
            .arg(self.options.context_expiry.as_secs().max(1))
            .arg(millis(self.options.vcon_expiry))
            .arg(batch.len());
        for settlement in batch {
            add_item(&mut command, &mut pipeline, worker, settlement);
        }
        let doing = "settle";
        let answers = if pipeline.is_empty() {
            self.client.script(doing, &self.scripts.settle, &command).await
        } else {
            pipeline.add_command(command);
            self.staged_script(doing, &pipeline).await
        };
        let answers = match answers {
            Ok(answers) => array(answers, doing)?,
            Err(error) => {
                let lists = batch.iter().map(|settlement| &settlement.lease.entry.list);
                return Err(self.explained(error, lists, Some(worker)).await);
            }
        };
        if answers.len() != batch.len() {
            return Err(unexpected(doing));
        }
        answers.into_iter().map(read_answer).collect()
    }

    /// Runs a pipeline whose last command is the settle or checkpoint script; loads the scripts and sends
    /// everything again where the server has lost them. Answers the script's reply.
    pub(crate) async fn staged_script(&self, doing: &str, pipeline: &Pipeline) -> Result<Value> {
        let answer = last_answer(&self.client, doing, pipeline).await?;
        match answer.extract_error() {
            Err(error) if error.code() == Some("NOSCRIPT") => {
                self.client.command(doing, &self.scripts.settle.load()).await?;
                self.client.command(doing, &self.scripts.checkpoint.load()).await?;
                let answer = last_answer(&self.client, doing, pipeline).await?;
                answer.extract_error().map_err(|e| crate::error::classify(doing, e))
            }
            answer => answer.map_err(|e| crate::error::classify(doing, e)),
        }
    }
}

/// Runs a pipeline; an error of a command before the last (a staged write) is the whole's.
async fn last_answer(client: &Client, doing: &str, pipeline: &Pipeline) -> Result<Value> {
    let mut answers = client.pipeline(doing, pipeline).await?;
    let last = answers.pop().ok_or_else(|| unexpected(doing))?;
    for answer in answers {
        answer.extract_error().map_err(|e| crate::error::classify(doing, e))?;
    }
    Ok(last)
}

fn add_item(command: &mut Cmd, pipeline: &mut Pipeline, worker: &WorkerId, settlement: &Settlement) {
    let lease = &settlement.lease;
    let entry = &lease.entry;
    let (kind, documents): (&str, &[DocumentWrite]) = match &settlement.end {
        End::Finish(finish) => ("F", &finish.documents),
        End::Retry { documents, .. } => ("R", documents),
        End::Dead { documents, .. } => ("X", documents),
        End::GiveBack => ("G", &[]),
    };
    let chain = match &settlement.end {
        End::Dead { letter, .. } => letter.chain.as_ref().map_or("", |c| c.as_str()),
        _ => "",
    };
    let mut flags = String::new();
    // An id that was popped for good (at-most-once) is in no in-flight list to be checked against.
    if entry.is_popped() {
        flags.push('p');
    }
    if lease.context.is_some() {
        flags.push('c');
    }
    if !lease.tries.is_fresh() {
        flags.push('t');
    }
    command
        .arg(kind)
        .arg(entry.list.as_str())
        .arg(format!("{}|{}", entry.token, entry.id))
        .arg(chain)
        .arg(flags);
    match &settlement.end {
        End::Retry { after, tries, .. } => {
            command.arg(millis(*after)).arg(json(tries));
        }
        End::Dead { dlq, letter, .. } => {
            command.arg(dlq.as_str()).arg(json(letter));
        }
        End::Finish(_) | End::GiveBack => {
            command.arg("").arg("");
        }
    }
    command.arg(documents.len());
    for document in documents {
        let (mode, payload) = stage(pipeline, worker, document);
        command.arg(document.id.as_str()).arg(mode);
        match payload {
            Some(key) => command.arg(key),
            None => command.arg(&document.json[..]),
        };
    }
    add_actions(command, &settlement.end);
}

fn add_actions(command: &mut Cmd, end: &End) {
    let End::Finish(finish) = end else {
        command.arg(0);
        return;
    };
    command.arg(finish.effects.len() + finish.egress.len() + finish.storage_letters.len());
    let context = finish.context.as_deref().unwrap_or_default();
    for letter in &finish.storage_letters {
        let list = letter.storage.dead_letters();
        command.arg("S").arg(list.as_str()).arg(letter.id.as_str()).arg(json(&letter.letter));
    }
    for effect in &finish.effects {
        match effect {
            Effect::Enqueue { queue, id } => {
                command.arg("P").arg(queue.as_str()).arg(id.as_str()).arg(context);
            }
            Effect::ExpireAfter(after) => {
                let id = finish.expires.as_ref().map_or("", |id| id.as_str());
                command.arg("E").arg(id).arg(millis(*after).max(1)).arg("");
            }
        }
    }
    for (list, id) in &finish.egress {
        command.arg("P").arg(list.as_str()).arg(id.as_str()).arg(context);
    }
}

/// How a document travels: its text within the script's arguments, or a key written just before the script.
pub(crate) fn stage(
    pipeline: &mut Pipeline,
    worker: &WorkerId,
    document: &DocumentWrite,
) -> (&'static str, Option<String>) {
    static STAGED: AtomicU64 = AtomicU64::new(0);
    let key = keys::staged(worker, STAGED.fetch_add(1, Ordering::Relaxed));
    match document.encoding {
        Encoding::Text if document.json.len() <= INLINE => return ("s", None),
        Encoding::Text => {
            pipeline.cmd("SET").arg(&key).arg(&document.json[..]).arg("PX").arg(STAGED_MS);
        }
        Encoding::Json => {
            pipeline.cmd("JSON.SET").arg(&key).arg("$").arg(&document.json[..]);
            pipeline.cmd("PEXPIRE").arg(&key).arg(STAGED_MS);
        }
    }
    ("n", Some(key))
}

fn read_answer(answer: Value) -> Result<Settled> {
    match answer {
        Value::Int(1) => Ok(Settled::Applied),
        Value::Int(0) => Ok(Settled::Gone),
        Value::Int(2) => Err(Error::new(
            ErrorKind::Unavailable,
            "a staged document vanished before its settlement; sending it again",
        )),
        other => text(other).map(Settled::Refused).ok_or_else(|| unexpected("a settlement")),
    }
}

/// Whole milliseconds, rounded up.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// Our own records always serialise.
pub(crate) fn json(record: &impl serde::Serialize) -> String {
    serde_json::to_string(record).expect("a record of strings and numbers serialises")
}
