//! Who changed what, to which id, from where: one JSON object on each line of a file.
//!
//! A thread of its own writes, so that no request waits for a disk. What comes faster than the disk takes it is counted
//! and told in the next line.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use serde_json::{Value, json};

/// Lines that wait for the disk at most.
const WAITING: usize = 10_000;

static MISSED: AtomicU64 = AtomicU64::new(0);

/// Takes lines; without a file it takes nothing.
pub(crate) struct Audit(Option<SyncSender<Value>>);

impl Audit {
    pub(crate) fn new(path: Option<&Path>) -> Self {
        let Some(path) = path else { return Self(None) };
        match OpenOptions::new().create(true).append(true).open(path) {
            Ok(file) => {
                let (sender, lines) = sync_channel(WAITING);
                let spawned =
                    std::thread::Builder::new().name("audit".to_owned()).spawn(move || write(file, &lines));
                Self(spawned.ok().map(|_| sender))
            }
            Err(error) => {
                tracing::error!(%error, file = %path.display(), "cannot write the audit log (`api.audit`)");
                Self(None)
            }
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn tell(&self, line: Value) {
        if let Some(sender) = &self.0
            && sender.try_send(line).is_err()
        {
            MISSED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write(file: File, lines: &Receiver<Value>) {
    let mut file = BufWriter::new(file);
    while let Ok(first) = lines.recv() {
        let mut failed = false;
        for line in std::iter::once(first).chain(lines.try_iter()) {
            failed |= writeln!(file, "{line}").is_err();
        }
        let missed = MISSED.swap(0, Ordering::Relaxed);
        if missed > 0 {
            failed |= writeln!(file, "{}", json!({"missed": missed})).is_err();
        }
        if failed | file.flush().is_err() {
            tracing::error!("cannot write the audit log (`api.audit`)");
        }
    }
}
