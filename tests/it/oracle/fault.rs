//! The faults, one function each: how many ids they met in flight, and how long until those were taken up again.

use std::collections::HashSet;
use std::time::Duration;

use conserver_testkit::daemon::{Signal, Worker};
use conserver_testkit::proxy::Request;
use redis::Commands;

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
    /// `kill -9` of Redis, which is started again on its append-only file.
    KillRedis,
    /// A worker stands still for longer than its lease, and goes on after it was declared dead.
    FreezeWorker,
    /// Redis cannot be reached for ten seconds.
    Outage,
    /// A claim took ids, and the worker never heard of it.
    LoseClaim,
    /// A settlement took place, and the worker never heard of it.
    LoseSettle,
}

/// A recovery that takes longer than this is broken. The figure printed is what it takes.
const RECOVERY_LIMIT: Duration = Duration::from_secs(10);
/// The same where a lease has to end first.
const LEASE_RECOVERY_LIMIT: Duration = Duration::from_secs(60);

impl Field {
    /// Lets a fault happen, and says what it met.
    pub(super) fn suffer(&mut self, fault: Fault) {
        let done = self.site.db.len("out");
        let told = match fault {
            Fault::KillWorker => self.kill_worker(),
            Fault::KillSupervisor => self.kill_supervisor(),
            Fault::KillHost => self.kill_host(),
            Fault::LoseLog => self.lose_log(),
            Fault::KillRedis => self.kill_redis(),
            Fault::FreezeWorker => self.freeze_worker(),
            Fault::Outage => self.outage(),
            Fault::LoseClaim => self.lose(Request::Claim),
            Fault::LoseSettle => self.lose(Request::Settle),
        };
        println!("at {done:>5} done: {:<15} {told}", format!("{fault:?}"));
    }

    fn kill_worker(&mut self) -> String {
        let worker = self.busiest();
        // It stands still first, so that what is counted is what it held when it died.
        worker.signal(Signal::STOP);
        let held = self.site.db.held(Some(worker.pid));
        assert!(worker.signal(Signal::KILL));
        let took = self.until_taken_up(&held, &[worker], RECOVERY_LIMIT);
        format!("{:>4} in flight, taken up again after {took:?}", held.len())
    }

    fn kill_supervisor(&mut self) -> String {
        let held = self.site.db.in_flight(None);
        self.daemon.kill();
        self.daemon = self.site.run(2);
        format!("{held:>4} in flight, which its workers finish")
    }

    fn lose_log(&mut self) -> String {
        self.daemon.kill();
        self.daemon = self.site.run_without_log(2);
        let told = self.kill_worker();
        // What the others meet is read from the log.
        self.daemon.kill();
        self.daemon = self.site.run(2);
        format!("{told}, all of it untold")
    }

    fn kill_host(&mut self) -> String {
        self.busiest();
        let workers = self.daemon.workers();
        for worker in &workers {
            worker.signal(Signal::STOP);
        }
        let held = self.site.db.held(None);
        self.daemon.kill();
        for worker in &workers {
            worker.signal(Signal::KILL);
        }
        self.daemon = self.site.run(2);
        let took = self.until_taken_up(&held, &workers, RECOVERY_LIMIT);
        format!("{:>4} in flight, taken up again {took:?} after the new start", held.len())
    }

    fn kill_redis(&mut self) -> String {
        let (held, done) = (self.site.db.in_flight(None), self.site.db.len("out"));
        self.site.redis.kill();
        self.site.redis.restart();
        let took =
            within(LIMIT, "work goes on after the crash of Redis", || self.site.db.len("out") > done + 100);
        format!("{held:>4} in flight, 100 more done {took:?} after the restart")
    }

    fn freeze_worker(&mut self) -> String {
        let worker = self.busiest();
        worker.signal(Signal::STOP);
        let held = self.site.db.held(Some(worker.pid));
        let took = self.until_taken_up(&held, &[worker], LEASE_RECOVERY_LIMIT);
        assert!(worker.signal(Signal::CONT));
        within(LIMIT, "the worker that was declared dead ends", || !worker.is_alive());
        format!("{:>4} in flight, taken up again after {took:?}", held.len())
    }

    fn outage(&mut self) -> String {
        let (held, done) = (self.site.db.in_flight(None), self.site.db.len("out"));
        self.proxy.refuse();
        std::thread::sleep(Duration::from_secs(10));
        self.proxy.resume();
        let took = within(LIMIT, "work goes on after the outage", || self.site.db.len("out") > done + 100);
        format!("{held:>4} in flight, 100 more done {took:?} after the outage")
    }

    fn lose(&mut self, request: Request) -> String {
        let (held, lost) = (self.site.db.in_flight(None), self.proxy.lost());
        self.proxy.lose_reply_of(request);
        within(LIMIT, "a reply to lose", || self.proxy.lost() > lost);
        format!("{held:>4} in flight")
    }

    /// The worker that holds most; waits until it holds a fair number.
    fn busiest(&self) -> Worker {
        let mut found = None;
        within(LIMIT, "a worker with ids in flight", || {
            let workers = self.daemon.usual_workers().into_iter();
            let held = workers.map(|worker| (self.site.db.in_flight(Some(worker.pid)), worker));
            found = held.max_by_key(|(held, _)| *held);
            found.is_some_and(|(held, _)| held >= 20)
        });
        found.expect("there was one just now").1
    }

    /// Waits until none of these ids is with a dead worker or back in its list.
    fn until_taken_up(&self, ids: &[String], dead: &[Worker], limit: Duration) -> Duration {
        let ids: HashSet<&str> = ids.iter().map(String::as_str).collect();
        let mut connection = self.site.db.connect();
        within(limit, "what was in flight is taken up again", || {
            if dead.iter().any(|worker| !self.site.db.workers(Some(worker.pid)).is_empty()) {
                return false;
            }
            // Recovery puts them at the head.
            let head = isize::try_from(ids.len()).expect("no more than there are") + 200;
            let mut waits = |list: &str| {
                let first: Vec<String> = connection.lrange(list, 0, head).unwrap();
                first.iter().any(|id| ids.contains(id.as_str()))
            };
            !waits("in") && !waits("mid")
        })
    }
}
