//! The one-link tag chain on the embedded backend with two workers, every settlement on the disk, against the bare loop of
//! the same transactions on the same file.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use conserver_core::intake::{Arrival, Intake};
use conserver_core::queue::Queue;
use conserver_core::store::IndexKeys;
use conserver_core::vcon::VconId;
use conserver_sqlite::{SqliteOptions, SqliteQueue};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Bound, Promise, calls, median, promise};
use crate::bare;
use crate::instance::{Daemon, cpu_seconds};

const WORKERS: usize = 2;
const VCONS: usize = 20_000;
const LIMIT: Duration = Duration::from_secs(180);
const IDLE: Duration = Duration::from_secs(10);
const CONFIG: &str = "\
links: {tagger: {module: tag, options: {tags: [\"a:1\", b]}}}
chains: {main: {links: [tagger], ingress_lists: [in], egress_lists: [out], concurrency: 256}}
";

/// A folder with documents in its file.
struct Folder {
    folder: TempDir,
    queue: SqliteQueue,
    runtime: Runtime,
    ids: Vec<VconId>,
}

impl Folder {
    fn prepare(documents: &[Vec<u8>]) -> anyhow::Result<Self> {
        // Not where temporary files may lie in memory.
        let folder = tempfile::tempdir_in(std::env::current_dir()?)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let queue = SqliteQueue::new(SqliteOptions::new(folder.path()));
        let ids: Vec<VconId> =
            (0..VCONS).map(|i| VconId::new(format!("0198a5c0-0000-8000-8000-{i:012x}"))).collect();
        let arrivals: Vec<Arrival> = ids
            .iter()
            .zip(documents.iter().cycle())
            .map(|(id, document)| Arrival {
                id: id.clone(),
                json: document.clone().into(),
                keys: IndexKeys::default(),
                ttl: Some(Duration::from_secs(3600)),
                lists: Vec::new(),
                context: None,
                once: None,
            })
            .collect();
        for page in arrivals.chunks(500) {
            for answer in runtime.block_on(queue.accept(page)) {
                answer?;
            }
        }
        Ok(Self { folder, queue, runtime, ids })
    }

    /// Pushes all and waits until all are out; answers how many that were per second.
    fn run(&self) -> anyhow::Result<f64> {
        let start = Instant::now();
        self.runtime.block_on(async {
            for page in self.ids.chunks(5000) {
                self.queue.push(&"in".into(), page).await?;
            }
            loop {
                let done = self.queue.push(&"out".into(), &[]).await?;
                if done >= VCONS as u64 {
                    return Ok(VCONS as f64 / start.elapsed().as_secs_f64());
                }
                anyhow::ensure!(start.elapsed() < LIMIT, "only {done} of {VCONS} came out within {LIMIT:?}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    }

    fn daemon(&self) -> anyhow::Result<Daemon> {
        let file = self.folder.path().join("chains.yaml");
        fs::write(&file, format!("conserver: 1\ndata_dir: {}\n{CONFIG}", self.folder.path().display()))?;
        let daemon = Daemon::start(&file, WORKERS)?;
        let start = Instant::now();
        while self.runtime.block_on(self.queue.workers())?.len() < WORKERS {
            anyhow::ensure!(
                start.elapsed() < Duration::from_secs(20),
                "the workers did not register within 20 s"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(daemon)
    }
}

pub(crate) fn measure(rounds: usize) -> anyhow::Result<Vec<Promise>> {
    let documents = calls();
    let (mut floors, mut daemons, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut costs, mut idle) = (Vec::new(), 0.0);
    for round in 0..rounds {
        let folder = Folder::prepare(&documents)?;
        let stop = Arc::new(AtomicBool::new(false));
        let threads = bare::run(&folder.folder.path().join("conserver.db"), WORKERS, &stop);
        std::thread::sleep(Duration::from_millis(300));
        let floor = folder.run();
        stop.store(true, Ordering::Relaxed);
        // A loop's own error says more than that nothing came.
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a loop panicked"))??;
        }
        let floor = floor?;
        drop(folder);

        let folder = Folder::prepare(&documents)?;
        let daemon = folder.daemon()?;
        std::thread::sleep(Duration::from_millis(500));
        let workers = daemon.workers();
        let seconds = || workers.iter().map(|pid| cpu_seconds(*pid)).sum::<f64>();
        let before = seconds();
        let rate = folder.run()?;
        costs.push((seconds() - before) / VCONS as f64 * 1e6);
        if round == 0 {
            std::thread::sleep(Duration::from_secs(2));
            let pid = daemon.workers().first().copied().unwrap_or(0);
            let before = cpu_seconds(pid);
            std::thread::sleep(IDLE);
            idle = (cpu_seconds(pid) - before) / IDLE.as_secs_f64() * 100.0;
        }
        drop(daemon);
        floors.push(floor);
        daemons.push(rate);
        ratios.push(rate / floor);
    }
    Ok(vec![
        promise("floor: bare loop on the file, 2 threads", median(&mut floors), "vCons/s", Bound::None),
        promise("embedded: tag chain, 2 workers", median(&mut daemons), "vCons/s", Bound::AtLeast(3000.0)),
        promise("embedded / floor", median(&mut ratios), "", Bound::AtLeast(0.5)),
        promise("embedded: time of both workers", median(&mut costs), "µs/vCon", Bound::None),
        promise("embedded: idle worker", idle, "% of a core", Bound::AtMost(0.5)),
    ])
}
