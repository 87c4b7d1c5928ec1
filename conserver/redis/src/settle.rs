//! Ending leases: from settlements to the arguments of the settle script, and back.

use std::collections::HashSet;

use conserver_core::link::Effect;
use conserver_core::queue::{End, Settled, Settlement};
use conserver_core::store::DocumentWrite;
use conserver_core::{Error, ErrorKind, Result, WorkerId};
use redis::{Cmd, Value};

use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::{array, text, unexpected};
use crate::stage::Staged;

const DOING: &str = "settle";

impl RedisQueue {
    pub(crate) async fn settle_all(&self, worker: &WorkerId, batch: &[Settlement]) -> Result<Vec<Settled>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let follow = can_follow(batch, self.options.follow_from);
        let mut staged = Vec::with_capacity(batch.len());
        for document in documents(batch) {
            let following = if follow { Staged::following(document) } else { None };
            staged.push(match following {
                Some(following) => following,
                None => self.stage(worker, document).await?,
            });
        }
        let arguments = 5 + 20 * batch.len();
        let bytes = 256 * batch.len() + staged.iter().map(|one| one.payload().len()).sum::<usize>();
        let mut command = match follow {
            true => self.scripts.settle.eval_of(arguments, bytes),
            false => self.scripts.settle.call_of(arguments, bytes),
        };
        command
            .arg(worker.as_str())
            .arg(millis(self.options.dlq_expiry))
            .arg(self.options.context_expiry.as_secs().max(1))
            .arg(millis(self.options.vcon_expiry))
            .arg(batch.len());
        let mut rest = &staged[..];
        for settlement in batch {
            let (of_this, later) = rest.split_at(settlement.end.documents().len());
            add_item(&mut command, settlement, of_this);
            rest = later;
        }
        let answered = match follow {
            true => self.settle_and_write(command, documents(batch).zip(&staged)).await,
            false => self.client.script(DOING, &self.scripts.settle, &command).await,
        };
        let answers = match answered {
            Ok(answers) => array(answers, DOING)?,
            Err(error) => {
                let lists = batch.iter().map(|settlement| &settlement.lease.entry.list);
                return Err(self.explained(error, lists, Some(worker)).await);
            }
        };
        if answers.len() != batch.len() {
            return Err(unexpected(DOING));
        }
        answers.into_iter().map(read_answer).collect()
    }

    /// The script, the documents that follow it, and what ends that, in one transaction. The scripts come with their
    /// text: one that the server does not know would leave the documents to be written unchecked.
    async fn settle_and_write<'a>(
        &self,
        script: Cmd,
        documents: impl Iterator<Item = (&'a DocumentWrite, &'a Staged<'a>)>,
    ) -> Result<Value> {
        let mut transaction = redis::pipe();
        transaction.atomic().add_command(script);
        for (document, staged) in documents {
            if let Staged::Following(json) = staged {
                let key = keys::document(&document.id);
                let mut set = Cmd::with_capacity(5, key.len() + json.len() + 16);
                set.arg("SET").arg(key).arg(*json).arg("XX").arg("KEEPTTL");
                transaction.add_command(set);
            }
        }
        transaction.add_command(self.scripts.restore.eval());
        let answers = self.client.transaction(DOING, &transaction).await?;
        answers.into_iter().next().ok_or_else(|| unexpected(DOING))
    }
}

fn documents(batch: &[Settlement]) -> impl Iterator<Item = &DocumentWrite> {
    batch.iter().flat_map(|settlement| settlement.end.documents())
}

/// Whether documents may follow the script, and it pays. Each may be written once: what is set aside for one item must
/// not be what another one wrote.
fn can_follow(batch: &[Settlement], from: usize) -> bool {
    let bytes = documents(batch).map(|document| document.json.len()).sum::<usize>();
    let mut ids = HashSet::new();
    bytes >= from && documents(batch).all(|document| ids.insert(&document.id))
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
