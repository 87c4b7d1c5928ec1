//! A one-link tag chain with two workers, against the bare loop with two threads.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use conserver_testkit::redis::AppendOnly;

use super::{Bound, Promise, calls, median, promise};
use crate::floor;
use crate::instance::Instance;

const WORKERS: usize = 2;
const LIMIT: Duration = Duration::from_secs(120);
const CONFIG: &str = "\
links: {tagger: {module: tag, options: {tags: [\"a:1\", b]}}}
chains: {main: {links: [tagger], ingress_lists: [in], egress_lists: [out], concurrency: 256}}
";

pub(crate) fn measure(vcons: usize, rounds: usize, aof: bool) -> anyhow::Result<Vec<Promise>> {
    let documents = calls();
    let size = documents.iter().map(Vec::len).sum::<usize>() / documents.len();
    let mut instance = Instance::start(if aof { AppendOnly::Everysec } else { AppendOnly::No })?;
    let (mut floors, mut daemons, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let floor = bare_loop(&mut instance, &documents, vcons)?;
        let daemon = daemon(&mut instance, &documents, vcons)?;
        floors.push(floor);
        daemons.push(daemon);
        ratios.push(daemon / floor);
    }
    instance.flush()?;
    let benchmark = redis_benchmark(instance.server.port(), size)?;
    let floor = median(&mut floors);
    Ok(vec![
        promise(format!("redis-benchmark -P 32 GET of {size} bytes"), benchmark, "/s", Bound::None),
        promise("floor: bare loop, 2 threads", floor, "vCons/s", Bound::AtLeast((benchmark / 12.0).round())),
        promise("daemon: tag chain, 2 workers", median(&mut daemons), "vCons/s", Bound::AtLeast(35_000.0)),
        promise("daemon / floor", median(&mut ratios), "", Bound::AtLeast(0.6)),
    ])
}

fn bare_loop(instance: &mut Instance, documents: &[Vec<u8>], vcons: usize) -> anyhow::Result<f64> {
    instance.flush()?;
    let ids = instance.store(documents, vcons)?;
    let stop = Arc::new(AtomicBool::new(false));
    let threads = floor::run(instance.server.port(), WORKERS, "in", "out", &stop);
    std::thread::sleep(Duration::from_millis(300));
    let start = std::time::Instant::now();
    instance.push("in", &ids)?;
    let came = instance.wait_for("out", vcons, LIMIT);
    let took = start.elapsed();
    stop.store(true, Ordering::Relaxed);
    // A loop's own error says more than that nothing came.
    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("a loop panicked"))??;
    }
    came?;
    Ok(vcons as f64 / took.as_secs_f64())
}

fn daemon(instance: &mut Instance, documents: &[Vec<u8>], vcons: usize) -> anyhow::Result<f64> {
    instance.flush()?;
    let ids = instance.store(documents, vcons)?;
    let daemon = instance.daemon(CONFIG, WORKERS)?;
    std::thread::sleep(Duration::from_millis(500));
    let start = std::time::Instant::now();
    instance.push("in", &ids)?;
    instance.wait_for("out", vcons, LIMIT)?;
    let took = start.elapsed();
    drop(daemon);
    Ok(vcons as f64 / took.as_secs_f64())
}

fn redis_benchmark(port: u16, size: usize) -> anyhow::Result<f64> {
    let output = Command::new("redis-benchmark")
        .args([
            "-p",
            &port.to_string(),
            "-P",
            "32",
            "-n",
            "500000",
            "-d",
            &size.to_string(),
            "-t",
            "set,get",
            "--csv",
        ])
        .output()
        .context("run `redis-benchmark` (Debian: redis-tools)")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let get = text.lines().find(|line| line.starts_with("\"GET\"")).context("redis-benchmark told no GET")?;
    let rate = get.split(',').nth(1).map(|field| field.trim_matches('"').parse());
    rate.context("redis-benchmark told no rate")?.context("redis-benchmark's rate is no number")
}
