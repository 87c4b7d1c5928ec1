//! Where the demo takes place: a temporary folder, a configuration in it, and `conserver run` on that.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use conserver_core::config::env::Vars;
use conserver_core::config::{self, Plan};
use conserver_core::vcon::Limits;
use futures::StreamExt;
use rustix::process::{Pid, Signal};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::output;
use crate::wiring::{Backend, Wiring};

/// The pipeline; `{folder}` is where it takes place.
const CHAINS: &str = include_str!("chains.yaml");
/// How long an orderly end may take.
const END: Duration = Duration::from_secs(10);
/// Files that are removed at once. A busy disk makes each wait for its journal; waits that overlap cost one.
const REMOVED_AT_ONCE: usize = 16;
/// More files than this are worth a progress bar.
const MANY: usize = 200;

/// An environment in which nothing is set: what the user has set is for another conserver.
struct Nothing;

impl Vars for Nothing {
    fn get(&self, _name: &str) -> Option<String> {
        None
    }
}

/// The folder with what runs in it; all of it is gone with [`Site::leave`].
pub(super) struct Site {
    folder: TempDir,
    daemon: Child,
    pub(super) plan: Plan,
    pub(super) backend: Backend,
}

impl Site {
    /// Makes the folder and starts the daemon.
    pub(super) fn build(wiring: &Wiring, workers: usize) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("conserver-demo-").tempdir();
        let folder = folder.context("make a temporary folder (TMPDIR says where)")?;
        let shown = folder.path().to_str().context("the folder for temporary files is not named in UTF-8")?;
        let text = CHAINS.replace("{folder}", shown);
        let file = folder.path().join("chains.yaml");
        std::fs::write(&file, &text).context("write the configuration")?;
        let loaded = config::load(&text, &file.display().to_string(), &Nothing, wiring.registry());
        let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        let plan = loaded
            .plan
            .with_context(|| format!("this build cannot run the demo: {}", problems.join("; ")))?;
        let backend = wiring.connect(&plan.settings)?;
        let daemon = start(folder.path(), &file, workers).context("start the pipeline")?;
        Ok(Self { folder, daemon, plan, backend })
    }

    /// Where everything is.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration.
    pub(super) fn config(&self) -> PathBuf {
        self.folder().join("chains.yaml")
    }

    /// Where the storage `archive` keeps its files.
    pub(super) fn archive(&self) -> PathBuf {
        self.folder().join("archive")
    }

    /// What documents may be like.
    pub(super) fn limits(&self) -> Limits {
        self.plan.settings.limits()
    }

    /// The last that the daemon told.
    pub(super) fn end_of_log(&self) -> String {
        let log = std::fs::read_to_string(self.folder().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(10).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Stops the daemon, waits for its end, and removes the files; the folders go with `self`. A daemon that does not end
    /// is killed, which its workers notice by themselves.
    pub(super) async fn leave(&mut self) {
        if let Some(pid) = self.daemon.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            // It may have ended this instant, which is what was wanted.
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
        if tokio::time::timeout(END, self.daemon.wait()).await.is_err() {
            let _ = self.daemon.kill().await;
        }
        let files = files_below(self.folder());
        let progress = output::progress(files.len(), MANY);
        // What cannot be removed is tried again with its folder.
        let removals = futures::stream::iter(files).map(tokio::fs::remove_file);
        removals.buffer_unordered(REMOVED_AT_ONCE).for_each(|_| async { progress.inc(1) }).await;
        progress.finish_and_clear();
    }
}

/// Every file in a folder and the folders in it.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        for entry in entries {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder { &mut folders } else { &mut files }.push(entry.path());
        }
    }
    files
}

/// `conserver run`, with a pipe whose end tells it that we are gone.
fn start(folder: &Path, config: &Path, workers: usize) -> anyhow::Result<Child> {
    let log = std::fs::File::create(folder.join("log"))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("run").arg("--supervised").arg("--no-api").arg("--workers").arg(workers.to_string());
    command.arg("-c").arg(config).arg("--log").arg("info").current_dir(folder).env_clear();
    // A group of its own: Ctrl-C is for us, who then stop it in order.
    command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log).process_group(0);
    Ok(command.kill_on_drop(true).spawn()?)
}
