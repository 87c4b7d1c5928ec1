//! When to stop asking a backend that does not answer, and when to ask again.
//!
//! Failures in a row that speak of the other side open the breaker; a fault of one document does not. While it is
//! open nobody asks, and the worker claims nothing for chains that need what it guards: an outage fills the
//! queue. After a cooldown one probe decides. For a storage the probe is its `check()`, made by whoever ticks
//! it; for a link, which has no such thing, and for a storage whose check cannot tell, it is the next real call.
//!
//! No timer and no task: time passes by comparing clocks when somebody asks.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::options::BreakerOptions;
use crate::event::{BreakerChanged, BreakerGone};
use crate::{Error, ErrorKind, Guards, Result};

/// The breaker of one link or storage.
#[derive(Debug)]
pub struct Breaker {
    guards: Guards,
    options: BreakerOptions,
    probe: Probe,
    /// Closed without a failure: callers pass, and report success, without the lock.
    quiet: AtomicBool,
    inner: Mutex<Inner>,
    /// The worker listens, to claim again at once.
    changes: watch::Sender<State>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    failures: u32,
    until: Instant,
    /// The failure that opened it.
    why: Arc<str>,
    /// When it opened.
    since: Instant,
    /// Of the last failure, a probe's included.
    kind: ErrorKind,
    /// How long it stays open before a probe: longer with each relapse.
    pause: Duration,
    /// When a probe closed it last.
    closed: Option<Instant>,
}

/// What fails again within this time after its breaker closed has not recovered: a full disk takes the small file of a
/// check and not the next vCon.
const RECOVERED: Duration = Duration::from_secs(120);

/// With each relapse the pause doubles, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How a breaker stands that is not closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Open, or half-open while a probe is under way.
    pub state: State,
    /// For how long it has not been closed.
    pub open: Duration,
    /// How long until the next probe; zero once it is due.
    pub probe_in: Duration,
    /// What the last failure was, that of a probe included.
    pub error: ErrorKind,
    /// The failure that opened it, in one line.
    pub why: Arc<str>,
}

/// Who asks again after the cooldown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The next real call.
    NextCall,
    /// Whoever calls [`Breaker::begin_probe`]; real calls wait for its answer.
    Check,
}

/// The three states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Everybody may ask.
    Closed,
    /// Nobody asks.
    Open,
    /// One probe is under way.
    HalfOpen,
}

/// What claims should do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Claim as usual.
    Free,
    /// Claim a single vCon: it is the probe.
    Probe,
    /// Claim nothing that needs it.
    Shut,
}

/// What an attempt says of the other side, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It answered, be it a refusal of this document.
    Alive,
    /// Nothing is known: a fault of our own came first.
    Unclear,
    /// It cannot be reached, is too slow, or does not let us in.
    Away,
}

impl Verdict {
    /// What this error says of the other side.
    pub fn of(error: &Error) -> Self {
        use ErrorKind::{Internal, Panic, Poison, RateLimited, Timeout, Unauthorized, Unavailable};
        match error.kind() {
            Unavailable | Timeout | RateLimited | Unauthorized => Self::Away,
            _ if error.is_unavailable() => Self::Away,
            Panic | Poison | Internal => Self::Unclear,
            _ => Self::Alive,
        }
    }
}

impl Breaker {
    /// A closed breaker.
    pub fn new(guards: Guards, options: BreakerOptions, probe: Probe) -> Self {
        let now = Instant::now();
        let inner = Inner {
            state: State::Closed,
            failures: 0,
            until: now,
            why: Arc::from(""),
            since: now,
            kind: ErrorKind::Unavailable,
            pause: options.cooldown,
            closed: None,
        };
        Self {
            guards,
            options,
            probe,
            quiet: AtomicBool::new(true),
            inner: Mutex::new(inner),
            changes: watch::Sender::new(State::Closed),
        }
    }

