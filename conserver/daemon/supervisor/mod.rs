//! Looks after child processes: workers, a sacrificial worker for suspects, the API. Starts them again when they
//! end, recovers what they held, sweeps times to live, hands over new configurations, stops everything in order.

mod child;
mod death;
mod ready;
mod recovery;
mod reload;
mod restart;
mod texts;

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use conserver_core::config::{Plan, Problem, Settings};
use conserver_core::event::{ChildEnded, ChildStarted, VconsRecovered, live};
use conserver_core::queue::Strikes;
use futures::future::select_all;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;

use self::child::Process;
use self::death::OutOfMemory;
use self::recovery::Recovery;
use self::restart::Backoff;
use self::texts::Texts;
use crate::config::File;
use crate::exit::Exit;
use crate::figures::{self, Instance};
use crate::notice;
use crate::wiring::{Backend, Wiring, dead_letter_lists, named_dlqs};
use crate::worker::inbox::Message;

/// How often it looks around.
const TICK: Duration = Duration::from_secs(1);
/// How often it looks for suspects that nobody told it of.
const LOOK_FOR_SUSPECTS: Duration = Duration::from_secs(10);
/// How much longer than the workers' own drain it waits before it kills.
const GRACE: Duration = Duration::from_secs(10);

/// Which child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Worker(usize),
    Suspects,
    Api,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::Worker(_) => "worker",
            Self::Suspects => "suspects",
            Self::Api => "api",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Worker(number) => write!(f, "worker {number}"),
            Self::Suspects | Self::Api => f.write_str(self.as_str()),
        }
    }
}

/// One place for a child: it, or when it is started again.
#[derive(Default)]
struct Place {
    process: Option<Process>,
    backoff: Backoff,
    due: Option<Instant>,
}

/// What `run` was asked for beside the configuration.
pub(crate) struct Options {
    /// What was told to be wrong with the configuration.
    pub(crate) problems: Vec<Problem>,
    pub(crate) listen: Option<String>,
    pub(crate) log: Option<String>,
    /// Where the figures of all children come together.
    pub(crate) instance: Instance,
    /// Ends with the program that started us, if there is one.
    pub(crate) owner: Option<UnboundedReceiver<Message>>,
}

pub(crate) struct Supervisor {
    wiring: Wiring,
    /// The configuration that runs, as texts.
    texts: Texts,
    /// What was told to be wrong with it.
    told: Vec<Problem>,
    plan: Plan,
    options: Options,
    backend: Backend,
    recovery: Recovery,
    /// What all began with.
    at_start: Settings,
    places: BTreeMap<Role, Place>,
    out_of_memory: OutOfMemory,
    /// Ended children whose holdings are not put back yet: the backend was away.
    unrecovered: Vec<Dead>,
    suspects_looked: Instant,
    /// Since when the backend is away.
    away: Option<Instant>,
    swept: Option<Instant>,
    /// Whether the backend has answered.
    is_ready: bool,
    /// Whoever looks at the lists hears of new configurations.
    plans: tokio::sync::watch::Sender<Plan>,
}

/// A child that ended, until what it held is put back.
struct Dead {
    role: Role,
    pid: u32,
    status: ExitStatus,
    strikes: Strikes,
}

