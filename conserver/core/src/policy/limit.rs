//! How many attempts at once, and how many per second.
//!
//! Waits rather than refuses: the caller's own deadline bounds the wait. A place that was waited for and then
//! dropped is not given to somebody else, so the rate stays below the limit rather than above.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// How far the places of a rate may lag behind the clock: timers fire no finer than a millisecond.
const SLACK: Duration = Duration::from_millis(10);

/// The limits of one adapter; without any, entering costs nothing.
#[derive(Debug, Default)]
pub struct Limit {
    in_flight: Option<Semaphore>,
    rate: Option<Rate>,
}

#[derive(Debug)]
struct Rate {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl Limit {
    /// At most `in_flight` at once and `per_second` in a second. Zero and less mean: no limit.
    pub fn new(in_flight: Option<usize>, per_second: Option<f64>) -> Self {
        let interval =
            per_second.filter(|rate| *rate > 0.0).and_then(|r| Duration::try_from_secs_f64(1.0 / r).ok());
        Self {
            in_flight: in_flight.filter(|n| *n > 0).map(|n| Semaphore::new(n.min(Semaphore::MAX_PERMITS))),
            rate: interval.map(|interval| Rate { interval, next: Mutex::new(None) }),
        }
    }

    /// Waits for room; hold the permit as long as the attempt takes.
    pub async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        let permit = match &self.in_flight {
            Some(semaphore) => Some(semaphore.acquire().await.expect("the semaphore is never closed")),
            None => None,
        };
        if let Some(rate) = &self.rate {
            tokio::time::sleep_until(rate.take_place()).await;
        }
        permit
    }
}

impl Rate {
    /// Takes the next place in time; it may be long ahead.
    fn take_place(&self) -> Instant {
        let now = Instant::now();
        let earliest = now.checked_sub(SLACK).unwrap_or(now);
        let mut next = self.next.lock().expect("nothing panics while it holds this lock");
        let place = next.map_or(now, |next| next.max(earliest));
        *next = Some(place + self.interval);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_are_spread_over_the_second() {
        let limit = Limit::new(None, Some(10.0));
        let start = Instant::now();
        for _ in 0..21 {
            limit.enter().await;
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(1980) && took <= Duration::from_millis(2100), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_is_not_saved_up_for_a_burst() {
        let limit = Limit::new(None, Some(10.0));
        limit.enter().await;
        tokio::time::advance(Duration::from_secs(60)).await;
        let start = Instant::now();
        for _ in 0..11 {
            limit.enter().await;
        }
        assert!(start.elapsed() >= Duration::from_millis(900));
    }

    #[tokio::test(start_paused = true)]
    async fn the_third_of_two_waits_for_a_permit() {
        let limit = Limit::new(Some(2), None);
        let (first, _second) = (limit.enter().await, limit.enter().await);
        let soon = Duration::from_millis(10);
        assert!(tokio::time::timeout(soon, limit.enter()).await.is_err());
        drop(first);
        assert!(tokio::time::timeout(soon, limit.enter()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_lets_everybody_in() {
        let limit = Limit::new(Some(0), Some(0.0));
        for _ in 0..1000 {
            assert!(limit.enter().await.is_none());
        }
    }
}
