//! A server process that tests own: it is gone when its owner is dropped, and also when the test process dies
//! without dropping anything.
//!
//! The second half is done by a guard: a small shell in a process group of its own that waits on a pipe from the
//! test process. The pipe ends however the test process ends. The kernel's parent-death signal would not do: it is
//! bound to the thread that started the child, and every test has a thread of its own.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// A running server in its own process group, with its guard.
#[derive(Debug)]
pub(crate) struct OwnedProcess {
    child: Child,
    guard: Child,
}

impl OwnedProcess {
    /// Starts the command. When the test process dies, the group gets `last_signal` and `data` is removed.
    pub(crate) fn spawn(command: &mut Command, last_signal: &str, data: &Path) -> std::io::Result<Self> {
        let mut child = command.process_group(0).stdin(Stdio::null()).spawn()?;
        let guard = Command::new("sh")
            .arg("-c")
            .arg(r#"read -r _; kill -s "$1" -- "-$2"; sleep 1; kill -s KILL -- "-$2"; rm -rf -- "$3""#)
            .args([
                "guard".as_ref(),
                OsStr::new(last_signal),
                child.id().to_string().as_ref(),
                data.as_os_str(),
            ])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match guard {
            Ok(guard) => Ok(Self { child, guard }),
            Err(error) => {
                child.kill()?;
                child.wait()?;
                Err(error)
            }
        }
    }

    /// Sends a signal to the server itself.
    pub(crate) fn signal(&self, signal: Signal) {
        // A process that has ended already cannot be signalled; whoever waits for it will see that.
        let _ = kill_process(self.pid(), signal);
    }

    /// Sends a signal to the server and all of its group.
    pub(crate) fn signal_group(&self, signal: Signal) {
        let _ = kill_process_group(self.pid(), signal);
    }

    /// Whether it has ended, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours can be waited for")
    }

    /// Waits until it has ended; kills it if that takes longer than `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> ExitStatus {
        if !wait_until(limit, || self.ended().is_some()) {
            self.signal_group(Signal::KILL);
        }
        self.child.wait().expect("a child of ours can be waited for")
    }

    /// The process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for OwnedProcess {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.signal_group(Signal::KILL);
            let _ = self.child.wait();
        }
        // First the guard, then its pipe: woken by the pipe it would signal a group that may have a new owner.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

/// Asks every few milliseconds until `condition` holds; `false` when `limit` has passed.
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Finds a program in `PATH` or in one of these folders (a `*` stands for one folder name); panics with the
/// Debian package that has it.
pub(crate) fn program(names: &[&str], folders: &[&str], package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = folders.iter().flat_map(|folder| expand(folder));
    folders
        .chain(std::env::split_paths(&path))
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("`{}` is not installed: apt-get install {package}", names[0]))
}

/// The folders that a pattern with one `*` stands for, the highest version first.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![pattern.into()] };
    let Ok(entries) = std::fs::read_dir(before) else { return Vec::new() };
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.to_string_lossy().parse::<u32>().unwrap_or(0)));
    names.iter().map(|name| Path::new(before).join(name).join(after.trim_start_matches('/'))).collect()
}

/// A loopback port that nobody listens on at this moment.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(data: &Path) -> OwnedProcess {
        OwnedProcess::spawn(Command::new("sleep").arg("600"), "KILL", data).unwrap()
    }

    fn is_alive(pid: Pid) -> bool {
        rustix::process::test_kill_process(pid).is_ok()
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let data = tempfile::tempdir().unwrap();
        let process = sleeper(data.path());
        let pid = process.pid();
        assert!(is_alive(pid));
        drop(process);
        assert!(!is_alive(pid));
    }

    #[test]
    fn the_end_of_the_pipe_takes_process_and_data_along() {
        let data = tempfile::tempdir().unwrap();
        let mut process = sleeper(data.path());
        drop(process.guard.stdin.take());
        assert!(wait_until(Duration::from_secs(10), || process.ended().is_some()));
        assert!(wait_until(Duration::from_secs(10), || !data.path().exists()));
    }

    #[test]
    #[should_panic(expected = "`no-such-server` is not installed: apt-get install some-package")]
    fn a_missing_program_names_its_package() {
        program(&["no-such-server"], &["/usr/lib/nowhere/*/bin"], "some-package");
    }
}
