//! The one connection of a process that writes, on a thread of its own.
//!
//! Whoever writes holds the lock of the whole machine until it commits. On the runtime, a link that blocks its thread
//! would hold everybody up, the lease thread that has to end it included; here nothing runs in between. What has
//! gathered while one commit was under way goes into the next: many callers, one `fsync`. And a caller that goes away
//! leaves no transaction open: its work is done to the end, and found by those who look for it.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use conserver_core::{Error, ErrorKind, Result};
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::base::Place;
use crate::bell::Bell;
use crate::error::{classify, is_busy, shared};
use crate::session::Session;

/// How long a transaction waits for those of other processes.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks whether the lock is free. SQLite's own steps grow to 100 ms, in which the lock lies idle.
const STEP: Duration = Duration::from_micros(200);
/// One transaction takes at most this much work.
const MOST: usize = 64;

/// When a commit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// On the disk when the call returns: somebody relies on it.
    Durable,
    /// With the next durable one. A power cut takes it back, and with it the process that it was about: claims.
    Soon,
}

/// Hands work to the thread.
pub(crate) struct Writer {
    jobs: mpsc::UnboundedSender<Job>,
}

struct Job {
    keep: Keep,
    work: Box<dyn Work>,
}

/// A part of a transaction.
#[async_trait]
trait Work: Send {
    async fn run(&mut self, session: &mut Session) -> Result<()>;

    /// Tells the caller, after the commit or the rollback.
    fn end(self: Box<Self>, committed: Result<()>);
}

struct Call<F, T> {
    work: Option<F>,
    outcome: Option<T>,
    answer: oneshot::Sender<Result<T>>,
}

#[async_trait]
impl<T, F> Work for Call<F, T>
where
    T: Send,
    F: for<'s> FnOnce(&'s mut Session) -> BoxFuture<'s, Result<T>> + Send,
{
    async fn run(&mut self, session: &mut Session) -> Result<()> {
        if let Some(work) = self.work.take() {
            self.outcome = Some(work(session).await?);
        }
        Ok(())
    }

    fn end(self: Box<Self>, committed: Result<()>) {
        let Self { outcome, answer, .. } = *self;
        // Nobody may wait for it any more: then it is done all the same.
        let _ = answer.send(committed.and_then(|()| outcome.ok_or_else(ended)));
    }
}

impl Writer {
    /// Starts the thread; it ends with the last handle. Nothing is opened before the first work.
    pub(crate) fn start(place: Place, bell: Bell) -> std::io::Result<Self> {
        let (jobs, received) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = Thread { place, bell, session: None };
        std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || runtime.block_on(thread.run(received)))?;
        Ok(Self { jobs })
    }

    /// Does this in a transaction, perhaps together with the work of others.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        keep: Keep,
        work: impl for<'s> FnOnce(&'s mut Session) -> BoxFuture<'s, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let call = Call { work: Some(work), outcome: None, answer };
        self.jobs.send(Job { keep, work: Box::new(call) }).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::Unavailable, "the thread that writes to the database has ended")
}

struct Thread {
    place: Place,
    bell: Bell,
    session: Option<Session>,
}

impl Thread {
    async fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>) {
        let mut group = Vec::new();
        while jobs.recv_many(&mut group, MOST).await > 0 {
            let result = self.transact(&mut group).await;
            if result.is_err() {
                Session::give_up(&mut self.session);
            }
            for job in group.drain(..) {
                job.work.end(result.as_ref().copied().map_err(shared));
            }
        }
    }

    async fn transact(&mut self, group: &mut [Job]) -> Result<()> {
        let session = Session::kept(&mut self.session, &self.place).await?;
        let durable = group.iter().any(|job| job.keep == Keep::Durable);
        if durable != session.synced {
            let pragma = if durable { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
            session.run(sqlx::query(pragma)).await?;
            session.synced = durable;
        }
        begin(session).await?;
        for job in group {
            job.work.run(session).await?;
        }
        commit(session, &self.bell).await
    }
}

/// Begins a transaction as soon as nobody else is in one.
pub(crate) async fn begin(session: &mut Session) -> Result<()> {
    let start = Instant::now();
    while let Err(error) = session.begin().await {
        if !is_busy(&error) || start.elapsed() > PATIENCE {
            return Err(classify("begin a transaction", error));
        }
        std::thread::sleep(STEP);
    }
    Ok(())
}

/// Ends it, and wakes those who wait for what it brought. What went into a file that is gone was not kept.
pub(crate) async fn commit(session: &mut Session, bell: &Bell) -> Result<()> {
    session.run(sqlx::query("COMMIT")).await?;
    session.is_in_place()?;
    if session.rings {
        bell.ring();
    }
    Ok(())
}
