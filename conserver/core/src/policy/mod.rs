//! What is applied around every link and storage, once and in one order.
//!
//! From the outside in: retry → breaker → limit → timeout → adapter. The breaker is asked before *each* attempt
//! and told after it: outside of the retries a dead backend would cost the whole schedule before it counts once,
//! and a loop that does not ask would keep knocking on an open breaker. The limit lies inside of the retries, so
//! that a retry that sleeps holds no permit, and outside of the timeout, so that waiting for a permit is not
//! taken for a slow backend. Adapters do none of this; who observes ([`guarded`](crate::guarded)) stands outside.
//!
//! One policy belongs to one configured link or storage and is shared by everybody who calls it.

mod breaker;
mod budget;
mod limit;
mod options;
mod retry;
mod timeout;

use tokio::time::Instant;

pub use breaker::{Breaker, BreakerOpen, Gate, Permit, Probe, State, Trouble, Verdict, refused};
pub use budget::Budget;
pub use limit::Limit;
pub use options::{BreakerOptions, PolicyOptions, RetryOptions};
pub use retry::Backoff;
pub use timeout::{Elapsed, within};

use crate::event::Attempted;
use crate::{Applied, Error, ErrorKind, Guards, Result};

/// One operation of an adapter, as the policy has to know it.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// What is done, for error texts: `save`.
    pub op: &'static str,
    /// Whether doing it twice is as good as once. If not, an attempt that may have happened is not repeated.
    pub idempotent: bool,
    /// When the run that asks gives up; no pause reaches beyond it.
    pub deadline: Option<Instant>,
}

/// Retry, breaker, limit and timeout of one adapter.
#[derive(Debug)]
pub struct Policy {
    options: PolicyOptions,
    budget: Budget,
    breaker: Breaker,
    limit: Limit,
}

/// What an attempt comes to, as the breaker sees it.
pub trait Outcome {
    /// What it says of the other side, and the error that says so.
    fn verdict(&self) -> (Verdict, Option<&Error>);
}

impl<T> Outcome for Result<T> {
    fn verdict(&self) -> (Verdict, Option<&Error>) {
        self.as_ref().err().map_or((Verdict::Alive, None), |error| (Verdict::of(error), Some(error)))
    }
}

/// A batch: the best of its items speaks for the other side.
impl Outcome for Vec<Result<()>> {
    fn verdict(&self) -> (Verdict, Option<&Error>) {
        self.iter()
            .map(Outcome::verdict)
            .min_by_key(|(verdict, _)| *verdict)
            .unwrap_or((Verdict::Alive, None))
    }
}

impl Policy {
    /// A policy for this adapter, which is given at most `max_batch` items at a time.
    pub fn new(guards: Guards, options: &PolicyOptions, probe: Probe, max_batch: usize) -> Self {
        Self {
            budget: Budget::new(max_batch),
            breaker: Breaker::new(guards, options.breaker.clone(), probe),
            limit: Limit::new(options.in_flight, options.rate_limit),
            options: options.clone(),
        }
    }

    /// Runs an operation with everything around it.
    ///
    /// # Errors
    /// The last attempt's error; [`refused`] if the breaker is open. It says that the operation may have happened if
    /// any attempt may have.
    ///
    /// # Cancel safety
    /// Dropping the future drops the attempt; permits are returned and the breaker is told nothing.
    pub async fn run<T, F>(&self, call: Call, mut operation: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let attempt = || {
            let adapter = operation();
            async { self.attempt(call.op, adapter).await? }
        };
        self.retry(call, attempt).await
    }

    /// The outer half: repeats `attempt` as often as it makes sense.
    pub(crate) async fn retry<T, F>(&self, call: Call, mut attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut backoff = Backoff::new(&self.options.retry);
        let mut may_have_happened = false;
        loop {
            let error = match attempt().await {
                Ok(value) => {
                    self.budget.deposit();
                    return Ok(value);
                }
                Err(error) => error,
            };
            may_have_happened |= error.get_applied() == Applied::Unknown;
            match backoff.next(&error, call, &self.budget) {
                Some(pause) => tokio::time::sleep(pause).await,
                None if may_have_happened => return Err(error.applied(Applied::Unknown)),
                None => return Err(error),
            }
        }
    }

    /// The inner half, one attempt: breaker, limit, timeout. The outer error means that there is no outcome.
    pub(crate) async fn attempt<O: Outcome>(
        &self,
        op: &'static str,
        adapter: impl Future<Output = O>,
    ) -> Result<O> {
        let tell = |outcome| Attempted { guards: &self.breaker.guards().name, op, outcome }.emit();
        let permit = self.breaker.ask().inspect_err(|_| tell("refused"))?;
        let _room = self.limit.enter().await;
        let outcome = self.bounded(op, adapter).await;
        let (verdict, error) = match &outcome {
            Ok(outcome) => outcome.verdict(),
            Err(error) => (Verdict::Away, Some(error)),
        };
        tell(error.map_or("success", |error| error.kind().as_str()));
        permit.tell(verdict, error);
        outcome
    }

    /// The timeout alone.
    pub(crate) async fn bounded<O>(&self, op: &str, adapter: impl Future<Output = O>) -> Result<O> {
        let timeout = self.options.timeout;
        within(Some(timeout), adapter).await.map_err(|Elapsed| {
            Error::new(ErrorKind::Timeout, format!("no answer to `{op}` within {timeout:?}"))
        })
    }

    /// The breaker, to look at.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }
}
