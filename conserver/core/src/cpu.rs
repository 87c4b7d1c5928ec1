//! The one door to work that keeps a processor busy: parsing, rendering, hashing and compressing of large
//! documents.
//!
//! Small work stays where it is, for a trip to the pool costs more than the work. The pool is made when it is
//! first needed, so a worker that never sees a large document has no thread for it. Work whose caller has gone by
//! the time a thread is free is not done. A panic reaches the caller, as if the work had been done on the spot.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::oneshot;

/// Work on fewer bytes than this is done on the spot. The way to the pool and back takes about 10 µs; a parse of 64 kB
/// takes 5 µs if it is one long string and 240 µs if it is a thousand small entries, so this is where it begins
/// to matter for the vCons beside it.
pub const INLINE_BYTES: usize = 64 * 1024;

static THREADS: OnceLock<usize> = OnceLock::new();
static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();

/// Sets how many threads the pool will have; 0, and the default: one per core. `false` if it was set before.
pub fn set_threads(threads: usize) -> bool {
    THREADS.set(threads).is_ok()
}

/// Does the work on the pool.
///
/// # Panics
/// As `work` does.
///
/// # Cancel safety
/// Dropping the future drops work that has not begun; what has begun ends unseen.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    // Without threads, as in a container that allows no more, it is still better to be slow than to fail.
    let Some(pool) = POOL.get_or_init(build) else { return work() };
    let (caller, answer) = oneshot::channel();
    let span = tracing::Span::current();
    pool.spawn(move || {
        if !caller.is_closed() {
            let outcome = catch_unwind(AssertUnwindSafe(|| span.in_scope(work)));
            // The caller may have gone meanwhile.
            let _ = caller.send(outcome);
        }
    });
    match answer.await.expect("the pool answers everybody who waits") {
        Ok(value) => value,
        Err(panic) => resume_unwind(panic),
    }
}

/// Does the work on the spot if it is about fewer than [`INLINE_BYTES`], else on the pool.
///
/// # Panics
/// As `work` does.
pub async fn run_if<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> T {
    if bytes < INLINE_BYTES { work() } else { run(work).await }
}

fn build() -> Option<ThreadPool> {
    let threads = THREADS.get().copied().unwrap_or(0);
    let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|n| format!("cpu-{n}")).build();
    pool.inspect_err(
        |error| tracing::warn!(%error, "no threads for large documents: they are worked on in place"),
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn thread_name() -> String {
        thread::current().name().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn large_work_is_done_on_the_pool_and_small_work_here() {
        assert!(run_if(INLINE_BYTES, thread_name).await.starts_with("cpu-"));
        assert_eq!(run_if(INLINE_BYTES - 1, thread_name).await, thread_name());
    }

    #[tokio::test]
    async fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let task = tokio::spawn(run(|| -> u32 { panic!("no such entry") }));
        let panic = task.await.unwrap_err().into_panic();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"no such entry"));
        assert_eq!(run(|| 7).await, 7);
    }

    #[tokio::test]
    async fn work_whose_caller_has_gone_is_not_done() {
        // All threads are held, so that what follows has to wait for one.
        let threads = POOL.get_or_init(build).as_ref().unwrap().current_num_threads();
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let (begin, begun) = mpsc::channel();
        let hold = |_| {
            let (held, begin) = (Arc::clone(&held), begin.clone());
            tokio::spawn(run(move || {
                begin.send(()).unwrap();
                held.lock().unwrap().recv().is_err()
            }))
        };
        let holders: Vec<_> = (0..threads).map(hold).collect();
        tokio::task::yield_now().await;
        for _ in 0..threads {
            begun.recv_timeout(Duration::from_secs(60)).unwrap();
        }
        let (done, was_done) = mpsc::channel();
        let mut gone = Box::pin(run(move || done.send(()).unwrap()));
        assert!(futures::poll!(gone.as_mut()).is_pending());
        drop(gone);

        drop(release);
        for holder in holders {
            assert!(holder.await.unwrap());
        }

        // The sender goes with the work, done or not.
        assert!(was_done.recv().is_err());
    }
}
