//! Whether to try again within one run, and after what pause.
//!
//! The pause doubles from attempt to attempt and is jittered, so that callers that failed together do not come
//! back together. What the other side asks for (`Retry-After`) is honoured; where it asks for more than
//! `max_delay`, the run ends and the queue waits instead, without holding a worker.

use std::time::Duration;

use tokio::time::Instant;

use super::budget::Budget;
use super::options::RetryOptions;
use super::{Call, refused};
use crate::{Applied, Class, Error};

/// The attempts of one operation.
#[derive(Debug)]
pub struct Backoff<'a> {
    options: &'a RetryOptions,
    made: u32,
}

impl<'a> Backoff<'a> {
    /// Before the first attempt.
    pub fn new(options: &'a RetryOptions) -> Self {
        Self { options, made: 0 }
    }

    /// After an attempt that failed: the pause before the next, or `None` if there is to be none.
    pub fn next(&mut self, error: &Error, call: Call, budget: &Budget) -> Option<Duration> {
        self.made += 1;
        let asked = match error.get_class() {
            Class::Permanent => return None,
            Class::Retryable { after } => after.unwrap_or_default(),
            Class::Unavailable => Duration::ZERO,
        };
        let repeatable = call.idempotent || error.get_applied() == Applied::No;
        if !repeatable || refused(error).is_some() || self.made >= self.options.attempts {
            return None;
        }
        let pause = asked.max(self.jittered());
        let in_time = call.deadline.is_none_or(|deadline| Instant::now() + pause < deadline);
        (asked <= self.options.max_delay && in_time && budget.withdraw()).then_some(pause)
    }

    /// Between half of this attempt's delay and the whole.
    fn jittered(&self) -> Duration {
        let doubled = self.options.delay.saturating_mul(2_u32.saturating_pow(self.made - 1));
        doubled.min(self.options.max_delay).mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::policy::BreakerOpen;

    const SAVE: Call = Call { op: "save", idempotent: true, deadline: None };

    fn options() -> RetryOptions {
        RetryOptions { attempts: 4, delay: Duration::from_millis(100), max_delay: Duration::from_millis(300) }
    }

    fn away() -> Error {
        Error::new(ErrorKind::Unavailable, "away")
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_up_to_the_longest_and_end_with_the_attempts() {
        let (options, budget) = (options(), Budget::new(1));
        let mut backoff = Backoff::new(&options);
        for (low, high) in [(50, 100), (100, 200), (150, 300)] {
            let pause = backoff.next(&away(), SAVE, &budget).unwrap().as_millis();
            assert!((low..=high).contains(&pause), "{pause} is not within {low}..={high}");
        }
        assert_eq!(backoff.next(&away(), SAVE, &budget), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_wrong_for_good_is_not_tried_again() {
        let (options, budget) = (options(), Budget::new(1));
        let error = Error::new(ErrorKind::Invalid, "no");
        assert_eq!(Backoff::new(&options).next(&error, SAVE, &budget), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_have_happened_is_repeated_only_if_idempotent() {
        let (options, budget) = (options(), Budget::new(1));
        let error = Error::new(ErrorKind::Timeout, "no answer");
        let post = Call { idempotent: false, ..SAVE };
        assert_eq!(Backoff::new(&options).next(&error, post, &budget), None);
        assert!(Backoff::new(&options).next(&error, SAVE, &budget).is_some());
        assert!(Backoff::new(&options).next(&away(), post, &budget).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_other_sides_wish_is_honoured_up_to_the_longest_delay() {
        let (options, budget) = (options(), Budget::new(1));
        let slow =
            |ms| Error::new(ErrorKind::RateLimited, "slow down").retry_after(Some(Duration::from_millis(ms)));
        let pause = Backoff::new(&options).next(&slow(250), SAVE, &budget);
        assert_eq!(pause, Some(Duration::from_millis(250)));
        assert_eq!(Backoff::new(&options).next(&slow(5000), SAVE, &budget), None);
    }

    #[tokio::test(start_paused = true)]
    async fn no_pause_reaches_beyond_the_deadline() {
        let (options, budget) = (options(), Budget::new(1));
        let until = |ms| Call { deadline: Some(Instant::now() + Duration::from_millis(ms)), ..SAVE };
        assert_eq!(Backoff::new(&options).next(&away(), until(40), &budget), None);
        assert!(Backoff::new(&options).next(&away(), until(200), &budget).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_breaker_and_an_empty_budget_end_it() {
        let (options, budget) = (options(), Budget::new(1));
        let open = BreakerOpen::new(Duration::ZERO, "away".into()).into_error();
        assert_eq!(Backoff::new(&options).next(&open, SAVE, &budget), None);
        while budget.withdraw() {}
        assert_eq!(Backoff::new(&options).next(&away(), SAVE, &budget), None);
    }
}
