//! `worker`: one worker, under a supervisor or alone.

use std::time::Duration;

use anyhow::Context;
use conserver_core::config::Plan;
use conserver_core::queue::Lane;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::cli::{Global, WorkerArgs};
use crate::config::File;
use crate::exit::Exit;
use crate::figures;
use crate::slots::Slots;
use crate::telemetry::{self, Exports};
use crate::wiring::Wiring;
use crate::worker::inbox::{self, Message};
use crate::worker::{self, Options, Stop};

/// Beyond the drain timeout, a worker without a supervisor ends in any case.
const LAST_RESORT: Duration = Duration::from_secs(15);

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &WorkerArgs) -> anyhow::Result<Exit> {
    let mut inbox = args.supervised.then(inbox::listen).transpose().context("listen to the supervisor")?;
    args.supervised.then(figures::report).transpose().context("speak to the supervisor")?;
    let file = match &mut inbox {
        None => File::read(global)?,
        Some(inbox) => match inbox.blocking_recv() {
            Some(Message::Configure { file, text }) => File { path: file.into(), text, lasts: false },
            Some(Message::Hurry | Message::News(_)) | None => return Ok(Exit::Ok),
        },
    };
    let plan =
        if args.supervised { file.for_child(wiring)? } else { file.for_start(wiring, args.lenient)?.0 };
    telemetry::start(&plan.settings.log, global.log.as_deref());
    let exports = Exports::start(&plan.settings, (!args.supervised).then_some(figures::of_this_process));
    let slots = match &args.slots {
        Some(path) => Slots::open(path)?,
        None => Slots::open(tempfile::NamedTempFile::new().context("make memory for marks")?.path())?,
    };
    let options = Options { lane: if args.suspects { Lane::Suspects } else { Lane::Main }, slots };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads(&plan, args.among))
        .thread_name("worker")
        .enable_all()
        .build()
        .context("start the runtime")?;
    let exit = runtime.block_on(async {
        let stop = Stop::default();
        let (reload, reloads) = mpsc::unbounded_channel();
        let listening = tokio::spawn(listen(
            stop.clone(),
            inbox,
            Running { file, plan: plan.clone(), reload, wiring: wiring.clone() },
            args.supervised,
            plan.settings.drain_timeout,
        ));
        // On a task of its own, so that it runs on a worker thread and not beside them.
        let (wiring, owned) = (wiring.clone(), plan.clone());
        let working = tokio::spawn(async move { worker::run(&wiring, &owned, options, stop, reloads).await });
        let exit = working.await.context("the worker panicked");
        listening.abort();
        exit?
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    // What the last runs counted is told, too.
    figures::flush();
    drop(exports);
    exit
}

/// Threads of a worker's runtime: the cores shared out among the workers, at least one.
fn threads(plan: &Plan, among: Option<usize>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = among.unwrap_or(plan.settings.workers).max(1);
    plan.settings.threads.unwrap_or(cores / workers).max(1)
}

/// The configuration that runs, and where further ones go.
struct Running {
    file: File,
    plan: Plan,
    reload: mpsc::UnboundedSender<Plan>,
    wiring: Wiring,
}

impl Running {
    /// Takes up what is sound of this file. `aloud`: nobody else tells what is wrong with it.
    fn take_up(&mut self, file: File, aloud: bool) {
        let loaded = file.load(&self.wiring);
        if aloud {
            loaded.problems.iter().for_each(telemetry::logged);
        }
        match loaded.for_reload(&self.plan) {
            Some(plan) => {
                self.plan = plan.clone();
                self.file = file;
                // Only fails when the worker is about to end.
                let _ = self.reload.send(plan);
            }
            None if aloud => tracing::error!("the new configuration has errors; the old one runs on"),
            None => {}
        }
    }
}

/// Turns signals and the supervisor's words into stops and reloads.
async fn listen(
    stop: Stop,
    mut inbox: Option<mpsc::UnboundedReceiver<Message>>,
    mut running: Running,
    supervised: bool,
    drain_timeout: Duration,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            // An init system may signal a worker beside its supervisor: then a second signal is no wish to hurry.
            _ = terminate.recv() => if supervised { stop.drain.cancel() } else { ask(&stop) },
            // Under a supervisor Ctrl-C is the supervisor's to hear.
            _ = interrupt.recv(), if !supervised => ask(&stop),
            _ = hangup.recv(), if !supervised => {
                match File::read_at(&running.file.path) {
                    Ok(file) => running.take_up(file, true),
                    Err(error) => tracing::error!(error = format!("{error:#}"), "cannot reload; keeping the old configuration"),
                }
            }
            message = next(&mut inbox) => match message {
                Some(Message::Hurry) => {
                    stop.drain.cancel();
                    stop.hurry.cancel();
                }
                Some(Message::Configure { file: name, text }) => {
                    running.take_up(File { path: name.into(), text, lasts: false }, false);
                }
                Some(Message::News(_)) => {}
                None => {
                    inbox = None;
                    tracing::warn!("the supervisor is gone; ending");
                    stop.drain.cancel();
                    inbox::end_after(drain_timeout + LAST_RESORT);
                }
            },
        }
    }
}

/// The first time: finish what runs. The second time: give it back.
fn ask(stop: &Stop) {
    if stop.drain.is_cancelled() {
        stop.hurry.cancel();
    } else {
        stop.drain.cancel();
    }
}

async fn next(inbox: &mut Option<mpsc::UnboundedReceiver<Message>>) -> Option<Message> {
    match inbox {
        Some(inbox) => inbox.recv().await,
        None => std::future::pending().await,
    }
}
