//! From a push to the start of the run, over 50 idle lists. The run starts with the claim, which takes the id off
//! its list and into the in-flight list; a chain without links or storages ends at once, so the egress list shows
//! the whole way there and back: an upper bound.

use std::time::{Duration, Instant};

use conserver_testkit::redis::AppendOnly;

use super::{Bound, Promise, calls, median, promise};
use crate::instance::Instance;

const LISTS: usize = 50;
const PUSHES: usize = 300;

pub(crate) fn measure() -> anyhow::Result<Vec<Promise>> {
    let mut instance = Instance::start(AppendOnly::No)?;
    let ids = instance.store(&calls(), 1)?;
    let chains: String = (0..LISTS)
        .map(|n| format!("  c{n}: {{links: [], ingress_lists: [in{n}], egress_lists: [out]}}\n"))
        .collect();
    let daemon = instance.daemon(&format!("chains:\n{chains}"), 1)?;
    std::thread::sleep(Duration::from_secs(1));
    let mut times = Vec::new();
    for n in 0..PUSHES {
        let list = format!("in{}", (n * 7) % LISTS);
        let start = Instant::now();
        instance.push(&list, &ids)?;
        loop {
            instance.redis.command(&[b"LLEN", b"out"]);
            let there = instance.redis.reply()?.int();
            instance.redis.forget();
            if there > n as i64 {
                break;
            }
            anyhow::ensure!(start.elapsed() < Duration::from_secs(5), "an id was not taken within 5 s");
            std::thread::sleep(Duration::from_micros(50));
        }
        times.push(start.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(daemon);
    let mut tail = times.clone();
    let middle = median(&mut times);
    tail.sort_by(f64::total_cmp);
    Ok(vec![
        promise("push to settled, 50 idle lists, median", middle, "ms", Bound::AtMost(2.0)),
        promise("the same, 99 of 100", tail[PUSHES * 99 / 100], "ms", Bound::None),
    ])
}
