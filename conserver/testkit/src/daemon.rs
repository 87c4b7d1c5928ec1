//! The real program: started on a configuration of its own, watched, signalled, killed, and gone with its test.
//!
//! It knows the program only as an operator does: by its command line, its logs, and its processes. Children are
//! found through `/proc` and signalled by their own process id; a process id that has a new owner is left alone.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, kill_process};
use serde_json::Value;
use tempfile::TempDir;

pub use rustix::process::Signal;

use crate::process::{OwnedProcess, wait_until};

/// How long a start or an orderly stop may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A program with its configuration, its environment and a folder of its own. Everything that is started from it
/// writes to one log.
#[derive(Debug)]
pub struct Setup {
    program: PathBuf,
    env: Vec<(String, String)>,
    folder: TempDir,
}

impl Setup {
    /// The program with this configuration.
    pub fn new(program: impl Into<PathBuf>, config: &str) -> Self {
        let folder =
            tempfile::Builder::new().prefix("conserver-it-").tempdir().expect("a folder for the program");
        let setup = Self { program: program.into(), env: Vec::new(), folder };
        setup.configure(config);
        setup
    }

    /// Sets a variable. Nothing but `PATH` is inherited.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// The folder; the working directory of all that is started.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the configuration, for the next start or for a running program to take up. It is never seen half written.
    pub fn configure(&self, config: &str) {
        let draft = self.folder.path().join("chains.yaml.new");
        fs::write(&draft, config).expect("the configuration can be written");
        fs::rename(&draft, self.folder.path().join("chains.yaml"))
            .expect("the configuration can be put in place");
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// If it does not end.
    pub fn command(&self, args: &[&str]) -> Output {
        // Files, not pipes: nobody has to read while it writes.
        let mut stdout = file_for_output();
        let Output { status, stderr, .. } = self.command_to(args, share(&stdout));
        Output { status, stdout: content(&mut stdout), stderr }
    }

    /// The same, with its standard output on something else.
    pub fn command_to(&self, args: &[&str], stdout: impl Into<Stdio>) -> Output {
        let mut stderr = file_for_output();
        let mut command = self.prepare(args);
        command.stdin(Stdio::null()).stdout(stdout).stderr(share(&stderr));
        let mut child = command.spawn().expect("the program can be executed");
        let mut status = None;
        wait_until(LIMIT, || {
            status = child.try_wait().expect("a child of ours can be waited for");
            status.is_some()
        });
        let status = status.unwrap_or_else(|| {
            // If it ended this instant, that is as good.
            let _ = child.kill();
            let _ = child.wait();
            panic!("`{}` did not end within {LIMIT:?}", args.join(" "))
        });
        Output { status, stdout: Vec::new(), stderr: content(&mut stderr) }
    }

    /// Starts `run` with these further arguments and waits until this many workers have started.
    ///
    /// # Panics
    /// If they do not start.
    pub fn run(&self, workers: usize, args: &[&str]) -> Daemon {
        let daemon = self.launch(workers, args);
        let started =
            || daemon.events_since_start().iter().filter(|event| says(event, "worker started")).count();
        assert!(
            wait_until(LIMIT, || started() >= workers),
            "{workers} workers did not start:\n{}",
            daemon.log()
        );
        daemon
    }

    /// The same with a log that cannot be written: a full disk.
    ///
    /// # Panics
    /// If they do not start.
    pub fn run_without_log(&self, workers: usize, args: &[&str]) -> Daemon {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("the system has a full device");
        let number = workers.to_string();
        let daemon = self.start_on(&[&["run", "--workers", &number], args].concat(), full);
        let started = || daemon.usual_workers().len() >= workers;
        assert!(wait_until(LIMIT, started), "{workers} workers did not start");
        daemon
    }

    /// Starts `run` and does not wait.
    pub fn launch(&self, workers: usize, args: &[&str]) -> Daemon {
        self.start(&[&["run", "--workers", &workers.to_string()], args].concat())
    }

    /// Starts a command that runs until it is stopped, and does not wait.
    pub fn start(&self, args: &[&str]) -> Daemon {
        let log = self.folder.path().join("log");
        let mut command = self.prepare(args);
        let output = OpenOptions::new().create(true).append(true).open(&log).expect("the log can be opened");
        let start = output.metadata().expect("an open file has a length").len();
        command.stdout(share(&output)).stderr(output);
        self.spawn(command, log, start)
    }

    /// The same, with its standard error, and so its log, on something else.
    pub fn start_on(&self, args: &[&str], stderr: impl Into<Stdio>) -> Daemon {
        let mut command = self.prepare(args);
        command.stdout(Stdio::null()).stderr(stderr);
        self.spawn(command, self.folder.path().join("log"), 0)
    }

    fn spawn(&self, mut command: Command, log: PathBuf, start: u64) -> Daemon {
        let process = OwnedProcess::spawn(&mut command, "KILL", self.folder.path());
        Daemon { process: process.expect("the program can be executed"), log, start, orphans: Vec::new() }
    }

    fn prepare(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("CONSERVER_CONFIG_FILE", "chains.yaml")
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A running supervisor. It and all of its children are gone when this is dropped.
#[derive(Debug)]
pub struct Daemon {
    process: OwnedProcess,
    log: PathBuf,
    /// Where its part of the log begins.
    start: u64,
    /// Children of a supervisor that was killed.
    orphans: Vec<Worker>,
}

/// A child of the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worker {
    /// Its process id.
    pub pid: u32,
    /// Whether it serves the suspect lane.
    pub suspects: bool,
    /// Start time, which tells it from a later owner of the id.
    started: u64,
}

impl Worker {
    /// Sends a signal; `false` if it has ended.
    pub fn signal(&self, signal: Signal) -> bool {
        let pid = Pid::from_raw(self.pid.cast_signed());
        self.is_alive() && pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// Whether it has not ended.
    pub fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started == self.started)
    }

    /// Memory that it has taken at most so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        kib.unwrap_or(0) * 1024
    }
}

