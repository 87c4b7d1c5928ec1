//! One worker: claims ids, runs their chains, settles. Ends by giving back what it could not finish.
//!
//! `claimer` takes ids while there is room · `run` loads and runs them · `settler` ends their leases · `lease` keeps
//! the worker alive in the backend's eyes from a thread of its own · `chronicler` remembers how they went · `desk` is what they all know · `pipeline` the chains.

mod chronicler;
mod claimer;
mod desk;
mod documents;
pub(crate) mod inbox;
mod lease;
mod pipeline;
mod run;
mod settler;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use conserver_core::clock::Seldom;
use conserver_core::config::{Plan, Settings};
use conserver_core::event::{OldestHeld, WorkerRuns};
use conserver_core::guarded::{GuardedStorage, tend};
use conserver_core::queue::{Lane, Strikes};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::chronicler::Chronicler;
use self::claimer::{Claimer, Ended};
use self::desk::Desk;
use self::documents::Source;
use self::lease::LeaseThread;
use self::pipeline::Pipeline;
use self::run::Runner;
use self::settler::Settler;
use crate::exit::Exit;
use crate::figures;
use crate::identity;
use crate::slots::Slots;
use crate::wiring::{Backend, Wiring};

/// How a worker is run.
pub(crate) struct Options {
    pub(crate) lane: Lane,
    pub(crate) slots: Slots,
}

/// What asks a worker to stop: first to drain, then to hurry.
#[derive(Clone, Default)]
pub(crate) struct Stop {
    pub(crate) drain: CancellationToken,
    pub(crate) hurry: CancellationToken,
}

/// Runs a worker until it is stopped. `reloads` brings further configurations.
pub(crate) async fn run(
    wiring: &Wiring,
    plan: &Plan,
    options: Options,
    stop: Stop,
    mut reloads: mpsc::UnboundedReceiver<Plan>,
) -> anyhow::Result<Exit> {
    let settings = &plan.settings;
    let backend = wiring.connect(settings)?;
    let me = identity::of_this_process(options.lane == Lane::Suspects);
    register(&backend, &me, &stop).await;

    let desk = Arc::new(Desk::new());
    let built = wiring.build(plan)?;
    let source = Arc::new(Source {
        store: backend.store.clone(),
        fallback: Mutex::new(fallback(settings, &built.storages)),
        ttl: settings.vcon_expiry,
        limits: settings.limits(),
        worker: me.id.clone(),
        desk: desk.clone(),
    });
    let pipeline =
        Arc::new(Mutex::new(Arc::new(Pipeline::new(built.chains, settings.claim_order, None, &desk.change))));
    let looked_at = pipeline.clone();
    figures::outages_by(move || looked_at.lock().expect("no panic while held").clone().outages());
    let storages = Arc::new(Mutex::new(built.storages));
    let keeper = backend.queue.keeper(&me.id)?;
    let lease = LeaseThread::start(keeper, me.id.clone(), desk.clone(), options.slots.clone())
        .context("start the lease thread")?;

    let (ended, settlements) = mpsc::unbounded_channel();
    let (runs, services) = (TaskTracker::new(), TaskTracker::new());
    let (chronicler, chronicle) =
        Chronicler::start(backend.chronicle.clone(), me.id.clone(), settings.stories);
    let settler =
        Settler { queue: backend.queue.clone(), worker: me.id.clone(), desk: desk.clone(), chronicler };
    let settling = services.spawn(settler.run(settlements));
    let ticking = services.spawn(tick(desk.clone()));
    let tended = storages.clone();
    let tending = services.spawn(tend(move || tended.lock().expect("no panic while held").clone()));
    let claimer = Claimer {
        queue: backend.queue.clone(),
        me: me.clone(),
        lane: options.lane,
        desk: desk.clone(),
        pipeline: pipeline.clone(),
        runner: Runner {
            source: source.clone(),
            slots: options.slots,
            bytes: run::bytes_in_flight(settings.max_bytes_in_flight),
            max_bytes: settings.max_bytes_in_flight,
            shape: settings.body_shape,
            ended,
            tracker: runs.clone(),
            hurry: stop.hurry.clone(),
        },
        stop: stop.drain.clone(),
    };
    WorkerRuns { lane: if options.lane == Lane::Suspects { "suspects" } else { "main" } }.emit();
    tracing::info!(worker = %me.id, chains = plan.chains.len(), backend = backend.shown, "worker started");

    let mut claiming = services.spawn(claimer.run());
    let ended = loop {
        tokio::select! {
            ended = &mut claiming => break ended.context("the claimer panicked")?,
            Some(plan) = reloads.recv() => reload(wiring, &plan, &pipeline, &source, &storages),
        }
    };
    let exit = match ended {
        Ended::Unregistered => {
            tracing::warn!(worker = %me.id, "this worker was declared dead and recovered; starting anew");
            stop.hurry.cancel();
            Exit::Recovered
        }
        Ended::Stopped | Ended::LaneEmpty => Exit::Ok,
    };

    runs.close();
    drain(&runs, &desk, &stop, settings.drain_timeout).await;
    // The last sender of settlements is gone with the claimer and the runs: the settler ends when all is confirmed.
    let hurried = stop.hurry.is_cancelled();
    let confirmed =
        tokio::time::timeout(if hurried { Duration::from_secs(2) } else { settings.drain_timeout }, settling);
    if confirmed.await.is_err() {
        tracing::warn!("some settlements are not confirmed; their ids are put back and run again");
    }
    ticking.abort();
    tending.abort();
    if let Some(chronicle) = chronicle {
        // The settler took the last note. What is not written now is not worth waiting for.
        let _ = tokio::time::timeout(Duration::from_secs(1), chronicle).await;
    }
    lease.stop();
    let gone =
        tokio::time::timeout(Duration::from_secs(5), backend.queue.recover(&me.id, &Strikes::none())).await;
    match gone {
        Ok(Ok(recovered)) if recovered.returned > 0 => {
            tracing::info!(worker = %me.id, vcons = recovered.returned, "gave back what was not finished");
        }
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = %error.chain(), "could not sign off; the lease will end by itself")
        }
        Err(_) => tracing::warn!("could not sign off within 5 s; the lease will end by itself"),
    }
    tracing::info!(worker = %me.id, "worker ended");
    Ok(exit)
}

