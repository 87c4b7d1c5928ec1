//! Workers come and go: registration, and recovery of what a dead one held.

use conserver_core::queue::{LEASE, Recovered, Strikes, WorkerInfo, WorkerStatus};
use conserver_core::vcon::VconId;
use conserver_core::{QueueName, Result, WorkerId};
use redis::{Cmd, Value};

use crate::keys;
use crate::queue::RedisQueue;
use crate::reply::{array, count, integer, text, texts};
use crate::script::Scripts;
use crate::settle::millis;

impl RedisQueue {
    pub(crate) async fn register_worker(&self, worker: &WorkerInfo) -> Result<()> {
        let mut command = self.scripts.renew.call();
        command.arg(worker.id.as_str()).arg(millis(LEASE)).arg(0);
        command
            .arg("host")
            .arg(&worker.host)
            .arg("realm")
            .arg(&worker.realm)
            .arg("pid")
            .arg(worker.pid)
            .arg("started")
            .arg(worker.started)
            .arg("version")
            .arg(&worker.version)
            .arg("suspects")
            .arg(u8::from(worker.suspects));
        match self.client.script("register a worker", &self.scripts.renew, &command).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.explained(error, [], Some(&worker.id)).await),
        }
    }

    pub(crate) async fn recover_worker(&self, dead: &WorkerId, strikes: &Strikes) -> Result<Recovered> {
        let mut command = self.scripts.recover.call();
        add_recovery(&mut command, dead, strikes, millis(self.options.dlq_expiry));
        match self.client.script("recover a worker", &self.scripts.recover, &command).await {
            Ok(reply) => read_recovery(reply),
            Err(error) => Err(self.explained(error, [], Some(dead)).await),
        }
    }

    pub(crate) async fn all_workers(&self) -> Result<Vec<WorkerStatus>> {
        let doing = "list workers";
        let mut first = redis::pipe();
        first.cmd("TIME").cmd("ZRANGE").arg(keys::WORKERS).arg(0).arg(-1).arg("WITHSCORES");
        let mut answers = self.client.all(doing, &first).await?.into_iter();
        let now = milliseconds(answers.next().unwrap_or(Value::Nil))?;
        let scored = texts(answers.next().unwrap_or(Value::Nil), doing)?;
        let mut workers = Vec::new();
        for pair in scored.chunks_exact(2) {
            let id = WorkerId::new(&pair[0]);
            let lease = pair[1].parse::<f64>().unwrap_or(0.0) as i64;
            let mut facts = redis::pipe();
            facts.cmd("HGETALL").arg(keys::worker(&id)).cmd("SMEMBERS").arg(keys::worker_lists(&id));
            let mut facts = self.client.all(doing, &facts).await?.into_iter();
            let fields = texts(facts.next().unwrap_or(Value::Nil), doing)?;
            let lists = texts(facts.next().unwrap_or(Value::Nil), doing)?;
            let mut lengths = redis::pipe();
            for list in &lists {
                lengths.cmd("LLEN").arg(keys::in_flight(&QueueName::new(list), &id));
            }
            let in_flight = self.client.pipeline(doing, &lengths).await?.iter().map(count).sum();
            workers.push(worker_status(id, lease - now, &fields, in_flight));
        }
        Ok(workers)
    }
}

/// The arguments of the recovery script.
pub(crate) fn add_recovery(command: &mut Cmd, dead: &WorkerId, strikes: &Strikes, dlq_expiry: u64) {
    command
        .arg(dead.as_str())
        .arg(dlq_expiry)
        .arg(u8::from(strikes.all))
        .arg(&strikes.signal)
        .arg(strikes.tokens.len())
        .arg(&strikes.tokens);
    for (list, dlq) in &strikes.dlqs {
        command.arg(list.as_str()).arg(dlq.as_str());
    }
}

/// The recovery script for a connection that is not asynchronous.
pub(crate) fn recovery_by_text(scripts: &Scripts, dead: &WorkerId, dlq_expiry: u64) -> Cmd {
    let mut command = scripts.recover.eval();
    add_recovery(&mut command, dead, &Strikes::none(), dlq_expiry);
    command
}

pub(crate) fn read_recovery(reply: Value) -> Result<Recovered> {
    let mut parts = array(reply, "a recovery")?.into_iter().skip(1);
    let returned = parts.next().map_or(0, |n| count(&n));
    let mut ids = || -> Result<Vec<VconId>> {
        Ok(texts(parts.next().unwrap_or(Value::Nil), "a recovery")?.into_iter().map(VconId::from).collect())
    };
    Ok(Recovered { returned, suspects: ids()?, poison: ids()? })
}

fn worker_status(id: WorkerId, lease_ms: i64, fields: &[String], in_flight: u64) -> WorkerStatus {
    let field = |name: &str| {
        fields.chunks_exact(2).find(|pair| pair[0] == name).map(|pair| pair[1].clone()).unwrap_or_default()
    };
    WorkerStatus {
        lease_ms,
        progress_ms: field("progress").parse().unwrap_or(u64::MAX),
        in_flight,
        info: WorkerInfo {
            id,
            host: field("host"),
            realm: field("realm"),
            pid: field("pid").parse().unwrap_or(0),
            started: field("started").parse().unwrap_or(0),
            version: field("version"),
            suspects: field("suspects") == "1",
        },
    }
}

/// The answer of `TIME` in milliseconds.
pub(crate) fn milliseconds(time: Value) -> Result<i64> {
    let parts: Vec<i64> =
        array(time, "TIME")?.into_iter().filter_map(text).filter_map(|t| t.parse().ok()).collect();
    match parts[..] {
        [seconds, micros] => Ok(seconds * 1000 + micros / 1000),
        _ => integer(&Value::Nil, "TIME"),
    }
}