    /// Asks to make one attempt.
    ///
    /// # Errors
    /// [`refused`], class unavailable, while it is open.
    pub fn ask(&self) -> Result<Permit<'_>> {
        if self.quiet.load(Relaxed) {
            return Ok(Permit { breaker: self, probes: false });
        }
        let mut inner = self.lock();
        let probes = match inner.state {
            State::Closed => false,
            State::Open if self.probe == Probe::NextCall && inner.is_due() => {
                self.enter(&mut inner, State::HalfOpen);
                true
            }
            State::Open | State::HalfOpen => return Err(inner.refusal()),
        };
        Ok(Permit { breaker: self, probes })
    }

    /// Begins the probe if one is due: the caller checks the other side and tells the permit.
    pub fn begin_probe(&self) -> Option<Permit<'_>> {
        let mut inner = self.lock();
        let due = inner.state == State::Open && inner.is_due();
        due.then(|| {
            self.enter(&mut inner, State::HalfOpen);
            Permit { breaker: self, probes: true }
        })
    }

    /// The state as of now.
    pub fn state(&self) -> State {
        if self.quiet.load(Relaxed) { State::Closed } else { self.lock().state }
    }

    /// How it stands, unless it is closed.
    pub fn trouble(&self) -> Option<Trouble> {
        if self.quiet.load(Relaxed) {
            return None;
        }
        let inner = self.lock();
        (inner.state != State::Closed).then(|| Trouble {
            state: inner.state,
            open: inner.since.elapsed(),
            probe_in: inner.until.saturating_duration_since(Instant::now()),
            error: inner.kind,
            why: inner.why.clone(),
        })
    }

    /// Whether calls are refused: open or half-open.
    pub fn is_open(&self) -> bool {
        self.state() != State::Closed
    }

    /// Whether to claim what needs it.
    pub fn gate(&self) -> Gate {
        if self.quiet.load(Relaxed) {
            return Gate::Free;
        }
        let inner = self.lock();
        match inner.state {
            State::Closed => Gate::Free,
            State::Open if self.probe == Probe::NextCall && inner.is_due() => Gate::Probe,
            State::Open | State::HalfOpen => Gate::Shut,
        }
    }

    /// While it is open and the next real call is its probe: how long until that may be made.
    pub fn probe_in(&self) -> Option<Duration> {
        if self.quiet.load(Relaxed) || self.probe != Probe::NextCall {
            return None;
        }
        let inner = self.lock();
        (inner.state == State::Open).then(|| inner.until.saturating_duration_since(Instant::now()))
    }

    /// Wakes at each change of the state.
    pub fn changes(&self) -> watch::Receiver<State> {
        self.changes.subscribe()
    }

    /// What it guards.
    pub fn guards(&self) -> &Guards {
        &self.guards
    }

    fn judge(&self, probes: bool, verdict: Verdict, error: Option<&Error>) {
        if verdict == Verdict::Alive && self.quiet.load(Relaxed) {
            return;
        }
        let mut inner = self.lock();
        match inner.state {
            // ## Closed => (Closed | Open)
            State::Closed if self.options.failures > 0 => match verdict {
                Verdict::Alive => inner.failures = 0,
                Verdict::Unclear => {}
                Verdict::Away => {
                    inner.failures += 1;
                    if inner.failures >= self.options.failures {
                        inner.why = error.map(Error::chain).unwrap_or_default().into();
                        inner.since = Instant::now();
                        inner.pause = inner.next_pause(self.options.cooldown);
                        self.open(&mut inner, error);
                    }
                }
            },
            // ## HalfOpen => (Closed | Open)
            State::HalfOpen if probes => match verdict {
                Verdict::Alive => {
                    // A check that succeeds is a promise; the first failure of what matters opens it again.
                    let is_check = self.probe == Probe::Check;
                    inner.failures = if is_check { self.options.failures.saturating_sub(1) } else { 0 };
                    inner.closed = Some(Instant::now());
                    self.enter(&mut inner, State::Closed);
                }
                Verdict::Unclear | Verdict::Away => self.open(&mut inner, error),
            },
            // What was asked before it opened says nothing new.
            State::Closed | State::Open | State::HalfOpen => {}
        }
        self.quiet.store(inner.state == State::Closed && inner.failures == 0, Relaxed);
    }

    fn open(&self, inner: &mut Inner, error: Option<&Error>) {
        inner.kind = error.map_or(inner.kind, Error::kind);
        inner.until = Instant::now() + inner.pause;
        self.enter(inner, State::Open);
    }

    fn enter(&self, inner: &mut Inner, state: State) {
        let was = std::mem::replace(&mut inner.state, state);
        self.changes.send_replace(state);
        let error = (state == State::Open).then_some(&*inner.why);
        let probing = was == State::HalfOpen && state == State::Open || state == State::HalfOpen;
        let (was, state) = (was.as_str(), state.as_str());
        let open = inner.since.elapsed();
        BreakerChanged { guards: &self.guards, state, was, error, probing, open }.emit();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while it holds this lock")
    }
}

impl Drop for Breaker {
    fn drop(&mut self) {
        if self.is_open() {
            BreakerGone { guards: &self.guards }.emit();
        }
    }
}

impl State {
    /// The word in logs and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

impl Inner {
    fn is_due(&self) -> bool {
        Instant::now() >= self.until
    }

    fn next_pause(&self, cooldown: Duration) -> Duration {
        let relapsed = self.closed.is_some_and(|closed| closed.elapsed() < RECOVERED);
        if relapsed { (self.pause * 2).min(LONGEST_PAUSE.max(cooldown)) } else { cooldown }
    }

    fn refusal(&self) -> Error {
        let wait = self.until.saturating_duration_since(Instant::now());
        BreakerOpen::new(wait, Arc::clone(&self.why)).into_error()
    }
}

/// The right to make one attempt. Dropped without a word (the caller was cancelled), it counts for nothing, and
/// a probe is due again at once.
#[derive(Debug)]
#[must_use = "the breaker learns from what it is told"]
pub struct Permit<'a> {
    breaker: &'a Breaker,
    probes: bool,
}

impl Permit<'_> {
    /// Tells what came of the attempt; the error is kept if that opens the breaker.
    pub fn tell(mut self, verdict: Verdict, error: Option<&Error>) {
        let probes = std::mem::take(&mut self.probes);
        self.breaker.judge(probes, verdict, error);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probes {
            let mut inner = self.breaker.lock();
            self.breaker.enter(&mut inner, State::Open);
        }
    }
}

/// The cause of an error that comes from an open breaker: nothing was asked, so it is no attempt.
#[derive(Debug, Clone)]
pub struct BreakerOpen {
    /// How long until the next probe.
    pub wait: Duration,
    why: Arc<str>,
}

impl BreakerOpen {
    pub(crate) fn new(wait: Duration, why: Arc<str>) -> Self {
        Self { wait, why }
    }

    pub(crate) fn into_error(self) -> Error {
        Error::new(ErrorKind::Unavailable, "not asked, for its breaker is open").source(self)
    }
}

impl fmt::Display for BreakerOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for BreakerOpen {}

/// Whether this error comes from an open breaker.
pub fn refused(error: &Error) -> Option<&BreakerOpen> {
    std::error::Error::source(error)?.downcast_ref()
}

#[cfg(test)]
mod tests;
