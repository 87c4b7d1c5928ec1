//! The API under `wrk`: posts of new vCons into a list, reads, and what memory a million posts leave behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use conserver_testkit::free_port;
use conserver_testkit::redis::AppendOnly;

use super::{Bound, Promise, calls, median, promise};
use crate::instance::{Instance, cpu_seconds, memory, under_load};

const CONFIG: &str = "chains: {main: {links: [], ingress_lists: [in], egress_lists: [out]}}\n";
const CONNECTIONS: &str = "64";
const SECONDS: u64 = 10;
const STORED: usize = 10_000;
/// After this many posts memory is looked at first.
const WARM: u64 = 100_000;

pub(crate) fn measure(rounds: usize, posts: u64) -> anyhow::Result<Vec<Promise>> {
    let mut instance = Instance::start(AppendOnly::No)?;
    let api = Api::start(&instance.configure(CONFIG)?)?;
    let document = instance.path("vcon.json");
    fs::write(&document, with_blank_id(&calls()[0])?)?;
    let document = document.display().to_string();

    let (mut rates, mut tails, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let before = cpu_seconds(api.child.id());
        let run = api.wrk("post.lua", &document, SECONDS)?;
        cpu.push((cpu_seconds(api.child.id()) - before) * 1e6 / run.requests as f64);
        rates.push(run.rate);
        tails.push(run.tail);
        instance.flush()?;
    }
    instance.store(&calls(), STORED)?;
    let mut reads = Vec::new();
    for _ in 0..rounds {
        reads.push(api.wrk("get.lua", &STORED.to_string(), SECONDS)?.rate);
    }
    let warm = api.post(&mut instance, &document, WARM)?;
    let last = api.post(&mut instance, &document, posts.saturating_sub(WARM))?;
    let growth = (last as f64 / warm as f64 - 1.0) * 100.0;
    Ok(vec![
        promise(
            "POST /vcon, 4.4 kB into a list, 64 connections",
            median(&mut rates),
            "/s",
            Bound::AtLeast(15_000.0),
        ),
        promise("the same, 99 of 100", median(&mut tails), "ms", Bound::AtMost(20.0)),
        promise("processor time of the API for each", median(&mut cpu), "µs", Bound::None),
        promise("GET /vcon/{uuid}, 64 connections", median(&mut reads), "/s", Bound::AtLeast(20_000.0)),
        promise("resident after 100,000 posts", warm as f64 / 1_048_576.0, "MB", Bound::None),
        promise(format!("growth until {posts} posts"), growth, "%", Bound::AtMost(10.0)),
    ])
}

/// The document with a blank where its id is.
fn with_blank_id(document: &[u8]) -> anyhow::Result<String> {
    let text = std::str::from_utf8(document)?;
    let vcon: serde_json::Value = serde_json::from_slice(document)?;
    let id = vcon["uuid"].as_str().context("a vCon has an id")?;
    Ok(text.replacen(id, &"@".repeat(id.len()), 1))
}

/// The API alone.
struct Api {
    child: Child,
    url: String,
}

/// What `wrk` says of one run.
struct Run {
    requests: u64,
    rate: f64,
    /// Milliseconds in which 99 of 100 were answered.
    tail: f64,
}

impl Api {
    fn start(file: &Path) -> anyhow::Result<Self> {
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = under_load(file, "api")?;
        let child = command.args(["--listen", &address]).spawn().context("start the API")?;
        let api = Self { child, url: format!("http://{address}") };
        let start = Instant::now();
        while std::net::TcpStream::connect(&address).is_err() {
            anyhow::ensure!(start.elapsed() < Duration::from_secs(20), "the API does not listen after 20 s");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(api)
    }

    fn wrk(&self, script: &str, argument: &str, seconds: u64) -> anyhow::Result<Run> {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("load/wrk").join(script);
        let output = Command::new("wrk")
            .args(["-t", "2", "-c", CONNECTIONS, "-d", &format!("{seconds}s"), "--latency", "-s"])
            .arg(script)
            .args([&self.url, "--", argument])
            .stderr(Stdio::inherit())
            .output()
            .context("start `wrk` (apt-get install wrk)")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        anyhow::ensure!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "{text}");
        Run::read(&text).with_context(|| format!("`wrk` said: {text}"))
    }

    /// Posts until so many were answered, with Redis emptied now and then; answers the resident memory.
    fn post(&self, instance: &mut Instance, document: &str, posts: u64) -> anyhow::Result<u64> {
        let mut answered = 0;
        while answered < posts {
            answered += self.wrk("post.lua", document, 5)?.requests;
            instance.flush()?;
        }
        Ok(memory(self.child.id()).0)
    }
}

impl Run {
    fn read(text: &str) -> Option<Self> {
        let after = |name: &str| Some(text.lines().find_map(|line| line.trim().strip_prefix(name))?.trim());
        let requests =
            text.lines().find_map(|line| line.trim().split_once(" requests in "))?.0.parse().ok()?;
        Some(Self {
            requests,
            rate: after("Requests/sec:")?.parse().ok()?,
            tail: milliseconds(after("99%")?)?,
        })
    }
}

fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3)];
    units.iter().find_map(|(unit, factor)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * factor))
}

impl Drop for Api {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}
