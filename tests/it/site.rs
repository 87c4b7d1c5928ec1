//! What every end-to-end test has: a private Redis, the program in a folder of its own, and a look at Redis from
//! outside, through a plain client.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use conserver_testkit::daemon::{Daemon, Setup};
use conserver_testkit::redis::RedisServer;
use serde_json::Value;

use crate::db::Db;

/// Nothing that a test waits for takes longer, unless something hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Tests that load the machine run alone, the others beside each other.
static LOAD: RwLock<()> = RwLock::new(());

/// A program on a Redis of its own.
pub(crate) struct Site {
    pub(crate) setup: Setup,
    pub(crate) db: Db,
    pub(crate) redis: RedisServer,
    _turn: Turn,
}

/// Keeps others waiting, for as long as it lives.
#[expect(dead_code, reason = "the guards are only held")]
enum Turn {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

impl Site {
    /// The conserver as it is shipped. `$DIR` in the configuration is the site's folder.
    pub(crate) fn new(config: &str) -> Self {
        Self::with(Path::new(env!("CARGO_BIN_EXE_conserver")), config, shared())
    }

    /// The conserver with links that misbehave.
    pub(crate) fn faulty(config: &str) -> Self {
        Self::with(&faulty(), config, shared())
    }

    /// The same, on a machine of its own.
    pub(crate) fn faulty_alone(config: &str) -> Self {
        Self::with(&faulty(), config, Turn::Alone(alone()))
    }

    fn with(program: &Path, config: &str, turn: Turn) -> Self {
        let redis = RedisServer::start();
        let setup = Setup::new(program, "").env("REDIS_URL", redis.url());
        let site = Self { setup, db: Db::new(&redis.url()), redis, _turn: turn };
        site.configure(config);
        site
    }

    /// Sets a variable for all that is started; the last one counts.
    pub(crate) fn env(self, name: &str, value: impl Into<String>) -> Self {
        Self { setup: self.setup.env(name, value), ..self }
    }

    /// Writes the configuration.
    pub(crate) fn configure(&self, config: &str) {
        self.setup.configure(&config.replace("$DIR", &self.setup.folder().display().to_string()));
    }

    /// Starts this many workers, without the API.
    pub(crate) fn run(&self, workers: usize) -> Daemon {
        self.setup.run(workers, &["--no-api"])
    }

    /// The same with a log that cannot be written.
    pub(crate) fn run_without_log(&self, workers: usize) -> Daemon {
        self.setup.run_without_log(workers, &["--no-api"])
    }

    /// Runs a command; answers its exit code, standard output and standard error.
    pub(crate) fn command(&self, args: &[&str]) -> (i32, String, String) {
        let output = self.setup.command(args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    /// Stores a document and puts its id on a list.
    pub(crate) fn push(&self, list: &str, document: &Value) -> String {
        let id = self.db.put(document);
        self.db.push(list, &[&id]);
        id
    }

    /// The path of a file in the site's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.setup.folder().join(name)
    }
}

/// Keeps all other tests waiting, for as long as it lives.
pub(crate) fn alone() -> RwLockWriteGuard<'static, ()> {
    LOAD.write().unwrap_or_else(PoisonError::into_inner)
}

fn shared() -> Turn {
    Turn::Shared(LOAD.read().unwrap_or_else(PoisonError::into_inner))
}

/// The program of `tests/faulty`, which cargo builds with the tests.
pub(crate) fn faulty() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_conserver")).with_file_name("examples").join("faulty");
    assert!(path.is_file(), "`{}` is not there: cargo build --example faulty", path.display());
    path
}

/// Waits until something holds, at most [`LIMIT`].
///
/// # Panics
/// If it does not come to hold.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl FnMut() -> bool) {
    within(LIMIT, what, holds);
}

/// The same with another limit; answers how long it took.
#[track_caller]
pub(crate) fn within(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "waited {limit:?} for: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
    start.elapsed()
}
