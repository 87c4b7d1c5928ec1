//! Pushes while everything breaks. A reply of Redis makes an id an obligation; without one, it may be there or not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use conserver_testkit::oracle::Oracle;
use conserver_testkit::vcons::Vcons;
use redis::Commands;

use crate::db::{Db, id_of};
use crate::proof::expected;

/// Ids of one push.
const BATCH: usize = 20;
/// So many may wait; a full list would make every fault meet the same.
const AHEAD: usize = 400;

/// A producer at work.
pub(super) struct Producer {
    thread: JoinHandle<()>,
    enough: Arc<AtomicBool>,
}

impl Producer {
    /// Pushes until so many ids are owed and [`Producer::finish`] is called: every fault meets some work.
    pub(super) fn start(db: Db, oracle: Arc<Mutex<Oracle>>, total: usize, seed: u64) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let ended = enough.clone();
        let thread = std::thread::spawn(move || {
            let mut vcons = Vcons::new(seed);
            while oracle.lock().unwrap().count() < total || !ended.load(Ordering::SeqCst) {
                match db.attempt(|connection| connection.llen::<_, usize>("in")) {
                    Ok(waiting) if waiting < AHEAD => push(&db, &oracle, &mut vcons),
                    _ => std::thread::sleep(Duration::from_millis(20)),
                }
            }
        });
        Self { thread, enough }
    }

    /// Waits for the last push.
    pub(super) fn finish(self) {
        self.enough.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
    }
}

fn push(db: &Db, oracle: &Mutex<Oracle>, vcons: &mut Vcons) {
    let documents: Vec<_> = (0..BATCH).map(|_| vcons.call()).collect();
    let pushed = db.attempt(|connection| {
        let stored =
            documents.iter().map(|document| (format!("vcon:{}", id_of(document)), document.to_string()));
        let () = connection.mset(&stored.collect::<Vec<_>>())?;
        connection.rpush::<_, _, usize>("in", documents.iter().map(id_of).collect::<Vec<_>>())
    });
    let mut oracle = oracle.lock().unwrap();
    for document in &documents {
        match pushed {
            Ok(_) => oracle.owe(&id_of(document), expected(document)),
            Err(_) => oracle.may_owe(&id_of(document), expected(document)),
        }
    }
}
