//! A private Redis with documents in it, and the daemon on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use conserver_testkit::redis::{AppendOnly, RedisOptions, RedisServer};
use tempfile::TempDir;

use crate::resp::Connection;

/// A server for one scenario.
pub(crate) struct Instance {
    pub(crate) server: RedisServer,
    pub(crate) redis: Connection,
    folder: TempDir,
}

impl Instance {
    pub(crate) fn start(append_only: AppendOnly) -> anyhow::Result<Self> {
        let options = RedisOptions { append_only, ..RedisOptions::default() };
        let server = RedisServer::start_with(options);
        let redis = Connection::open(server.port())?;
        Ok(Self { server, redis, folder: tempfile::tempdir()? })
    }

    /// Stores the documents, `n` of them by turns, each under an id of its own; answers the ids.
    pub(crate) fn store(&mut self, documents: &[Vec<u8>], n: usize) -> anyhow::Result<Vec<String>> {
        let ids: Vec<String> = (0..n).map(|i| format!("0198a5c0-0000-8000-8000-{i:012x}")).collect();
        for page in ids.chunks(200) {
            for (i, id) in page.iter().enumerate() {
                let document = &documents[i % documents.len()];
                self.redis.command(&[b"SET", format!("vcon:{id}").as_bytes(), document, b"EX", b"3600"]);
            }
            for _ in page {
                self.redis.reply()?;
            }
            self.redis.forget();
        }
        Ok(ids)
    }

    /// Puts ids on a list, many at a time.
    pub(crate) fn push(&mut self, list: &str, ids: &[String]) -> anyhow::Result<()> {
        for page in ids.chunks(5000) {
            self.redis.begin(page.len() + 2).arg(b"RPUSH").arg(list.as_bytes());
            for id in page {
                self.redis.arg(id.as_bytes());
            }
            self.redis.reply()?;
            self.redis.forget();
        }
        Ok(())
    }

    /// Waits until a list has this many ids; answers how long that took.
    pub(crate) fn wait_for(&mut self, list: &str, n: usize, limit: Duration) -> anyhow::Result<Duration> {
        let start = Instant::now();
        loop {
            self.redis.command(&[b"LLEN", list.as_bytes()]);
            let there = self.redis.reply()?.int();
            self.redis.forget();
            if there >= n as i64 {
                return Ok(start.elapsed());
            }
            anyhow::ensure!(start.elapsed() < limit, "only {there} of {n} came to `{list}` within {limit:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        self.redis.command(&[b"FLUSHALL"]);
        self.redis.reply()?;
        self.redis.forget();
        Ok(())
    }

    /// Writes a configuration on this server.
    pub(crate) fn configure(&self, config: &str) -> anyhow::Result<PathBuf> {
        let file = self.path("chains.yaml");
        fs::write(&file, format!("conserver: 1\nredis: {{url: {}}}\n{config}", self.server.url()))?;
        Ok(file)
    }

    /// A path in the folder of this instance.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the daemon on this configuration (without its `redis:`) and waits until its workers claim.
    pub(crate) fn daemon(&mut self, config: &str, workers: usize) -> anyhow::Result<Daemon> {
        let file = self.configure(config)?;
        let daemon = Daemon::start(&file, workers)?;
        let start = Instant::now();
        while daemon.workers().len() < workers || !self.all_registered(workers)? {
            anyhow::ensure!(
                start.elapsed() < Duration::from_secs(20),
                "the workers did not register within 20 s"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(daemon)
    }

    fn all_registered(&mut self, workers: usize) -> anyhow::Result<bool> {
        self.redis.command(&[b"ZCARD", b"cs:workers"]);
        let there = self.redis.reply()?.int();
        self.redis.forget();
        Ok(there >= workers as i64)
    }
}

/// A command of the program under load, which lies beside this one.
pub(crate) fn under_load(file: &Path, command: &str) -> anyhow::Result<Command> {
    let mut program = std::env::current_exe().context("find this program")?;
    program.set_file_name("conserver-under-load");
    let mut line = Command::new(&program);
    line.args([command, "--log", "warn", "-c"]).arg(file).env_remove("REDIS_URL").stdin(Stdio::null());
    Ok(line)
}

/// The daemon; stopped in order when dropped.
pub(crate) struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts it on a configuration; does not wait.
    pub(crate) fn start(file: &Path, workers: usize) -> anyhow::Result<Self> {
        let mut command = under_load(file, "run")?;
        let child = command.args(["--no-api", "--workers", &workers.to_string()]).spawn();
        let child =
            child.context("start the daemon (build it: cargo build --release -p conserver-benches)")?;
        Ok(Self { child })
    }

    /// Pids of the workers.
    pub(crate) fn workers(&self) -> Vec<u32> {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        fs::read_to_string(children)
            .unwrap_or_default()
            .split_whitespace()
            .filter_map(|p| p.parse().ok())
            .collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// Resident memory of a process in bytes: now, and the most it ever was.
pub(crate) fn memory(pid: u32) -> (u64, u64) {
    let status = fs::read_to_string(PathBuf::from(format!("/proc/{pid}/status"))).unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|l| l.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()).unwrap_or(0) * 1024
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// CPU time of a process, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<u64> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().skip(11).take(2).filter_map(|f| f.parse().ok()).collect())
        .unwrap_or_default();
    fields.iter().sum::<u64>() as f64 / rustix::param::clock_ticks_per_second() as f64
}
