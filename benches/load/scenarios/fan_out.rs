//! Four storages of 100 ms each, one vCon after the other: the longest counts, not the sum.

use std::time::{Duration, Instant};

use conserver_testkit::redis::AppendOnly;

use super::{Bound, Promise, calls, median, promise};
use crate::instance::Instance;

const VCONS: usize = 20;
const CONFIG: &str = "\
storages:
  a: {module: slow, options: {milliseconds: 100}}
  b: {module: slow, options: {milliseconds: 100}}
  c: {module: slow, options: {milliseconds: 100}}
  d: {module: slow, options: {milliseconds: 100}}
chains: {main: {links: [], storages: [a, b, c, d], ingress_lists: [in], egress_lists: [out], concurrency: 1}}
";

pub(crate) fn measure() -> anyhow::Result<Vec<Promise>> {
    let mut instance = Instance::start(AppendOnly::No)?;
    let ids = instance.store(&calls(), VCONS)?;
    let daemon = instance.daemon(CONFIG, 1)?;
    let mut times = Vec::new();
    for (n, id) in ids.iter().enumerate() {
        let start = Instant::now();
        instance.push("in", std::slice::from_ref(id))?;
        instance.wait_for("out", n + 1, Duration::from_secs(10))?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    drop(daemon);
    Ok(vec![promise("4 storages of 100 ms each, per vCon", median(&mut times), "ms", Bound::AtMost(110.0))])
}
