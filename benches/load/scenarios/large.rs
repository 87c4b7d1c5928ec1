//! Documents of 10 MB with inline audio: time against GET and SET of the same bytes, memory per document in flight.

use std::time::{Duration, Instant};

use conserver_testkit::redis::AppendOnly;
use conserver_testkit::vcons::{Vcons, bytes};

use super::{Bound, Promise, median, promise};
use crate::instance::{Instance, memory};

const MEGABYTE: f64 = 1_048_576.0;
/// Bytes of audio; base64 makes 10 MB of them.
const SIZE: usize = 15 * 1_048_576 / 2;
const VCONS: usize = 40;
const ROUNDS: usize = 3;
const IN_FLIGHT: usize = 2;

pub(crate) fn measure() -> anyhow::Result<Vec<Promise>> {
    let mut instance = Instance::start(AppendOnly::No)?;
    let mut vcons = Vcons::new(3);
    let documents: Vec<Vec<u8>> = (0..4).map(|_| bytes(&vcons.with_audio(SIZE)).to_vec()).collect();
    let config = format!(
        "links: {{tagger: {{module: tag, options: {{tags: [\"a:1\"]}}}}}}\n\
         chains: {{main: {{links: [tagger], ingress_lists: [in], egress_lists: [out], concurrency: {IN_FLIGHT}}}}}\n"
    );
    let (mut ratios, mut per_document, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        instance.flush()?;
        let ids = instance.store(&documents, VCONS)?;
        let bare = bare_loop(&mut instance, &ids)?;

        instance.flush()?;
        let ids = instance.store(&documents, VCONS)?;
        let daemon = instance.daemon(&config, 1)?;
        std::thread::sleep(Duration::from_millis(500));
        let pid = daemon.workers().first().copied().unwrap_or(0);
        let (idle, _) = memory(pid);
        let start = Instant::now();
        instance.push("in", &ids)?;
        instance.wait_for("out", VCONS, Duration::from_secs(120))?;
        let rate = VCONS as f64 / start.elapsed().as_secs_f64();
        let (_, peak) = memory(pid);
        drop(daemon);
        rates.push(rate);
        ratios.push(rate / bare);
        per_document.push((peak - idle) as f64 / IN_FLIGHT as f64 / MEGABYTE);
    }
    let size = documents[0].len() as f64 / MEGABYTE;
    Ok(vec![
        promise("documents of 10 MB, 1 worker", median(&mut rates), "vCons/s", Bound::None),
        promise("the same / bare GET + SET", median(&mut ratios), "", Bound::AtLeast(0.7)),
        promise(
            format!("memory per document in flight, {IN_FLIGHT} of {size:.1} MB"),
            median(&mut per_document),
            "MB",
            Bound::AtMost((3.0 * size + 16.0).round()),
        ),
    ])
}

fn bare_loop(instance: &mut Instance, ids: &[String]) -> anyhow::Result<f64> {
    let start = Instant::now();
    for id in ids {
        let key = format!("vcon:{id}");
        instance.redis.command(&[b"GET", key.as_bytes()]);
        let crate::resp::Reply::Bulk(place) = instance.redis.reply()? else {
            anyhow::bail!("a document is missing")
        };
        let splice = place.start..place.end + 1;
        instance.redis.begin(3).arg(b"SET").arg(key.as_bytes()).arg_spliced(splice, b"");
        instance.redis.reply()?;
        instance.redis.forget();
    }
    Ok(ids.len() as f64 / start.elapsed().as_secs_f64())
}
