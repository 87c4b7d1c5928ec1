//! The doors: one script takes one document in, and many of them travel in one pipeline, each behind its document where
//! that is too large to be an argument.

use async_trait::async_trait;
use conserver_core::intake::{Arrival, Arrived, Intake, ONCE, Target};
use conserver_core::store::{DocumentWrite, Encoding};
use conserver_core::vcon::VconId;
use conserver_core::{Error, ErrorKind, QueueName, Result, WorkerId};
use redis::{Cmd, Value};

use crate::error::classify;
use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::{count, integer, text, texts, unexpected};
use crate::settle::millis;
use crate::stage::{Staged, stage_ahead};
use crate::store::index_sets;

const DOING: &str = "take a vCon in";
/// From this many bytes on, documents of one call that are written ahead are sent one by one.
const AHEAD: usize = 1 << 20;

impl RedisQueue {
    /// The command that takes one document in.
    fn arrival(&self, arrival: &Arrival, staged: &Staged<'_>) -> Cmd {
        let sets: Vec<String> = index_sets(&arrival.keys).collect();
        let bytes = 512 + staged.payload().len() + sets.iter().map(String::len).sum::<usize>();
        let mut command = self.scripts.accept.call_of(12 + 2 * arrival.lists.len() + sets.len(), bytes);
        command
            .arg(arrival.id.as_str())
            .arg(staged.mode())
            .arg(staged.payload())
            .arg(arrival.ttl.map_or(0, |ttl| millis(ttl).max(1)))
            .arg(&self.options.sorted_set)
            .arg(arrival.keys.created.map(|at| at.to_string()).unwrap_or_default())
            .arg(self.options.index_expiry.as_secs().max(1))
            .arg(arrival.context.as_deref().unwrap_or_default())
            .arg(self.options.context_expiry.as_secs().max(1))
            .arg(arrival.once.as_deref().unwrap_or_default())
            .arg(millis(ONCE))
            .arg(arrival.lists.len());
        for target in &arrival.lists {
            command.arg(target.list.as_str()).arg(bound(target));
        }
        for set in &sets {
            command.arg(set);
        }
        command
    }

    /// Runs these in one round trip; a script that the server did not know runs again.
    async fn accept_all(&self, steps: Vec<Step>) -> Result<Vec<Value>> {
        if let [Step { ahead: None, script }] = &steps[..] {
            return Ok(vec![self.client.script(DOING, &self.scripts.accept, script).await?]);
        }
        let mut pipeline = redis::pipe();
        let mut sent = Vec::with_capacity(steps.len());
        for Step { ahead, script } in steps {
            sent.push((ahead.is_some(), script.clone()));
            ahead.into_iter().chain([script]).for_each(|command| {
                pipeline.add_command(command);
            });
        }
        let mut all = self.client.pipeline(DOING, &pipeline).await?.into_iter();
        let mut answers = Vec::with_capacity(sent.len());
        for (has_ahead, script) in sent {
            let ahead = if has_ahead { all.next() } else { None };
            let answer = all.next().ok_or_else(|| unexpected(DOING))?;
            answers.push(match (ahead, answer) {
                // That the document is missing is no wonder then.
                (Some(Value::ServerError(error)), _) => Value::ServerError(error),
                (_, Value::ServerError(error)) if error.code() == "NOSCRIPT" => {
                    self.client.script(DOING, &self.scripts.accept, &script).await?
                }
                (_, answer) => answer,
            });
        }
        Ok(answers)
    }
}

/// What takes one document in.
struct Step {
    /// What has to be written before.
    ahead: Option<Cmd>,
    script: Cmd,
}

fn bound(target: &Target) -> String {
    target.bound.map(|bound| bound.to_string()).unwrap_or_default()
}

/// What the script of an arrival says.
fn arrived(answer: Value) -> Result<Arrived> {
    match answer {
        Value::Int(1) => Ok(Arrived::Stored),
        Value::Int(0) => Ok(Arrived::Repeated),
        Value::ServerError(error) => Err(classify(DOING, error.into())),
        other => Err(refusal(&text(other).ok_or_else(|| unexpected("an arrival"))?)),
    }
}

