//! What an idle worker costs, and how soon the first vCon is done after the start.

use std::time::{Duration, Instant};

use conserver_testkit::redis::AppendOnly;

use super::{Bound, Promise, calls, median, promise};
use crate::instance::{Instance, cpu_seconds, memory};

const WATCH: Duration = Duration::from_secs(10);
const CONFIG: &str = "\
links: {tagger: {module: tag, options: {tags: [\"a:1\"]}}}
chains: {main: {links: [tagger], ingress_lists: [in], egress_lists: [out]}}
";

pub(crate) fn measure() -> anyhow::Result<Vec<Promise>> {
    let mut instance = Instance::start(AppendOnly::No)?;
    let daemon = instance.daemon(CONFIG, 1)?;
    std::thread::sleep(Duration::from_secs(2));
    let pid = daemon.workers().first().copied().unwrap_or(0);
    let before = cpu_seconds(pid);
    std::thread::sleep(WATCH);
    let share = (cpu_seconds(pid) - before) / WATCH.as_secs_f64() * 100.0;
    let (resident, _) = memory(pid);
    drop(daemon);

    let mut starts = Vec::new();
    for _ in 0..5 {
        instance.flush()?;
        let ids = instance.store(&calls(), 1)?;
        instance.push("in", &ids)?;
        let start = Instant::now();
        let daemon = instance.daemon(CONFIG, 1)?;
        instance.wait_for("out", 1, Duration::from_secs(20))?;
        starts.push(start.elapsed().as_secs_f64() * 1e3);
        drop(daemon);
    }
    Ok(vec![
        promise("idle worker", share, "% of a core", Bound::AtMost(0.5)),
        promise("idle worker, resident", resident as f64 / 1_048_576.0, "MB", Bound::AtMost(25.0)),
        promise(
            "start of the program to the first vCon done, median",
            median(&mut starts),
            "ms",
            Bound::AtMost(200.0),
        ),
    ])
}
