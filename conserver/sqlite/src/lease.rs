//! The lease of a worker, kept from a thread of its own with a connection of its own.
//!
//! Its runtime is its own as well, with nothing else on it: it must not depend on the one that it watches, and the thread
//! of the writer may wait for the disk.

use std::time::Duration;

use conserver_core::queue::{DeadLetter, Entry, LEASE, LeaseKeeper, Recovered, Strikes};
use conserver_core::{Error, ErrorKind, QueueName, Result, WorkerId};
use futures::future::BoxFuture;
use tokio::runtime::Runtime;

use crate::base::Place;
use crate::bell::Bell;
use crate::clock::saturated;
use crate::recover::recover;
use crate::session::{Session, sql};
use crate::settle::{Item, Terms, settle};
use crate::writer::{begin, commit};

/// Keeps one worker's lease.
pub(crate) struct Keeper {
    place: Place,
    bell: Bell,
    worker: WorkerId,
    terms: Terms,
    runtime: Option<Runtime>,
    session: Option<Session>,
}

impl Keeper {
    pub(crate) fn new(place: Place, bell: Bell, worker: WorkerId, terms: Terms) -> Self {
        Self { place, bell, worker, terms, runtime: None, session: None }
    }

    /// Does this in a transaction of its own.
    fn transact<T>(
        &mut self,
        doing: &str,
        work: impl for<'s> FnOnce(&'s mut Session) -> BoxFuture<'s, Result<T>>,
    ) -> Result<T> {
        let runtime = match self.runtime.take() {
            Some(runtime) => runtime,
            None => tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|cause| {
                Error::new(ErrorKind::Unavailable, "cannot start a runtime").source(cause)
            })?,
        };
        let result = runtime.block_on(async {
            let session = Session::kept(&mut self.session, &self.place).await?;
            if session.synced {
                // A lease is worth nothing after a power cut.
                session.run(sql("PRAGMA synchronous = NORMAL")).await?;
                session.synced = false;
            }
            begin(session).await?;
            let done = work(session).await?;
            commit(session, &self.bell).await?;
            Ok(done)
        });
        if result.is_err() {
            Session::give_up(&mut self.session);
        }
        self.runtime = Some(runtime);
        result.map_err(|error: Error| error.context(doing))
    }
}

impl LeaseKeeper for Keeper {
    fn renew(&mut self, progress: Duration) -> Result<bool> {
        let (worker, progress) = (self.worker.clone(), saturated(progress));
        self.transact("renew the lease", move |session| {
            Box::pin(async move {
                let renew = "UPDATE worker SET lease = ?, progress = ? WHERE name = ?";
                let until = session.now + saturated(LEASE);
                Ok(session.run(sql(renew).bind(until).bind(progress).bind(worker.as_str())).await? == 1)
            })
        })
    }

    fn abandon(&mut self, stuck: &Entry, dlq: &QueueName, letter: &DeadLetter) -> Result<()> {
        let item = Item::dead(stuck.token, stuck.id.clone(), dlq.clone(), letter.clone());
        let (worker, terms) = (self.worker.clone(), self.terms);
        self.transact("dead-letter the vCon that blocks its thread", move |session| {
            Box::pin(async move {
                settle(session, worker.clone(), vec![item], terms).await?;
                recover(session, &worker, &Strikes::none(), terms).await.map(drop)
            })
        })
    }

    fn release(&mut self) -> Result<Recovered> {
        let (worker, terms) = (self.worker.clone(), self.terms);
        self.transact("put back what this worker held", move |session| {
            Box::pin(async move { recover(session, &worker, &Strikes::none(), terms).await })
        })
    }
}
