//! The one-link tag chain on the embedded backend with two workers, every settlement on the disk, against the bare loop of
//! the same transactions on the same file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Bound, Promise, calls, median, promise};
use crate::bare;
use crate::folder::Folder;
use crate::instance::cpu_seconds;

const WORKERS: usize = 2;
const VCONS: usize = 20_000;
const LIMIT: Duration = Duration::from_secs(180);
const IDLE: Duration = Duration::from_secs(10);
const CONFIG: &str = "\
links: {tagger: {module: tag, options: {tags: [\"a:1\", b]}}}
chains: {main: {links: [tagger], ingress_lists: [in], egress_lists: [out], concurrency: 256}}
";

/// Pushes all and waits until all are out; answers how many that were per second.
fn run(folder: &Folder) -> anyhow::Result<f64> {
    let start = Instant::now();
    folder.push("in", &folder.ids)?;
    folder.wait_for("out", VCONS, LIMIT)?;
    Ok(VCONS as f64 / start.elapsed().as_secs_f64())
}

pub(crate) fn measure(rounds: usize) -> anyhow::Result<Vec<Promise>> {
    let documents = calls();
    let (mut floors, mut daemons, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut costs, mut idle) = (Vec::new(), 0.0);
    for round in 0..rounds {
        let folder = Folder::prepare(&documents, VCONS)?;
        let stop = Arc::new(AtomicBool::new(false));
        let threads = bare::run(&folder.database(), WORKERS, &stop);
        std::thread::sleep(Duration::from_millis(300));
        let floor = run(&folder);
        stop.store(true, Ordering::Relaxed);
        // A loop's own error says more than that nothing came.
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a loop panicked"))??;
        }
        let floor = floor?;
        drop(folder);

        let folder = Folder::prepare(&documents, VCONS)?;
        let daemon = folder.daemon(CONFIG, WORKERS)?;
        std::thread::sleep(Duration::from_millis(500));
        let workers = daemon.workers();
        let seconds = || workers.iter().map(|pid| cpu_seconds(*pid)).sum::<f64>();
        let before = seconds();
        let rate = run(&folder)?;
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
