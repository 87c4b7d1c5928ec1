//! The faults, one function each: how many ids they met in flight, and how long until those were taken up again.

use std::collections::HashSet;
use std::time::Duration;

use conserver_testkit::daemon::{Signal, Worker};

use super::field::Field;
use crate::site::{LIMIT, within};

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// `kill -9` of one worker.
    KillWorker,
    /// `kill -9` of the supervisor, which is started again; its workers are left to themselves.
    KillSupervisor,
    /// `kill -9` of the supervisor and all workers at once; started again.
    KillHost,
    /// A new supervisor cannot write a line of its log, and loses a worker.
    LoseLog,
    /// A worker stands still for longer than its lease, perhaps in the middle of a transaction, and goes on afterwards.
    FreezeWorker,
}

impl Field {
    /// Lets a fault happen, and says what it met.
    pub(super) fn suffer(&mut self, fault: Fault) {
        let done = self.file.len("out");
        let told = match fault {
            Fault::KillWorker => self.kill_worker(),
            Fault::KillSupervisor => self.kill_supervisor(),
            Fault::KillHost => self.kill_host(),
            Fault::LoseLog => self.lose_log(),
            Fault::FreezeWorker => self.freeze_worker(),
        };
        println!("at {done:>5} done: {:<15} {told}", format!("{fault:?}"));
    }

    fn kill_worker(&mut self) -> String {
        let worker = self.busiest();
        // It stands still first, so that what is counted is what it held when it died.
        worker.signal(Signal::STOP);
        let held = self.file.held(Some(worker.pid));
        assert!(worker.signal(Signal::KILL));
        let took = self.until_taken_up(&held, &[worker]);
        format!("{:>4} in flight, taken up again after {took:?}", held.len())
    }

    fn kill_supervisor(&mut self) -> String {
        let held = self.file.held(None).len();
        self.daemon.kill();
        self.start();
        format!("{held:>4} in flight, which its workers finish")
    }

    fn lose_log(&mut self) -> String {
        self.daemon.kill();
        self.start_without_log();
        let told = self.kill_worker();
        // What the others meet is read from the log.
        self.daemon.kill();
        self.start();
        format!("{told}, all of it untold")
    }

    fn kill_host(&mut self) -> String {
        self.busiest();
        let workers = self.daemon.workers();
        for worker in &workers {
            worker.signal(Signal::STOP);
        }
        let held = self.file.held(None);
        self.daemon.kill();
        for worker in &workers {
            worker.signal(Signal::KILL);
        }
        self.start();
        let took = self.until_taken_up(&held, &workers);
        format!("{:>4} in flight, taken up again {took:?} after the new start", held.len())
    }

    fn freeze_worker(&mut self) -> String {
        let worker = self.busiest();
        worker.signal(Signal::STOP);
        let held = self.file.held(Some(worker.pid));
        let writes = self.file.holder() == Some(worker.pid);
        let took = self.until_taken_up(&held, &[worker]);
        // One that was caught in the middle of a transaction has been ended by now.
        worker.signal(Signal::CONT);
        within(LIMIT, "the worker that was declared dead ends", || !worker.is_alive());
        let middle = if writes { " (in the middle of a transaction)" } else { "" };
        format!("{:>4} in flight{middle}, taken up again after {took:?}", held.len())
    }

    /// The worker that holds most; waits until it holds a fair number.
    fn busiest(&self) -> Worker {
        let mut found = None;
        within(LIMIT, "a worker with ids in flight", || {
            let workers = self.daemon.usual_workers().into_iter();
            let held = workers.map(|worker| (self.file.held(Some(worker.pid)).len(), worker));
            found = held.max_by_key(|(held, _)| *held);
            found.is_some_and(|(held, _)| held >= 20)
        });
        found.expect("there was one just now").1
    }

    /// Waits until none of these ids is with a dead worker or back in its list.
    fn until_taken_up(&self, ids: &[String], dead: &[Worker]) -> Duration {
        let ids: HashSet<&str> = ids.iter().map(String::as_str).collect();
        // Longer than a worker that hangs is given before it ends itself, and says so.
        within(LIMIT + Duration::from_secs(30), "what was in flight is taken up again", || {
            let waits = |list: &str| self.file.list(list).iter().any(|id| ids.contains(id.as_str()));
            dead.iter().all(|worker| self.file.workers(worker.pid) == 0) && !waits("in") && !waits("mid")
        })
    }
}
