//! Ending leases: from settlements to the arguments of the settle script, and back.

use conserver_core::link::Effect;
use conserver_core::queue::{End, Settled, Settlement};
use conserver_core::{Error, ErrorKind, Result, WorkerId};
use redis::{Cmd, Value};

use crate::queue::RedisQueue;
use crate::reply::{array, text, unexpected};
use crate::stage::Staged;

impl RedisQueue {
    pub(crate) async fn settle_all(&self, worker: &WorkerId, batch: &[Settlement]) -> Result<Vec<Settled>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = batch.iter().map(Settlement::weight).sum();
        let mut command = self.scripts.settle.call_of(5 + 20 * batch.len(), bytes);
        command
            .arg(worker.as_str())
            .arg(millis(self.options.dlq_expiry))
            .arg(self.options.context_expiry.as_secs().max(1))
            .arg(millis(self.options.vcon_expiry))
            .arg(batch.len());
        for settlement in batch {
            let mut staged = Vec::new();
            for document in settlement.end.documents() {
                staged.push(self.stage(worker, document).await?);
            }
            add_item(&mut command, settlement, &staged);
        }
        let doing = "settle";
        let answers = match self.client.script(doing, &self.scripts.settle, &command).await {
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
}

fn add_item(command: &mut Cmd, settlement: &Settlement, staged: &[Staged<'_>]) {
    let lease = &settlement.lease;
    let entry = &lease.entry;
    let kind = match &settlement.end {
        End::Finish(_) => "F",
        End::Retry { .. } => "R",
        End::Dead { .. } => "X",
        End::GiveBack => "G",
    };
    let mut head = kind.to_owned();
    // An id that was popped for good (at-most-once) is in no in-flight list to be checked against.
    if entry.is_popped() {
        head.push('p');
    }
    if lease.context.is_some() {
        head.push('c');
    }
    if !lease.tries.is_fresh() {
        head.push('t');
    }
    command.arg(head).arg(entry.list.as_str()).arg(format!("{}|{}", entry.token, entry.id));
    match &settlement.end {
        End::Retry { after, tries, .. } => {
            command.arg(millis(*after)).arg(json(tries));
        }
        End::Dead { dlq, letter, .. } => {
            command.arg(dlq.as_str()).arg(json(letter));
        }
        End::Finish(_) | End::GiveBack => {}
    }
    command.arg(staged.len()).arg(actions_of(&settlement.end));
    for (document, staged) in settlement.end.documents().iter().zip(staged) {
        command.arg(document.id.as_str()).arg(staged.mode()).arg(staged.payload());
    }
    add_actions(command, &settlement.end);
}

/// How many actions [`add_actions`] adds.
fn actions_of(end: &End) -> usize {
    match end {
        End::Finish(finish) => finish.effects.len() + finish.egress.len() + finish.storage_letters.len(),
        _ => 0,
    }
}

fn add_actions(command: &mut Cmd, end: &End) {
    let End::Finish(finish) = end else { return };
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
