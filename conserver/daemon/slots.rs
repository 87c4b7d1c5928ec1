//! Which vCon each thread of a worker is running at this instant, in memory that outlives the worker.
//!
//! The worker marks a slot around every poll of a run; its supervisor maps the same file and reads the marks after
//! a crash, so that only what was running is struck. The lease thread reads them too: a mark past its deadline is
//! a link that blocks its thread.

#![expect(
    unsafe_code,
    reason = "a file mapped by two processes is seen as atomics; the only way is a pointer"
)]

use std::cell::Cell;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use conserver_core::clock::millis;
use memmap2::MmapRaw;

/// Threads that can be marked; further ones share the last slot.
const SLOTS: usize = 64;
const BYTES: usize = SLOTS * size_of::<Slot>();

/// One thread's mark. `token` 0: runs nothing.
#[repr(C)]
struct Slot {
    token: AtomicU64,
    /// Milliseconds on the worker's clock.
    deadline: AtomicU64,
}

/// The marks of one worker.
#[derive(Clone)]
pub(crate) struct Slots {
    memory: Arc<MmapRaw>,
    /// The worker's clock starts here.
    start: Instant,
    taken: Arc<AtomicUsize>,
}

thread_local! {
    static MINE: Cell<Option<usize>> = const { Cell::new(None) };
}

impl Slots {
    /// Makes the file's first bytes the slots; the file is made long enough.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .with_context(|| format!("open `{}`", path.display()))?;
        file.set_len(BYTES as u64)?;
        let memory = MmapRaw::map_raw(&file).with_context(|| format!("map `{}`", path.display()))?;
        Ok(Self { memory: Arc::new(memory), start: Instant::now(), taken: Arc::default() })
    }

    /// Tokens that were being run when the worker ended.
    pub(crate) fn marked(&self) -> Vec<u64> {
        self.all().iter().map(|slot| slot.token.load(Ordering::Acquire)).filter(|token| *token != 0).collect()
    }

    /// The first token whose poll is past its deadline.
    pub(crate) fn overdue(&self) -> Option<u64> {
        let now = self.now();
        self.all().iter().find_map(|slot| {
            let token = slot.token.load(Ordering::Acquire);
            let deadline = slot.deadline.load(Ordering::Acquire);
            // Read again: the thread may have gone on between the two loads.
            (token != 0 && deadline < now && slot.token.load(Ordering::Acquire) == token).then_some(token)
        })
    }

    /// Wraps a run: every poll of it is marked, and may take `limit`.
    pub(crate) fn marking<F: Future>(&self, token: u64, limit: Duration, run: F) -> Marked<F> {
        Marked { slots: self.clone(), token, limit: millis(limit), run: Box::pin(run) }
    }

    fn mine(&self) -> &Slot {
        let index = MINE.with(|mine| {
            mine.get().unwrap_or_else(|| {
                let index = self.taken.fetch_add(1, Ordering::Relaxed).min(SLOTS - 1);
                mine.set(Some(index));
                index
            })
        });
        &self.all()[index]
    }

    fn all(&self) -> &[Slot] {
        // SAFETY: the mapping is BYTES long, page-aligned, lives as long as `self`, and is only ever accessed
        // through these atomics by both processes; every bit pattern is a valid AtomicU64.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().cast::<Slot>(), SLOTS) }
    }

    fn now(&self) -> u64 {
        millis(self.start.elapsed())
    }
}

/// A run whose polls are marked.
pub(crate) struct Marked<F> {
    slots: Slots,
    token: u64,
    limit: u64,
    run: Pin<Box<F>>,
}

impl<F: Future> Future for Marked<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let slot = this.slots.mine();
        slot.deadline.store(this.slots.now().saturating_add(this.limit), Ordering::Release);
        slot.token.store(this.token, Ordering::Release);
        let polled = this.run.as_mut().poll(cx);
        slot.token.store(0, Ordering::Release);
        polled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_poll_is_marked_for_whoever_maps_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (worker, supervisor) = (Slots::open(file.path()).unwrap(), Slots::open(file.path()).unwrap());
        let seen = worker.marking(42, Duration::from_secs(1), async { supervisor.marked() }).await;
        assert_eq!((seen, supervisor.marked()), (vec![42], vec![]));
    }

    #[tokio::test]
    async fn a_poll_past_its_deadline_is_overdue() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let slots = Slots::open(file.path()).unwrap();
        let blocked = async {
            std::thread::sleep(Duration::from_millis(20));
            slots.overdue()
        };
        assert_eq!(slots.marking(7, Duration::ZERO, blocked).await, Some(7));
        assert_eq!(slots.overdue(), None);
    }
}
