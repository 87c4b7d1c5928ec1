//! The lease thread: an ordinary thread with a connection of its own, so that no busy runtime can lose the lease.
//!
//! It also watches the runtime. A link that blocks its thread past its deadline cannot be cancelled: its id becomes
//! a dead letter `timeout`, everything else goes back to its list, and the process ends with a code that is no strike.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use conserver_core::clock::Seldom;
use conserver_core::event::VconDead;
use conserver_core::queue::{DeadLetter, LEASE, LeaseKeeper};
use conserver_core::{ErrorKind, WorkerId};

use super::desk::{Desk, Held};
use crate::exit::Exit;
use crate::figures;
use crate::slots::Slots;

/// How often it looks.
const TICK: Duration = Duration::from_millis(200);
/// How often it renews.
const RENEW: Duration = Duration::from_millis(1500);
/// A runtime that showed no life for this long is hung, whatever it does.
const HUNG: Duration = Duration::from_secs(60);
/// The lease counts as over this much before the backend thinks so, for writes that are under way.
const MARGIN: Duration = Duration::from_millis(500);

/// The thread; stopped and joined by [`LeaseThread::stop`].
pub(crate) struct LeaseThread {
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
}

impl LeaseThread {
    /// Starts it.
    pub(crate) fn start(
        keeper: Box<dyn LeaseKeeper>,
        worker: WorkerId,
        desk: Arc<Desk>,
        slots: Slots,
    ) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let watch = Watch { keeper, worker, desk, slots, stop: stop.clone(), told: Seldom::default() };
        let thread = std::thread::Builder::new().name("lease".to_owned()).spawn(move || watch.run())?;
        Ok(Self { thread, stop })
    }

    /// Ends it. The lease is not renewed any more.
    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        // It ends within one answer of the backend; a panic of it has been printed.
        let _ = self.thread.join();
    }
}

struct Watch {
    keeper: Box<dyn LeaseKeeper>,
    worker: WorkerId,
    desk: Arc<Desk>,
    slots: Slots,
    stop: Arc<AtomicBool>,
    told: Seldom,
}

impl Watch {
    fn run(mut self) {
        let mut renewed = None;
        while !self.stop.load(Ordering::Acquire) {
            if renewed.is_none_or(|at: Instant| at.elapsed() >= RENEW) {
                renewed = self.renew().or(renewed);
            }
            if let Some(held) = self.slots.overdue().and_then(|token| self.desk.held(token)) {
                self.abandon(&held);
            }
            // A run that blocks its thread has a deadline of its own, above.
            if self.desk.since_beat() > HUNG && self.slots.marked().is_empty() {
                self.give_up_hung();
            }
            std::thread::park_timeout(TICK);
        }
    }

    /// Answers when it asked, if the lease was renewed.
    fn renew(&mut self) -> Option<Instant> {
        let asked = Instant::now();
        match self.keeper.renew(self.desk.since_progress()) {
            Ok(true) => {
                self.desk.renewed(asked, LEASE - MARGIN);
                if std::mem::take(&mut self.told).has_told() {
                    tracing::info!(worker = %self.worker, "lease renewed again");
                }
                Some(asked)
            }
            Ok(false) => {
                tracing::warn!(worker = %self.worker, "this worker was declared dead and recovered; starting anew");
                end(Exit::Recovered)
            }
            Err(error) => {
                if self.told.is_time() {
                    tracing::warn!(worker = %self.worker, error = %error.chain(), "cannot renew the lease");
                }
                None
            }
        }
    }

    fn abandon(&mut self, stuck: &Held) {
        let entry = &stuck.entry;
        let seconds = stuck.since.elapsed().as_secs();
        tracing::error!(vcon = %entry.id, chain = %stuck.chain, seconds, "a link blocks its thread past its deadline; ending this worker");
        let letter = DeadLetter {
            reason: ErrorKind::Timeout.as_str().to_owned(),
            error: format!(
                "a link blocked its thread past its deadline ({seconds} s after the vCon was claimed)"
            ),
            list: Some(entry.list.clone()),
            chain: Some(stuck.chain.clone()),
            attempt: 1,
            may_have_happened: true,
            worker: Some(self.worker.clone()),
            ..DeadLetter::default()
        };
        match self.keeper.abandon(entry, &stuck.dlq, &letter) {
            Ok(()) => {
                let (chain, id, dlq) = (&stuck.chain, &entry.id, &stuck.dlq);
                VconDead { chain, id, dlq, reason: &letter.reason, error: &letter.error }.emit();
                end(Exit::Stuck)
            }
            // Tried again at the next tick: without the backend there is nothing better to do.
            Err(error) => tracing::warn!(error = %error.chain(), "cannot dead-letter it yet"),
        }
    }

    fn give_up_hung(&mut self) {
        tracing::error!(worker = %self.worker, "the runtime showed no life for a minute; ending this worker");
        if let Err(error) = self.keeper.release() {
            tracing::warn!(error = %error.chain(), "could not put back what it held; the supervisor will");
        }
        end(Exit::Stuck)
    }
}

/// The runtime cannot be asked to end: it is what hangs.
fn end(exit: Exit) -> ! {
    figures::flush();
    exit.now()
}