/// Signals that mean something to us.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Supervisor {
    pub(crate) fn new(wiring: Wiring, file: File, plan: Plan, mut options: Options) -> anyhow::Result<Self> {
        let backend = wiring.connect(&plan.settings)?;
        let recovery = Recovery::new(backend.clone());
        let mut places = BTreeMap::new();
        for number in 1..=plan.settings.workers {
            places.insert(Role::Worker(number), Place::default());
        }
        if options.listen.is_some() {
            places.insert(Role::Api, Place::default());
        }
        Ok(Self {
            told: std::mem::take(&mut options.problems),
            texts: Texts::new(file, &plan),
            wiring,
            plans: tokio::sync::watch::Sender::new(plan.clone()),
            at_start: plan.settings.clone(),
            plan,
            options,
            backend,
            recovery,
            places,
            out_of_memory: OutOfMemory::new(),
            unrecovered: Vec::new(),
            suspects_looked: Instant::now(),
            away: None,
            swept: None,
            is_ready: false,
        })
    }

    /// Runs until asked to stop.
    pub(crate) async fn run(mut self) -> anyhow::Result<Exit> {
        let mut signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        };
        tracing::info!(
            backend = self.backend.shown,
            workers = self.plan.settings.workers,
            chains = self.plan.chains.len(),
            config = self.texts.newest().name(),
            "conserver {}",
            env!("CARGO_PKG_VERSION")
        );
        live::keep();
        // Whoever watches us asks the API, which has to say that we live and wait.
        self.start_due();
        match self.wait_for_backend(&mut signals).await {
            Some(Ok(())) => {}
            early => {
                if self.places.values().any(|place| place.process.is_some()) {
                    self.stop(&mut signals).await;
                }
                return early.map_or(Ok(Exit::Ok), |waited| waited.map(|()| Exit::Ok));
            }
        }
        self.is_ready = true;
        if let Err(error) = self.recovery.of_this_host().await {
            tracing::warn!(error = %error.chain(), "cannot look for dead workers yet");
        }
        tokio::spawn(figures::watch(self.backend.clone(), self.plans.subscribe()));
        let instance = self.options.instance.clone();
        let notes = tokio::spawn(notice::leave(self.backend.clone(), instance, self.plans.subscribe()));
        self.start_due();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let pause = self.next_start();
            tokio::select! {
                (role, status) = ended(&mut self.places) => self.child_ended(role, status).await,
                () = tokio::time::sleep(pause) => self.start_due(),
                _ = tick.tick() => self.look_around().await,
                _ = signals.hangup.recv() => self.reload(true).await,
                _ = signals.terminate.recv() => break,
                _ = signals.interrupt.recv() => break,
                () = gone(&mut self.options.owner) => break,
            }
        }
        self.stop(&mut signals).await;
        notes.abort();
        notice::take_back(&self.backend).await;
        self.options.instance.settled().await;
        Ok(Exit::Ok)
    }

    /// Waits for the backend and looks after the API meanwhile; `None` if it is time to end.
    async fn wait_for_backend(&mut self, signals: &mut Signals) -> Option<anyhow::Result<()>> {
        let (backend, plan) = (self.backend.clone(), self.plan.clone());
        let mut ready = std::pin::pin!(ready::ready(&backend, &plan));
        loop {
            let pause = self.next_start();
            tokio::select! {
                ready = &mut ready => return Some(ready),
                (role, status) = ended(&mut self.places) => self.child_ended(role, status).await,
                () = tokio::time::sleep(pause) => self.start_due(),
                _ = signals.terminate.recv() => return None,
                _ = signals.interrupt.recv() => return None,
                () = gone(&mut self.options.owner) => return None,
            }
        }
    }

    /// How long until the next child is due.
    fn next_start(&self) -> Duration {
        let due = self.places.values().filter(|p| p.process.is_none()).filter_map(|p| p.due).min();
        due.map_or(Duration::from_secs(3600), |due| due.saturating_duration_since(Instant::now()))
    }

    /// Starts every child that is due.
    fn start_due(&mut self) {
        let now = Instant::now();
        let roles: Vec<Role> = self
            .places
            .iter()
            .filter(|(_, place)| place.process.is_none() && place.due.is_none_or(|due| due <= now))
            .map(|(role, _)| *role)
            // A worker without a backend has nothing to do.
            .filter(|role| self.is_ready || *role == Role::Api)
            .collect();
        for role in roles {
            let (log, instance) = (self.options.log.as_deref(), &self.options.instance);
            let among = self.places.keys().filter(|role| matches!(role, Role::Worker(_))).count();
            let started = match role {
                Role::Worker(_) => Process::worker(&self.texts, among, false, log, instance),
                Role::Suspects => Process::worker(&self.texts, among, true, log, instance),
                Role::Api => {
                    let listen = self.options.listen.as_deref().unwrap_or_default();
                    Process::api(&self.texts, listen, log, instance)
                }
            };
            let Some(place) = self.places.get_mut(&role) else { continue };
            match started {
                Ok(process) => {
                    ChildStarted { role: role.as_str(), pid: process.pid }.emit();
                    place.process = Some(process);
                }
                Err(error) => {
                    tracing::error!(%role, error = format!("{error:#}"), "cannot start a child");
                    place.due = Some(now + Duration::from_secs(1));
                }
            }
        }
    }

    async fn child_ended(&mut self, role: Role, status: ExitStatus) {
        let Some(place) = self.places.get_mut(&role) else { return };
        let Some(process) = place.process.take() else { return };
        ChildEnded { pid: process.pid, role: role.as_str(), cause: death::cause(status) }.emit();
        let now = Instant::now();
        let expected =
            matches!(status.code(), Some(c) if c == Exit::Recovered.code() || c == Exit::Stuck.code());
        let due = match (role, expected) {
            // Ended itself for a reason that is not its own fault.
            (Role::Worker(_), true) => now,
            _ => restart::due(now, &mut place.backoff, process.started),
        };
        place.due = Some(due);
        if role == Role::Api {
            tracing::warn!(pid = process.pid, %status, "the API ended; starting it again");
            return;
        }
        if role == Role::Suspects {
            self.places.remove(&role);
        }
        let out_of_memory = self.out_of_memory.happened();
        let mut strikes = death::strikes(status, process.marked(), out_of_memory);
        strikes.dlqs = named_dlqs(&self.plan);
        let accused = strikes.all || !strikes.tokens.is_empty();
        self.unrecovered.push(Dead { role, pid: process.pid, status, strikes });
        self.recover_dead().await;
        if accused {
            self.serve_suspects().await;
        }
    }

    /// Puts back what ended children held; tried again at the next tick where the backend is away.
    async fn recover_dead(&mut self) {
        for dead in std::mem::take(&mut self.unrecovered) {
            match self.recovery.of_child(dead.pid, &dead.strikes).await {
                Ok(recovered) if dead.status.success() && recovered.returned == 0 => {}
                Ok(recovered) => {
                    tracing::warn!(
                        role = %dead.role,
                        pid = dead.pid,
                        status = %dead.status,
                        vcons = recovered.returned,
                        suspects = recovered.suspects.len(),
                        poison = recovered.poison.len(),
                        "a worker ended; recovered what it held"
                    );
                    let signal = &dead.strikes.signal;
                    VconsRecovered { recovered: &recovered, signal, pid: dead.pid }.emit();
                }
                Err(error) => {
                    tracing::warn!(error = %error.chain(), "cannot recover a worker yet");
                    self.unrecovered.push(dead);
                }
            }
        }
    }

    /// Looks around: ended leases, suspects, times to live, a changed file.
    async fn look_around(&mut self) {
        self.recover_dead().await;
        let looked = self.recovery.of_others().await;
        self.note_outage(looked.err());
        if self.suspects_looked.elapsed() > LOOK_FOR_SUSPECTS {
            self.serve_suspects().await;
        }
        self.sweep().await;
        self.reload(false).await;
    }

    /// Tells once that the backend is away, and once that it is back: workers tell what it does to them.
    fn note_outage(&mut self, error: Option<conserver_core::Error>) {
        let kind = self.backend.inspect.kind();
        match (error, self.away) {
            (Some(error), None) if error.is_unavailable() => {
                self.away = Some(Instant::now());
                tracing::warn!(error = %error.chain(), "{kind} is away; everything waits for it");
            }
            (Some(error), _) => tracing::debug!(error = %error.chain(), "cannot look at other workers"),
            (None, Some(since)) => {
                self.away = None;
                let seconds = since.elapsed().as_secs_f64();
                tracing::info!("{kind} is back after {seconds:.1} s");
            }
            (None, None) => {}
        }
    }

    /// Starts the sacrificial worker if there are suspects and it does not run.
    async fn serve_suspects(&mut self) {
        self.suspects_looked = Instant::now();
        if self.places.contains_key(&Role::Suspects) {
            return;
        }
        let waiting = match self.backend.queue.status(&self.plan.ingress_lists()).await {
            Ok(status) => status.iter().map(|list| list.suspects).sum::<u64>(),
            Err(error) => {
                tracing::debug!(error = %error.chain(), "cannot look for suspects");
                return;
            }
        };
        if waiting > 0 {
            tracing::info!(vcons = waiting, "running suspects one at a time in a worker of their own");
            self.places.insert(Role::Suspects, Place::default());
            self.start_due();
        }
    }

    async fn sweep(&mut self) {
        let every = self.plan.settings.vcon_expiry.map_or(Duration::from_secs(900), |expiry| expiry / 4);
        if self.swept.is_some_and(|at| at.elapsed() < every.max(Duration::from_secs(1))) {
            return;
        }
        self.swept = Some(Instant::now());
        match self.backend.queue.sweep(&self.plan.ingress_lists(), &dead_letter_lists(&self.plan)).await {
            Ok(Some(extended)) if extended > 0 => tracing::info!(vcons = extended, "extended times to live"),
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %error.chain(), "cannot extend times to live"),
        }
    }

    /// Asks every child to end and waits; asked again, they hurry; asked a third time, they are killed.
    async fn stop(&mut self, signals: &mut Signals) {
        let limit = self.plan.settings.drain_timeout + GRACE;
        tracing::info!("stopping: workers finish what they run (again to hurry)");
        self.terminate_all();
        let start = Instant::now();
        let mut asked = 1;
        while self.places.values().any(|place| place.process.is_some()) {
            tokio::select! {
                (role, status) = ended(&mut self.places) => {
                    if let Some(process) = self.places.get_mut(&role).and_then(|place| place.process.take())
                        && role != Role::Api
                    {
                        self.unrecovered.push(Dead { role, pid: process.pid, status, strikes: Strikes::none() });
                        self.recover_dead().await;
                    }
                }
                _ = signals.terminate.recv() => asked += 1,
                _ = signals.interrupt.recv() => asked += 1,
                () = tokio::time::sleep(limit.saturating_sub(start.elapsed())) => asked = 3,
            }
            match asked {
                2 => {
                    tracing::warn!("hurrying: workers give back what they run (again to kill them)");
                    self.places.values().filter_map(|place| place.process.as_ref()).for_each(Process::hurry);
                    asked = 20;
                }
                3 | 21.. => {
                    self.kill_all();
                    asked = 30;
                }
                _ => {}
            }
        }
        tracing::info!("stopped");
    }

    fn terminate_all(&self) {
        self.places.values().filter_map(|place| place.process.as_ref()).for_each(Process::terminate);
    }

    fn kill_all(&self) {
        tracing::error!("killing workers that do not end; what they held is put back");
        self.places.values().filter_map(|place| place.process.as_ref()).for_each(Process::kill);
    }
}

/// Completes when the program that started us is gone; never, if nobody did.
async fn gone(owner: &mut Option<UnboundedReceiver<Message>>) {
    match owner {
        Some(owner) => while owner.recv().await.is_some() {},
        None => std::future::pending().await,
    }
}

/// The next child that ends; never, while there is none.
async fn ended(places: &mut BTreeMap<Role, Place>) -> (Role, ExitStatus) {
    let waits: Vec<_> = places
        .iter_mut()
        .filter_map(|(role, place)| place.process.as_mut().map(|process| (*role, process)))
        .map(|(role, process)| Box::pin(async move { (role, process.ended().await) }))
        .collect();
    if waits.is_empty() {
        return std::future::pending().await;
    }
    select_all(waits).await.0
}
