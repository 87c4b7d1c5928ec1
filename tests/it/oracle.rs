//! The promise, put to the test: an id that reached a list ends in exactly one way, through every crash.
//!
//! Two chains, one behind the other, with a link that takes its time, over two storages. A producer pushes while
//! faults happen in a random order (`CONSERVER_SEED` repeats one). Afterwards every id that Redis took over has to be
//! in the egress list once, with the right document in Redis, in the files and in PostgreSQL, and nothing may be left
//! anywhere. The short form always runs; `CONSERVER_ORACLE=long` runs ten times as much and every kind of fault.

mod fault;
mod field;
mod producer;

use fault::Fault;
use field::Field;
use producer::Producer;

use crate::proof;

/// How much is pushed, and what happens meanwhile.
struct Form {
    vcons: usize,
    faults: Vec<Fault>,
}

fn short() -> Form {
    let mut faults = vec![Fault::KillWorker; 8];
    faults.extend([
        Fault::KillSupervisor,
        Fault::KillHost,
        Fault::LoseLog,
        Fault::KillRedis,
        Fault::LoseClaim,
        Fault::LoseSettle,
    ]);
    Form { vcons: 2000, faults }
}

fn long() -> Form {
    let mut faults = vec![Fault::KillWorker; 20];
    faults.extend([Fault::KillRedis; 3]);
    faults.extend([Fault::KillSupervisor; 2]);
    faults.extend([Fault::KillHost; 2]);
    faults.extend([Fault::LoseLog; 2]);
    faults.extend([Fault::FreezeWorker; 2]);
    faults.extend([Fault::LoseClaim; 2]);
    faults.extend([Fault::LoseSettle; 2]);
    faults.push(Fault::Outage);
    Form { vcons: 20_000, faults }
}

#[test]
fn nothing_is_lost_and_nothing_doubled_whatever_crashes() {
    let Form { vcons, faults } = if crate::is_long() { long() } else { short() };
    let produce = |field: &Field, seed| {
        let producer = Producer::start(field.site.db.clone(), field.oracle.clone(), vcons, seed);
        || producer.finish()
    };
    proof::holds(Field::prepare(), vcons, faults, produce, Field::suffer);
}
