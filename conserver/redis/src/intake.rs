//! The doors: one script takes one document in, and many of them travel in one pipeline.

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
use crate::stage::Staged;
use crate::store::index_sets;

const DOING: &str = "take a vCon in";

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

    /// Runs commands of one script in one round trip; one that the server did not know the script for runs again.
    async fn accept_all(&self, commands: &[Cmd]) -> Result<Vec<Value>> {
        if let [command] = commands {
            return Ok(vec![self.client.script(DOING, &self.scripts.accept, command).await?]);
        }
        let mut pipeline = redis::pipe();
        for command in commands {
            pipeline.add_command(command.clone());
        }
        let mut answers = self.client.pipeline(DOING, &pipeline).await?;
        for (answer, command) in answers.iter_mut().zip(commands) {
            if matches!(answer, Value::ServerError(error) if error.code() == "NOSCRIPT") {
                *answer = self.client.script(DOING, &self.scripts.accept, command).await?;
            }
        }
        Ok(answers)
    }
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
        "once" => {
            Error::new(ErrorKind::Conflict, format!("a request of this name was for another vCon, `{about}`"))
        }
        "gone" => Error::new(ErrorKind::Unavailable, "a staged document vanished before it was taken in"),
        _ => unexpected("an arrival"),
    }
}

#[async_trait]
impl Intake for RedisQueue {
    async fn accept(&self, arrivals: &[Arrival]) -> Vec<Result<Arrived>> {
        let mut commands = Vec::with_capacity(arrivals.len());
        for arrival in arrivals {
            let (id, json) = (arrival.id.clone(), arrival.json.clone());
            let document = DocumentWrite { id, json, encoding: Encoding::Text };
            match self.stage(&WorkerId::new(&self.sweeper), &document).await {
                Ok(staged) => commands.push(self.arrival(arrival, &staged)),
                Err(error) => {
                    let failed = error.kind();
                    let says = error.chain();
                    return arrivals.iter().map(|_| Err(Error::new(failed, &*says).context(DOING))).collect();
                }
            }
        }
        match self.accept_all(&commands).await {
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
