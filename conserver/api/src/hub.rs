//! Who listens to what happens, and how events reach them: each at its own speed, none holding up another.
//!
//! One channel of bounded length goes to all listeners. Whoever is slower than that loses the oldest and is told how
//! many; whoever takes nothing for long is let go.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Listeners at once.
const LISTENERS: usize = 64;
/// Events that a listener may be behind.
const BEHIND: usize = 1024;
/// Frames on their way to one connection.
const FRAMES: usize = 32;
/// How often a comment shows that the connection lives.
const BEAT: Duration = Duration::from_secs(15);
/// One that takes nothing for this long is gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// One event on its way to those who listen.
#[derive(Debug)]
pub(crate) struct Item {
    number: u64,
    kind: &'static str,
    chain: Option<String>,
    data: String,
}

/// What a listener wants to hear.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    /// Only these kinds; all if there is none.
    pub(crate) kinds: Vec<String>,
    /// Of events that are about a chain, only those about these; all if there is none.
    pub(crate) chains: Vec<String>,
    /// The id of the last event it has.
    pub(crate) last: Option<String>,
}

/// Why somebody cannot listen.
pub(crate) enum Refused {
    /// As many listen as may.
    Full,
    /// This process is about to end.
    Ended,
}

/// All listeners.
#[derive(Debug)]
pub(crate) struct Hub {
    /// `None` once it is closed.
    sender: RwLock<Option<Sender<Arc<Item>>>>,
    next: AtomicU64,
    /// Tells the events of this process from those of another.
    epoch: u32,
    places: Arc<Semaphore>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            sender: RwLock::new(Some(Sender::new(BEHIND))),
            next: AtomicU64::new(1),
            epoch: fastrand::u32(..),
            places: Arc::new(Semaphore::new(LISTENERS)),
        }
    }
}

impl Hub {
    /// Whether anybody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.sender.read().expect("no panic while held").as_ref().is_some_and(|s| s.receiver_count() > 0)
    }

    /// Tells everybody.
    pub(crate) fn publish(&self, kind: &'static str, chain: Option<&str>, data: &Value) {
        let sender = self.sender.read().expect("no panic while held");
        let Some(sender) = sender.as_ref().filter(|sender| sender.receiver_count() > 0) else { return };
        let number = self.next.fetch_add(1, Relaxed);
        let item = Item { number, kind, chain: chain.map(str::to_owned), data: data.to_string() };
        // Fails if the last listener left this instant.
        let _ = sender.send(Arc::new(item));
    }

    /// Ends all listeners; they may come again.
    pub(crate) fn dismiss(&self) {
        if let Some(sender) = &mut *self.sender.write().expect("no panic while held") {
            *sender = Sender::new(BEHIND);
        }
    }

    /// Ends all listeners, and takes no new ones.
    pub(crate) fn close(&self) {
        *self.sender.write().expect("no panic while held") = None;
    }

    /// A listener's frames.
    pub(crate) fn listen(&self, wish: Wish) -> Result<mpsc::Receiver<Bytes>, Refused> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Refused::Full)?;
        let sender = self.sender.read().expect("no panic while held");
        let events = sender.as_ref().ok_or(Refused::Ended)?.subscribe();
        let (out, frames) = mpsc::channel(FRAMES);
        let first = format!("retry: 1000\n\n{}", self.gap(wish.last.as_deref()));
        let _ = out.try_send(Bytes::from(first));
        // Ends with its connection, or with the sender of events.
        tokio::spawn(pass_on(events, wish, self.epoch, out, place));
        Ok(frames)
    }

    /// What one that comes again has missed.
    fn gap(&self, last: Option<&str>) -> String {
        let Some(last) = last else { return String::new() };
        let known = last.split_once('-').and_then(|(epoch, number)| {
            let is_ours = epoch == format!("{:08x}", self.epoch);
            number.parse::<u64>().ok().filter(|_| is_ours)
        });
        let missed = known.map(|number| self.next.load(Relaxed).saturating_sub(number.saturating_add(1)));
        if missed == Some(0) { String::new() } else { frame_missed(missed, "away") }
    }
}

async fn pass_on(
    mut events: Receiver<Arc<Item>>,
    wish: Wish,
    epoch: u32,
    out: mpsc::Sender<Bytes>,
    _place: OwnedSemaphorePermit,
) {
    let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + BEAT, BEAT);
    loop {
        let frame = tokio::select! {
            event = events.recv() => match event {
                Ok(item) if wish.wants(&item) => item.frame(epoch),
                Ok(_) => continue,
                Err(RecvError::Lagged(missed)) => frame_missed(Some(missed), "slow"),
                Err(RecvError::Closed) => return,
            },
            _ = beat.tick() => ": still here\n\n".to_owned(),
            () = out.closed() => return,
        };
        if !matches!(tokio::time::timeout(PATIENCE, out.send(frame.into())).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Tells how many events a listener has not got: `None` if nobody knows.
fn frame_missed(missed: Option<u64>, why: &str) -> String {
    format!("event: missed\ndata: {}\n\n", json!({"missed": missed, "why": why}))
}

impl Wish {
    fn wants(&self, item: &Item) -> bool {
        // That events are missing is for everybody to know.
        let kind =
            item.kind == "missed" || self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == item.kind);
        let of_chain = |chain: &String| self.chains.is_empty() || self.chains.contains(chain);
        kind && item.chain.as_ref().is_none_or(of_chain)
    }
}

impl Item {
    fn frame(&self, epoch: u32) -> String {
        let Self { number, kind, data, .. } = self;
        format!("id: {epoch:08x}-{number}\nevent: {kind}\ndata: {data}\n\n")
    }
}
