//! One worker, 256 in flight, a link that waits 50 ms: ideal 5,120 vCons/s.

use std::time::{Duration, Instant};

use conserver_testkit::redis::AppendOnly;

use super::{Bound, Promise, calls, promise};
use crate::instance::Instance;

const VCONS: usize = 25_000;
const CONFIG: &str = "\
links: {wait: {module: delay, options: {seconds: 0.05}}}
chains: {main: {links: [wait], ingress_lists: [in], egress_lists: [out], concurrency: 256}}
";

pub(crate) fn measure() -> anyhow::Result<Vec<Promise>> {
    let mut instance = Instance::start(AppendOnly::No)?;
    let ids = instance.store(&calls(), VCONS)?;
    let daemon = instance.daemon(CONFIG, 1)?;
    let start = Instant::now();
    instance.push("in", &ids)?;
    instance.wait_for("out", VCONS, Duration::from_secs(120))?;
    let rate = VCONS as f64 / start.elapsed().as_secs_f64();
    drop(daemon);
    Ok(vec![promise(
        "1 worker, 256 in flight, a link of 50 ms (ideal 5,120)",
        rate,
        "vCons/s",
        Bound::AtLeast(4500.0),
    )])
}
