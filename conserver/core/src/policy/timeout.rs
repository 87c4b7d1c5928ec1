//! A limit of time on one future.
//!
//! Most attempts in memory are ready at the first poll; they shall not pay for a timer. So the clock starts only
//! once the future has answered "not yet". A future that blocks its thread is not stopped by this: nothing inside
//! of a runtime can do that.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// The time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

/// Waits for `future`, at most for `limit`.
///
/// # Errors
/// [`Elapsed`] once the limit has passed; the future is dropped.
pub async fn within<T>(limit: Option<Duration>, future: impl Future<Output = T>) -> Result<T, Elapsed> {
    let mut future = pin!(future);
    if let Poll::Ready(value) = futures::poll!(future.as_mut()) {
        return Ok(value);
    }
    match limit {
        Some(limit) => tokio::time::timeout(limit, future).await.map_err(|_| Elapsed),
        None => Ok(future.await),
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn what_is_slower_than_the_limit_is_dropped() {
        assert_eq!(within(Some(SECOND), tokio::time::sleep(2 * SECOND)).await, Err(Elapsed));
        assert_eq!(within(Some(3 * SECOND), tokio::time::sleep(2 * SECOND)).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_it_may_take_for_ever() {
        let day = Duration::from_secs(24 * 3600);
        assert_eq!(within(None, tokio::time::sleep(day)).await, Ok(()));
    }

    #[test]
    fn what_is_ready_at_once_needs_no_timer() {
        // Outside of a runtime every attempt to make a timer panics.
        assert_eq!(within(Some(SECOND), async { 7 }).now_or_never(), Some(Ok(7)));
    }
}
