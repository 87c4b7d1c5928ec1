//! The lease of a worker, kept from a thread of its own with a connection of its own.

use std::time::Duration;

use conserver_core::queue::{DeadLetter, Entry, LEASE, LeaseKeeper, Recovered};
use conserver_core::{QueueName, Result, WorkerId};
use redis::{Cmd, Value};

use crate::client::Client;
use crate::error::{breaks_connection, classify};
use crate::options::RedisOptions;
use crate::recover::{read_recovery, recovery_by_text};
use crate::reply::integer;
use crate::script::Scripts;
use crate::settle::{json, millis};

/// Half a lease: an answer that takes longer is of no use to the next renewal.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Keeps one worker's lease.
pub(crate) struct Keeper {
    options: RedisOptions,
    worker: WorkerId,
    scripts: Scripts,
    connection: Option<redis::Connection>,
}

impl Keeper {
    pub(crate) fn new(options: RedisOptions, worker: WorkerId) -> Self {
        Self { options, worker, scripts: Scripts::new(), connection: None }
    }

    fn run(&mut self, doing: &str, command: &Cmd) -> Result<Value> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Client::blocking(&self.options.address, TIMEOUT)?,
        };
        match command.query::<Value>(&mut connection) {
            Ok(value) => {
                self.connection = Some(connection);
                Ok(value)
            }
            Err(error) => {
                if !breaks_connection(&error) {
                    self.connection = Some(connection);
                }
                Err(classify(doing, error))
            }
        }
    }
}

impl LeaseKeeper for Keeper {
    fn renew(&mut self, progress: Duration) -> Result<bool> {
        let mut command = self.scripts.renew.eval();
        command.arg(self.worker.as_str()).arg(millis(LEASE)).arg(millis(progress));
        let answer = self.run("renew the lease", &command)?;
        Ok(integer(&answer, "a renewal")? == 1)
    }

    fn abandon(&mut self, stuck: &Entry, dlq: &QueueName, letter: &DeadLetter) -> Result<()> {
        let mut command = self.scripts.settle.eval();
        command
            .arg(self.worker.as_str())
            .arg(millis(self.options.dlq_expiry))
            .arg(self.options.context_expiry.as_secs().max(1))
            .arg(millis(self.options.vcon_expiry))
            .arg(1)
            .arg(if stuck.is_popped() { "Xctp" } else { "Xct" })
            .arg(stuck.list.as_str())
            .arg(format!("{}|{}", stuck.token, stuck.id))
            .arg(dlq.as_str())
            .arg(json(letter))
            .arg(0)
            .arg(0);
        self.run("dead-letter the vCon that blocks its thread", &command).map(drop)?;
        self.release().map(drop)
    }

    fn release(&mut self) -> Result<Recovered> {
        let command = recovery_by_text(&self.scripts, &self.worker, millis(self.options.dlq_expiry));
        read_recovery(self.run("put back what this worker held", &command)?)
    }
}
