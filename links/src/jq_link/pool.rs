//! The processes that run a filter, from outside.
//!
//! They are started when they are needed, at most one for each core, and kept. One that dies takes the vCon it was busy
//! with along, as an error that says why; one whose answer nobody waits for any more is ended.

use std::fmt;
use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;

use conserver_core::{Class, Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

use super::host::{self, Answer, Settings};

/// The hosts of one link.
pub(super) struct Pool {
    settings: Settings,
    /// Those that wait for work.
    idle: Mutex<Vec<Host>>,
    room: Semaphore,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// How a question ended without an answer.
enum Lost {
    /// The host died, of this.
    Died(ExitStatus),
    /// It could not be asked.
    Unasked(io::Error),
}

impl Pool {
    pub(super) fn new(settings: Settings) -> Self {
        let most = available_parallelism().map_or(1, usize::from);
        Self { settings, idle: Mutex::new(Vec::new()), room: Semaphore::new(most) }
    }

    /// What the filter makes of a document.
    ///
    /// # Errors
    /// `invalid` when the filter needs more than it may have; a retryable one when its process was ended from outside.
    ///
    /// # Cancel safety
    /// Dropping the future ends the process that is at work.
    pub(super) async fn ask(&self, document: &[u8]) -> Result<Answer> {
        let _room = self.room.acquire().await.expect("the semaphore is never closed");
        // One that waited may have been ended from outside meanwhile.
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(host) = idle {
            match self.ask_one(host, document).await {
                Ok(answer) => return Ok(answer),
                Err(Lost::Died(status)) => {
                    if let Some(error) = self.verdict(status) {
                        return Err(error);
                    }
                }
                Err(Lost::Unasked(_)) => {}
            }
        }
        let host = self.start().await.map_err(|error| {
            Error::new(ErrorKind::Unavailable, "cannot start the process that runs the filter").source(error)
        })?;
        self.ask_one(host, document).await.map_err(|lost| match lost {
            Lost::Died(status) => self.verdict(status).unwrap_or_else(|| {
                Error::new(
                    ErrorKind::Internal,
                    format!("the process that runs the filter was ended ({status})"),
                )
                .class(Class::Retryable { after: None })
            }),
            Lost::Unasked(error) => {
                Error::new(ErrorKind::Unavailable, "cannot reach the process that runs the filter")
                    .source(error)
            }
        })
    }

    async fn ask_one(&self, mut host: Host, document: &[u8]) -> std::result::Result<Answer, Lost> {
        let byte = match host.ask(document).await {
            Ok(byte) => byte,
            Err(error) => {
                return Err(match host.death() {
                    Some(status) => Lost::Died(status),
                    None => Lost::Unasked(error),
                });
            }
        };
        let unreadable = || Lost::Unasked(io::Error::other("its answer means nothing"));
        let (answer, is_last) = host::decode(byte).ok_or_else(unreadable)?;
        if !is_last {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(host);
        }
        Ok(answer)
    }

    async fn start(&self) -> io::Result<Host> {
        let mut host = Host::start()?;
        host.send(&serde_json::to_vec(&self.settings)?).await?;
        Ok(host)
    }

    /// What a death says about the filter; `None` if it was nothing the filter did.
    fn verdict(&self, status: ExitStatus) -> Option<Error> {
        let Settings { cpu_seconds, memory, .. } = self.settings;
        let text = match rustix::process::Signal::from_named_raw(status.signal()?)? {
            rustix::process::Signal::XCPU => {
                format!(
                    "the filter needs more than {cpu_seconds} s of processor time for this vCon (`max_cpu_seconds`)"
                )
            }
            rustix::process::Signal::ABORT | rustix::process::Signal::SEGV | rustix::process::Signal::BUS => {
                let mib = memory >> 20;
                format!(
                    "the filter needs more than {mib} MiB for this vCon (`max_memory`), or recurses too deeply"
                )
            }
            _ => return None,
        };
        Some(Error::new(ErrorKind::Invalid, text))
    }
}

/// One process, and the socket to it.
struct Host {
    child: Child,
    socket: UnixStream,
}

impl Host {
    fn start() -> io::Result<Self> {
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let socket = UnixStream::from_std(ours)?;
        let child = command()?
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What is meant for a worker, as from a terminal, is not meant for it.
            .process_group(0)
            // A filter can read the environment, and there are secrets in it.
            .env_clear()
            // Memory that is only set aside would count as used.
            .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
            .spawn()?;
        Ok(Self { child, socket })
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(&(bytes.len() as u64).to_be_bytes()).await?;
        self.socket.write_all(bytes).await
    }

    async fn ask(&mut self, document: &[u8]) -> io::Result<u8> {
        self.send(document).await?;
        self.socket.read_u8().await
    }

    /// How it ended, if its end of the socket is closed; that is all it ever closes.
    fn death(&mut self) -> Option<ExitStatus> {
        self.child.wait().ok()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Both fail only for one that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This program again, as a host.
#[cfg(not(test))]
fn command() -> io::Result<Command> {
    let mut command = Command::new(program()?);
    command.arg(host::ARGUMENT);
    Ok(command)
}

/// The program of these tests, told to run the one that is a host.
#[cfg(test)]
fn command() -> io::Result<Command> {
    let mut command = Command::new(program()?);
    command.args(["--exact", "jq_link::tests::this_process_serves_when_asked", host::ARGUMENT]);
    Ok(command)
}

/// Also while an upgrade has replaced the file.
fn program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    Ok(if path.exists() { path } else { PathBuf::from("/proc/self/exe") })
}
