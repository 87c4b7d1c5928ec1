//! The promise without Redis: the same oracle, the same crashes, on the file.
//!
//! Two chains, one behind the other, with a link that takes its time. A producer pushes while faults happen in a random
//! order (`CONSERVER_SEED` repeats one). Afterwards every id that was acknowledged has to be in the egress list once, with
//! the right document in the file and in the folders, and nothing may be left anywhere. The short form always runs;
//! `CONSERVER_ORACLE=long` runs ten times as much.

mod fault;
mod field;
mod file;

use std::time::Duration;

use conserver_testkit::daemon::Signal;
use fault::Fault;
use field::{Field, Producer};
pub(crate) use file::File;

use crate::proof::{self, Field as _};
use crate::site::until;

#[test]
fn nothing_is_lost_and_nothing_doubled_without_redis() {
    let mut faults = vec![Fault::KillWorker; if crate::is_long() { 30 } else { 8 }];
    for (fault, long, short) in [
        (Fault::KillSupervisor, 3, 1),
        (Fault::KillHost, 3, 1),
        (Fault::LoseLog, 2, 1),
        (Fault::FreezeWorker, 4, 1),
    ] {
        faults.extend(vec![fault; if crate::is_long() { long } else { short }]);
    }
    let vcons = if crate::is_long() { 20_000 } else { 2000 };
    let produce = |field: &Field, seed| {
        let producer = Producer::start(field.folder(), field.oracle.clone(), vcons, seed);
        || producer.finish()
    };
    proof::holds(Field::prepare(), vcons, faults, produce, Field::suffer);
}

#[test]
fn a_worker_that_is_stopped_while_it_writes_is_ended() {
    let field = Field::prepare();
    let producer = Producer::start(field.folder(), field.oracle.clone(), 0, 1);
    // In the middle of a transaction: seen from outside, it holds the lock.
    let mut caught = None;
    until("a worker in the middle of a transaction", || {
        for worker in field.daemon.usual_workers() {
            worker.signal(Signal::STOP);
            let holds = || field.file.holder() == Some(worker.pid);
            // A thread may still come to its commit before the signal reaches it.
            let is_still = || {
                std::thread::sleep(Duration::from_millis(100));
                holds()
            };
            if holds() && is_still() {
                caught = Some(worker);
                return true;
            }
            worker.signal(Signal::CONT);
        }
        std::thread::sleep(Duration::from_micros(fastrand::u64(0..3000)));
        false
    });
    let worker = caught.expect("there was one just now");
    let done = field.file.len("out");
    until("it is ended", || !worker.is_alive());
    until("the work goes on", || field.file.len("out") > done + 100);
    producer.finish();
    field.wait_for_all();
    assert_eq!(field.judge(), Vec::<String>::new());
    assert_eq!(field.daemon.told("holds up all others").len(), 1);
}