/// Registers, waiting for the backend as long as it takes.
async fn register(backend: &Backend, me: &conserver_core::queue::WorkerInfo, stop: &Stop) {
    let mut told = Seldom::default();
    while let Err(error) = backend.queue.register(me).await {
        if told.is_time() {
            tracing::warn!(error = %error.chain(), "cannot register; trying until it works");
        }
        if tokio::time::timeout(Duration::from_millis(300), stop.drain.cancelled()).await.is_ok() {
            return;
        }
    }
}

/// The storages that are asked for what the store does not have.
fn fallback(settings: &Settings, storages: &[Arc<GuardedStorage>]) -> Vec<Arc<GuardedStorage>> {
    if settings.storage_fallback { storages.to_vec() } else { Vec::new() }
}

fn reload(
    wiring: &Wiring,
    plan: &Plan,
    pipeline: &Mutex<Arc<Pipeline>>,
    source: &Source,
    storages: &Mutex<Vec<Arc<GuardedStorage>>>,
) {
    match wiring.build(plan) {
        Ok(built) => {
            let mut current = pipeline.lock().expect("no panic while held");
            let change = &source.desk.change;
            *current =
                Arc::new(Pipeline::new(built.chains, plan.settings.claim_order, Some(&current), change));
            change.notify_one();
            *source.fallback.lock().expect("no panic while held") = fallback(&plan.settings, &built.storages);
            *storages.lock().expect("no panic while held") = built.storages;
            tracing::info!(chains = plan.chains.len(), "configuration reloaded");
        }
        Err(error) => tracing::error!(
            error = format!("{error:#}"),
            "cannot build the new configuration; keeping the old one"
        ),
    }
}

/// Shows the lease thread that the runtime lives.
async fn tick(desk: Arc<Desk>) {
    let mut every = tokio::time::interval(Duration::from_millis(500));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        desk.beat();
        OldestHeld { age: desk.oldest() }.emit();
    }
}

/// Waits for what runs, saying each second what it is; drops it after `limit`, or when asked to hurry.
async fn drain(runs: &TaskTracker, desk: &Desk, stop: &Stop, limit: Duration) {
    let start = Instant::now();
    while !runs.is_empty() {
        let done = tokio::time::timeout(Duration::from_secs(1), runs.wait());
        tokio::select! {
            done = done => {
                if done.is_ok() {
                    return;
                }
            }
            () = stop.hurry.cancelled() => break,
        }
        if start.elapsed() > limit {
            tracing::warn!(seconds = limit.as_secs(), "drain timeout; giving back what still runs");
            break;
        }
        let all = desk.all();
        let oldest =
            all.first().map(|held| format!("{} in `{}`", held.entry.id, held.chain)).unwrap_or_default();
        tracing::info!(running = all.len(), oldest, "stopping: waiting for what runs");
    }
    stop.hurry.cancel();
    runs.wait().await;
}