/// From the word of a script to an error.
fn refusal(says: &str) -> Error {
    let (word, about) = says.split_once(' ').unwrap_or((says, ""));
    match word {
        "type" => Error::new(ErrorKind::WrongType, format!("`{about}` holds something else than it has to")),
        "full" => Error::new(ErrorKind::RateLimited, format!("the list `{about}` is full")),
        "once" => Error::new(
            ErrorKind::Conflict,
            format!("this `Idempotency-Key` was used for another vCon, `{about}`"),
        ),
        "gone" => Error::new(ErrorKind::Unavailable, "a staged document vanished before it was taken in"),
        _ => unexpected("an arrival"),
    }
}

#[async_trait]
impl Intake for RedisQueue {
    async fn accept(&self, arrivals: &[Arrival]) -> Vec<Result<Arrived>> {
        let (mut steps, mut ahead_bytes) = (Vec::with_capacity(arrivals.len()), 0);
        for arrival in arrivals {
            let (id, json) = (arrival.id.clone(), arrival.json.clone());
            let document = DocumentWrite { id, json, encoding: Encoding::Text };
            let me = WorkerId::new(&self.sweeper);
            if ahead_bytes < AHEAD
                && let Some((ahead, staged)) = stage_ahead(&me, &document)
            {
                ahead_bytes += document.json.len();
                steps.push(Step { ahead: Some(ahead), script: self.arrival(arrival, &staged) });
                continue;
            }
            match self.stage(&me, &document).await {
                Ok(staged) => steps.push(Step { ahead: None, script: self.arrival(arrival, &staged) }),
                Err(error) => {
                    let failed = error.kind();
                    let says = error.chain();
                    return arrivals.iter().map(|_| Err(Error::new(failed, &*says).context(DOING))).collect();
                }
            }
        }
        match self.accept_all(steps).await {
            Ok(answers) => answers.into_iter().map(arrived).collect(),
            Err(error) => arrivals
                .iter()
                .map(|_| Err(Error::new(error.kind(), error.chain()).applied(error.get_applied())))
                .collect(),
        }
    }

    async fn enqueue(&self, target: &Target, ids: &[VconId], context: Option<&str>) -> Result<u64> {
        let doing = || format!("put ids on `{}`", target.list);
        let mut command = self.scripts.enqueue.call_of(4 + ids.len(), 256 + 40 * ids.len());
        command
            .arg(target.list.as_str())
            .arg(bound(target))
            .arg(context.unwrap_or_default())
            .arg(self.options.context_expiry.as_secs().max(1));
        for id in ids {
            command.arg(id.as_str());
        }
        match self.client.script(&doing(), &self.scripts.enqueue, &command).await? {
            Value::Int(length) => Ok(u64::try_from(length).unwrap_or(0)),
            other => Err(refusal(&text(other).unwrap_or_default()).context(doing())),
        }
    }

    async fn pop(&self, list: &QueueName, count: usize) -> Result<Vec<VconId>> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let doing = format!("pop from `{list}`");
        let mut command = redis::cmd("RPOP");
        command.arg(list.as_str()).arg(count.min(i64::MAX as usize));
        let ids: Vec<VconId> = texts(self.client.command(&doing, &command).await?, "RPOP")?
            .into_iter()
            .map(VconId::from)
            .collect();
        let mut contexts = redis::pipe();
        for id in &ids {
            contexts.cmd("LPOP").arg(keys::context(list, id));
        }
        // The ids are out: their contexts end by themselves where this fails.
        let _ = self.client.pipeline(&doing, &contexts).await;
        Ok(ids)
    }

    async fn length(&self, list: &QueueName) -> Result<u64> {
        let doing = format!("measure `{list}`");
        let length = self.client.command(&doing, redis::cmd("LLEN").arg(list.as_str())).await?;
        integer(&length, "LLEN").map(|_| count(&length))
    }
}
