//! One child process: how it is started, told things, and asked to end.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Instant;

use anyhow::Context;
use rustix::process::{Pid, Signal};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::texts::Texts;
use crate::config::File;
use crate::figures::{self, Instance};
use crate::slots::Slots;
use crate::worker::inbox::Message;

/// A running child. Its standard input is the pipe whose end tells it that we are gone; on its standard output it
/// tells its figures.
pub(crate) struct Process {
    child: Child,
    /// What it is to be told; its end closes the pipe.
    input: UnboundedSender<Message>,
    pub(crate) pid: u32,
    pub(crate) started: Instant,
    /// Kept so that the file goes when the process does.
    slots: Option<(NamedTempFile, Slots)>,
}

impl Process {
    /// Starts a worker on this configuration, one of so many.
    pub(crate) fn worker(
        texts: &Texts,
        among: usize,
        suspects: bool,
        log: Option<&str>,
        instance: &Instance,
    ) -> anyhow::Result<Self> {
        let slots = slots_file()?;
        let mut command = this_program()?;
        command.arg("worker").arg("--supervised").arg("--slots").arg(slots.0.path());
        command.arg("--among").arg(among.to_string());
        if suspects {
            command.arg("--suspects");
        }
        let process = Self::start(command, log, Some(slots), instance, false)?;
        texts.all().for_each(|file| process.configure(file));
        Ok(process)
    }

    /// Starts the API on this configuration. It is told the figures of the whole instance again and again.
    pub(crate) fn api(
        texts: &Texts,
        listen: &str,
        log: Option<&str>,
        instance: &Instance,
    ) -> anyhow::Result<Self> {
        let mut command = this_program()?;
        command.arg("api").arg("--supervised").arg("--listen").arg(listen);
        let process = Self::start(command, log, None, instance, true)?;
        texts.all().for_each(|file| process.configure(file));
        Ok(process)
    }

    fn start(
        mut command: Command,
        log: Option<&str>,
        slots: Option<(NamedTempFile, Slots)>,
        instance: &Instance,
        wants_figures: bool,
    ) -> anyhow::Result<Self> {
        if let Some(filter) = log {
            command.arg("--log").arg(filter);
        }
        // A group of its own: Ctrl-C in a terminal is for the supervisor, which then asks its children.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).kill_on_drop(false);
        let mut child = command.spawn().context("start a child process")?;
        let pid = child.id().context("the child ended at once")?;
        if let Some(output) = child.stdout.take() {
            instance.listen(pid, output);
        }
        let (input, messages) = unbounded_channel();
        if let Some(pipe) = child.stdin.take() {
            // Ends with the process's place here, or when it no longer reads.
            tokio::spawn(feed(pid, pipe, messages, wants_figures.then(|| instance.clone())));
        }
        Ok(Self { input, child, pid, started: Instant::now(), slots })
    }

    /// Hands over a configuration. A child that does not read is about to end, which is noticed elsewhere.
    pub(crate) fn configure(&self, file: &File) {
        self.tell(Message::Configure { file: file.name(), text: file.text.clone() });
    }

    fn tell(&self, message: Message) {
        // Only fails once it no longer reads: then it is about to end.
        let _ = self.input.send(message);
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        match self.child.wait().await {
            Ok(status) => status,
            Err(error) => {
                tracing::error!(pid = self.pid, %error, "cannot wait for a child");
                std::future::pending().await
            }
        }
    }

    /// Tokens its threads were running when it ended.
    pub(crate) fn marked(&self) -> Vec<u64> {
        self.slots.as_ref().map(|(_, slots)| slots.marked()).unwrap_or_default()
    }

    /// Tells a worker to give back what it still runs.
    pub(crate) fn hurry(&self) {
        self.tell(Message::Hurry);
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it without asking.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // `id` is there until the child has been waited for, so this pid is nobody else's.
        if let Some(pid) = self.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            // It may have ended this instant, which is what was wanted.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

/// Writes to a child what it is to be told. One that does not read holds up this task and nobody else.
async fn feed(
    pid: u32,
    mut pipe: ChildStdin,
    mut messages: UnboundedReceiver<Message>,
    instance: Option<Instance>,
) {
    let mut every = tokio::time::interval(figures::EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut turns = figures::Turns::default();
    let mut lines = Vec::new();
    loop {
        lines.clear();
        tokio::select! {
            message = messages.recv() => match message {
                Some(message) => put(&mut lines, &message),
                None => return,
            },
            _ = every.tick(), if instance.is_some() => {
                let news = instance.iter().flat_map(|instance| instance.news(turns.end_second()));
                news.for_each(|told| put(&mut lines, &Message::News(told)));
            }
        }
        if let Err(error) = pipe.write_all(&lines).await {
            tracing::debug!(pid, %error, "a child does not listen");
            return;
        }
    }
}

fn put(lines: &mut Vec<u8>, message: &Message) {
    serde_json::to_writer(&mut *lines, message).expect("strings and numbers serialise");
    lines.push(b'\n');
}

/// The program that runs here, also after an upgrade has put another one in its place: children speak our version.
fn this_program() -> anyhow::Result<Command> {
    let path = std::env::current_exe().context("find this program")?;
    let mut command = Command::new(if path.exists() { path } else { PathBuf::from("/proc/self/exe") });
    // The allocator's first pages would be huge ones: an idle child would hold 26 MB of which it uses 13.
    command.env("MIMALLOC_ALLOW_THP", "0");
    Ok(command)
}

/// Memory that both processes map: in `/dev/shm` where there is one.
fn slots_file() -> anyhow::Result<(NamedTempFile, Slots)> {
    let builder = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix("conserver-slots-");
        builder
    };
    let file =
        builder().tempfile_in("/dev/shm").or_else(|_| builder().tempfile()).context("make shared memory")?;
    let slots = Slots::open(file.path())?;
    Ok((file, slots))
}
