//! The promise, put to the test: an id that reached a list ends in exactly one way, through every crash.
//!
//! Two chains, one behind the other, with a link that takes its time, over two storages. A producer pushes while
//! faults happen in a random order (`CONSERVER_SEED` repeats one). Afterwards every id that Redis took over has to be
//! in the egress list once, with the right document in Redis, in the files and in PostgreSQL, and nothing may be left
//! anywhere. The short form always runs; `CONSERVER_ORACLE=long` runs ten times as much and every kind of fault.

mod fault;
mod field;
mod producer;

use std::time::{Duration, Instant};

use fault::Fault;
use field::Field;
use producer::Producer;

use crate::site::within;

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
    faults.extend([Fault::FreezeWorker; 2]);
    faults.extend([Fault::LoseClaim; 2]);
    faults.extend([Fault::LoseSettle; 2]);
    faults.push(Fault::Outage);
    Form { vcons: 20_000, faults }
}

#[test]
fn nothing_is_lost_and_nothing_doubled_whatever_crashes() {
    let mut form = if crate::is_long() { long() } else { short() };
    let seed = std::env::var("CONSERVER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| fastrand::u64(..));
    println!(
        "seed {seed}: {} vCons, {} faults (CONSERVER_SEED={seed} repeats it)",
        form.vcons,
        form.faults.len()
    );
    fastrand::Rng::with_seed(seed).shuffle(&mut form.faults);

    let start = Instant::now();
    let mut field = Field::prepare();
    let producer = Producer::start(field.site.db.clone(), field.oracle.clone(), form.vcons, seed);
    for (n, fault) in form.faults.iter().enumerate() {
        // Spread over the work, so that each fault meets some.
        let due = form.vcons * (n + 1) / (form.faults.len() + 1);
        within(Duration::from_secs(120), "the work goes on", || field.site.db.len("out") >= due);
        field.suffer(*fault);
    }
    producer.finish();
    field.wait_for_all();
    let redelivered = field.redelivered();
    println!("{} owed, {redelivered} redelivered, {:?} in all", field.owed(), start.elapsed());

    let wrong = field.judge();
    assert!(
        wrong.is_empty(),
        "{} broken promises:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
    assert!(redelivered >= 100, "only {redelivered} were redelivered: the faults met too little work");
    field.fresh_vcon_passes();
}