impl Daemon {
    /// The supervisor's process id.
    pub fn pid(&self) -> u32 {
        self.process.pid().as_raw_nonzero().get().cast_unsigned()
    }

    /// The workers that run now.
    pub fn workers(&self) -> Vec<Worker> {
        children_of(self.pid())
            .into_iter()
            .filter(|(_, role)| role == "worker")
            .map(|(worker, _)| worker)
            .collect()
    }

    /// The usual workers that run now, without the one for suspects.
    pub fn usual_workers(&self) -> Vec<Worker> {
        self.workers().into_iter().filter(|worker| !worker.suspects).collect()
    }

    /// Sends the supervisor a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// `kill -9` of the supervisor alone. Its workers are on their own; answers them.
    pub fn kill(&mut self) -> Vec<Worker> {
        let workers = self.workers();
        self.orphans.extend(children_of(self.pid()).into_iter().map(|(child, _)| child));
        self.process.signal(Signal::KILL);
        self.process.wait(LIMIT);
        workers
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.ended()
    }

    /// Waits for its end; it is killed if that takes longer than `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.process.wait(limit)
    }

    /// Asks it to stop and waits for its end.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait(LIMIT)
    }

    /// Everything that was logged by this program and those before it.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The log as events: one JSON object per line. Other lines are left out.
    pub fn events(&self) -> Vec<Value> {
        events_in(&self.log())
    }

    /// Events with this message.
    pub fn told(&self, message: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| says(event, message)).collect()
    }

    fn events_since_start(&self) -> Vec<Value> {
        let log = fs::read(&self.log).unwrap_or_default();
        let start = usize::try_from(self.start).unwrap_or(0).min(log.len());
        events_in(&String::from_utf8_lossy(&log[start..]))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let children = children_of(self.pid());
        self.process.signal(Signal::KILL);
        for child in children.iter().map(|(child, _)| child).chain(&self.orphans) {
            child.signal(Signal::KILL);
        }
        if std::thread::panicking() {
            show_end_of(&self.log());
        }
    }
}

#[expect(clippy::print_stderr, reason = "a test that fails shows what the program said")]
fn show_end_of(log: &str) {
    let tail: Vec<&str> = log.lines().rev().take(40).collect();
    eprintln!("the end of the log:");
    tail.iter().rev().for_each(|line| eprintln!("{line}"));
}

fn file_for_output() -> File {
    tempfile::tempfile().expect("a file for what it prints")
}

fn share(file: &File) -> File {
    file.try_clone().expect("a file can be shared")
}

fn content(file: &mut File) -> Vec<u8> {
    let mut content = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut content)).expect("a file of ours can be read");
    content
}

/// Whether an event has a message that contains this.
pub fn says(event: &Value, message: &str) -> bool {
    event["message"].as_str().is_some_and(|text| text.contains(message))
}

fn events_in(log: &str) -> Vec<Value> {
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(Value::is_object).collect()
}

/// What `/proc` says of a process.
struct Stat {
    parent: u32,
    started: u64,
}

/// `None` if there is no such process, or only its remains.
fn stat(pid: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and parentheses; the fields begin after the last one.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(Stat { parent, started })
}

/// The command line of a process that lives. A process that has just become another program has none for an instant:
/// this waits for it, and answers `None` once there is no such process any more.
fn command_line(pid: u32) -> Option<Vec<String>> {
    loop {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        if !line.is_empty() {
            return Some(line.split('\0').map(str::to_owned).collect());
        }
        stat(pid)?;
        std::thread::yield_now();
    }
}

/// The children of a process, each with the command it was started with.
fn children_of(parent: u32) -> Vec<(Worker, String)> {
    let pids = fs::read_dir("/proc").expect("/proc can be read").flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut children: Vec<(Worker, String)> = pids
        .filter_map(|pid| {
            let stat = stat(pid).filter(|stat| stat.parent == parent)?;
            let line = command_line(pid)?;
            let suspects = line.iter().any(|argument| argument == "--suspects");
            let role = line.into_iter().nth(1).unwrap_or_default();
            Some((Worker { pid, suspects, started: stat.started }, role))
        })
        .collect();
    children.sort_by_key(|(child, _)| child.started);
    children
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_found_and_not_mistaken_for_a_later_owner_of_the_id() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let found = children_of(std::process::id());
        let (worker, role) = found.iter().find(|(worker, _)| worker.pid == child.id()).unwrap();
        assert_eq!(role, "600");
        assert!(worker.is_alive());
        assert!(!Worker { started: worker.started + 1, ..*worker }.signal(Signal::KILL));
        assert!(worker.signal(Signal::KILL));
        child.wait().unwrap();
        assert!(!worker.is_alive());
    }
}
