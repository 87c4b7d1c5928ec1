//! Several processes on one file, and `kill -9` in the middle of whatever they do.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a test binary")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use conserver_core::queue::{ClaimRequest, End, Finish, Lane, ListShare, Queue, Settlement, Strikes};
use conserver_core::vcon::VconId;
use conserver_sqlite::{SqliteOptions, SqliteQueue};
use conserver_testkit::queue_suite::info;
use support::Bench;

/// Tells a child of this test where the file is.
const FOLDER: &str = "CONSERVER_TEST_FOLDER";
/// So much has to be met by so many kills.
const ENOUGH: (usize, usize) = (300, 20);
/// Nothing here takes longer, unless something hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// What was acknowledged, and how often.
type Acknowledged = Arc<Mutex<Vec<String>>>;

/// A process that is killed before its time.
struct Victim {
    child: Child,
    role: &'static str,
}

impl Victim {
    /// Starts this program again, as one of the tests below that play a part.
    fn start(role: &'static str, folder: &Path, acknowledged: &Acknowledged) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([role, "--exact", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let acknowledged = acknowledged.clone();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(id) = line.strip_prefix("ack ") {
                    acknowledged.lock().unwrap().push(id.to_owned());
                }
            }
        });
        Self { child, role }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill_in_the_middle() {
    let bench = Bench::new().await;
    let acknowledged = Acknowledged::default();
    let start = |role| Victim::start(role, bench.folder.path(), &acknowledged);
    let mut victims: Vec<Victim> =
        ["plays_a_producer", "plays_a_producer", "plays_a_worker", "plays_a_worker"].map(start).into();
    let (begin, mut kills) = (Instant::now(), 0);
    while acknowledged.lock().unwrap().len() < ENOUGH.0 || kills < ENOUGH.1 {
        assert!(begin.elapsed() < LIMIT, "the work does not go on");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let n = kills % victims.len();
        victims[n].kill();
        kills += 1;
        recover_the_dead(&bench, &victims).await;
        victims[n] = start(victims[n].role);
    }
    victims.iter_mut().for_each(Victim::kill);
    recover_the_dead(&bench, &[]).await;
    // What a pipe still holds is read to its end.
    tokio::time::sleep(Duration::from_millis(300)).await;

    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for list in ["in", "out"] {
        for id in bench.sqlite.peek(&list.into(), usize::MAX).await.unwrap() {
            *found.entry(id.as_str().to_owned()).or_default() += 1;
        }
    }
    let acknowledged = acknowledged.lock().unwrap().clone();
    let done = bench.number("SELECT length FROM list WHERE name = 'out'").await;
    println!("{kills} kills, {} acknowledged, {done} done", acknowledged.len());
    assert!(done > 0, "no worker met anything");
    for id in &acknowledged {
        assert_eq!(found.get(id), Some(&1), "{id}");
    }
    assert!(found.values().all(|times| *times == 1), "nothing is doubled");
    assert_eq!(bench.number("SELECT count(*) FROM entry WHERE state <> 0").await, 0);
    assert_eq!(
        bench.number("SELECT count(*) FROM list WHERE length <> (SELECT count(*) FROM entry WHERE list = key AND state = 0)").await,
        0,
        "the lengths are right"
    );
    let whole: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&bench.raw).await.unwrap();
    assert_eq!(whole, "ok");
}

/// Puts back what workers held that are not among the living.
async fn recover_the_dead(bench: &Bench, living: &[Victim]) {
    for status in bench.sqlite.workers().await.unwrap() {
        let pids = living.iter().map(|victim| victim.child.id());
        let alive = living
            .iter()
            .zip(pids)
            .any(|(_, pid)| pid == status.info.pid && Path::new(&format!("/proc/{pid}/exe")).exists());
        if !alive {
            bench.sqlite.recover(&status.info.id, &Strikes::none()).await.unwrap();
        }
    }
}

fn queue() -> Arc<SqliteQueue> {
    let folder = std::env::var_os(FOLDER).expect("only the test above runs this");
    Arc::new(SqliteQueue::new(SqliteOptions::new(folder)))
}

#[tokio::test]
#[ignore = "a part that another test lets it play"]
async fn plays_a_producer() {
    let queue = queue();
    for n in 0.. {
        let ids: Vec<String> = (0..5).map(|m| format!("{}-{n}-{m}", std::process::id())).collect();
        let pushed: Vec<VconId> = ids.iter().map(VconId::new).collect();
        queue.push(&"in".into(), &pushed).await.unwrap();
        ids.iter().for_each(|id| println!("ack {id}"));
    }
}

#[tokio::test]
#[ignore = "a part that another test lets it play"]
async fn plays_a_worker() {
    let queue = queue();
    let me = info(false, "here");
    queue.register(&me).await.unwrap();
    let lists = [ListShare { list: "in".into(), weight: 1, room: 0 }];
    loop {
        let request = ClaimRequest { rooms: &[16], lists: &lists, lane: Lane::Main };
        let claimed = queue.claim(&me.id, &request).await.unwrap();
        if claimed.unregistered {
            return;
        }
        if claimed.leases.is_empty() {
            queue.arrival(Duration::from_millis(50)).await;
            continue;
        }
        let batch: Vec<Settlement> = claimed
            .leases
            .into_iter()
            .map(|lease| {
                let egress = vec![("out".into(), lease.entry.id.clone())];
                Settlement::new(lease, End::Finish(Box::new(Finish { egress, ..Finish::default() })))
            })
            .collect();
        queue.settle(&me.id, &batch).await.unwrap();
    }
}
