//! Where it happens: the file, two folders, the program; the producer; and the evidence afterwards.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use conserver_core::intake::{Arrival, Intake, Target};
use conserver_core::queue::Queue;
use conserver_core::store::IndexKeys;
use conserver_core::vcon::{Vcon, View};
use conserver_sqlite::{SqliteOptions, SqliteQueue};
use conserver_testkit::daemon::{Daemon, Setup};
use conserver_testkit::oracle::{Evidence, Oracle};
use conserver_testkit::vcons::{Vcons, vcon};
use serde_json::Value;

use super::file::File;
use crate::db::id_of;
use crate::proof::{self, expected};
use crate::site::{alone, faulty, until};

/// Ids of one push.
const BATCH: usize = 20;
/// So many may wait; a full list would make every fault meet the same.
const AHEAD: u64 = 400;

const CONFIG: &str = "
conserver: 1
data_dir: data
links:
  slow: {module: delay, options: {seconds: 0.07}}
  first: {module: tag, options: {tags: {first: '1'}}}
  second: {module: tag, options: {tags: {second: '2'}}}
storages:
  half: {module: file, options: {path: half, organize_by_date: false}}
  files: {module: file, options: {path: files, organize_by_date: false}}
chains:
  one: {links: [first, slow], storages: [half], ingress_lists: [in], egress_lists: [mid], concurrency: 60}
  two: {links: [slow, second], storages: [files], ingress_lists: [mid], egress_lists: [out], concurrency: 60}
";

pub(super) struct Field {
    // In this order: the program ends before its folder does.
    pub(super) daemon: Daemon,
    pub(super) file: File,
    pub(super) oracle: Arc<Mutex<Oracle>>,
    setup: Setup,
    _turn: RwLockWriteGuard<'static, ()>,
}

impl Field {
    pub(super) fn prepare() -> Self {
        let turn = alone();
        let setup = Setup::new(faulty(), CONFIG);
        let daemon = setup.run(2, &["--no-api"]);
        let file = File::open(&setup.folder().join("data"));
        Self { daemon, file, oracle: Arc::default(), setup, _turn: turn }
    }

    /// Where the file lies.
    pub(super) fn folder(&self) -> PathBuf {
        self.setup.folder().join("data")
    }

    /// Starts the program again.
    pub(super) fn start(&mut self) {
        self.daemon = self.setup.run(2, &["--no-api"]);
    }

    /// Starts it again with a log that cannot be written.
    pub(super) fn start_without_log(&mut self) {
        self.daemon = self.setup.run_without_log(2, &["--no-api"]);
    }
}

impl proof::Field for Field {
    fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    fn oracle(&self) -> &Mutex<Oracle> {
        &self.oracle
    }

    fn out(&self) -> Vec<String> {
        self.file.list("out")
    }

    fn passed(&self) -> usize {
        self.file.len("out")
    }

    fn is_idle(&self) -> bool {
        self.file.held(None).is_empty()
    }

    fn evidence(&self) -> Evidence {
        Evidence {
            egress: self.file.list("out"),
            dead: self.file.dead(),
            left: self.file.left(),
            copies: vec![
                ("the file".to_owned(), by_id(self.file.documents())),
                ("the folder".to_owned(), by_id(documents(&self.setup.folder().join("files")))),
            ],
        }
    }

    fn damage(&self) -> Vec<String> {
        self.file.damage()
    }

    /// Through the command line too.
    fn fresh_vcon_passes(&self) {
        let call = proof::fresh(Vcons::new(99).call());
        std::fs::write(self.setup.folder().join("fresh.json"), call.to_string()).unwrap();
        assert!(self.setup.command(&["push", "-l", "in", "fresh.json"]).status.success());
        until("a fresh vCon passes", || self.file.list("out").last() == Some(&id_of(&call)));
    }
}

fn by_id(documents: Vec<Value>) -> HashMap<String, Value> {
    documents.into_iter().map(|document| (id_of(&document), document)).collect()
}

fn documents(folder: &Path) -> Vec<Value> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    files.map(|path| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()).collect()
}

/// Pushes while everything breaks: an acknowledgement makes an id an obligation.
pub(super) struct Producer {
    thread: JoinHandle<()>,
    enough: Arc<AtomicBool>,
}

impl Producer {
    /// Pushes until so many ids are owed and [`Producer::finish`] is called: every fault meets some work.
    pub(super) fn start(folder: PathBuf, oracle: Arc<Mutex<Oracle>>, total: usize, seed: u64) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let ended = enough.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let queue = SqliteQueue::new(SqliteOptions::new(folder));
                let mut vcons = Vcons::new(seed);
                while oracle.lock().unwrap().count() < total || !ended.load(Ordering::SeqCst) {
                    match queue.push(&"in".into(), &[]).await {
                        Ok(waiting) if waiting < AHEAD => push(&queue, &oracle, &mut vcons).await,
                        _ => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                }
            });
        });
        Self { thread, enough }
    }

    /// Waits for the last push.
    pub(super) fn finish(self) {
        self.enough.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
    }
}

async fn push(queue: &SqliteQueue, oracle: &Mutex<Oracle>, vcons: &mut Vcons) {
    let documents: Vec<Value> = (0..BATCH).map(|_| vcons.call()).collect();
    let arrivals: Vec<Arrival> = documents.iter().map(|document| arrival(&vcon(document))).collect();
    let answers = queue.accept(&arrivals).await;
    let mut oracle = oracle.lock().unwrap();
    for (document, answer) in documents.iter().zip(answers) {
        match answer {
            Ok(_) => oracle.owe(&id_of(document), expected(document)),
            Err(_) => oracle.may_owe(&id_of(document), expected(document)),
        }
    }
}

fn arrival(vcon: &Vcon) -> Arrival {
    Arrival {
        id: vcon.id().clone(),
        json: vcon.render(View::Stored),
        keys: IndexKeys::of(vcon),
        ttl: Some(Duration::from_secs(3600)),
        lists: vec![Target::new("in".into())],
        context: None,
        once: None,
    }
}
