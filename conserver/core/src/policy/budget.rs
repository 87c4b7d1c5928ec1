//! How many retries an adapter may cause altogether.
//!
//! When everything fails, retries would double and triple the load on a backend that is in trouble. So each
//! success earns a fifth of a retry, each retry costs one, and a small income by time lets a quiet adapter retry
//! as well. Who has no budget fails at once; the queue hands the vCon out again later.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use tokio::time::Instant;

/// What one retry costs, in successes.
const PRICE: i64 = 5;
/// Retries that a full budget allows in a row, per item of a batch.
const RESERVE: i64 = 20;
/// Retries earned per second, whatever happens.
const INCOME: i64 = 1;

/// An account of retries, shared by all callers of one adapter.
#[derive(Debug)]
pub struct Budget {
    /// In successes.
    balance: AtomicI64,
    ceiling: i64,
    paid_until: Mutex<Option<Instant>>,
}

impl Budget {
    /// A full budget for an adapter that is given `max_batch` items at a time: all of them fail together.
    pub fn new(max_batch: usize) -> Self {
        let ceiling = RESERVE * PRICE * i64::try_from(max_batch.clamp(1, 10_000)).unwrap_or(1);
        Self { balance: AtomicI64::new(ceiling), ceiling, paid_until: Mutex::new(None) }
    }

    /// Notes a success.
    pub fn deposit(&self) {
        // Reading first keeps a healthy adapter from writing to a cache line that all its callers share. Two
        // callers that race may go beyond the ceiling by one: no harm.
        if self.balance.load(Relaxed) < self.ceiling {
            self.balance.fetch_add(1, Relaxed);
        }
    }

    /// Takes one retry out; `false` if there is none left.
    pub fn withdraw(&self) -> bool {
        self.pay_income();
        self.balance
            .fetch_update(Relaxed, Relaxed, |balance| (balance >= PRICE).then(|| balance - PRICE))
            .is_ok()
    }

    fn pay_income(&self) {
        let now = Instant::now();
        let mut paid_until = self.paid_until.lock().expect("nothing panics while it holds this lock");
        let since = paid_until.get_or_insert(now);
        let seconds = now.duration_since(*since).as_secs();
        if seconds > 0 {
            *since = now;
            let income = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(INCOME * PRICE);
            let balance = self.balance.load(Relaxed).saturating_add(income).min(self.ceiling);
            self.balance.store(balance, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn spend(budget: &Budget) -> usize {
        std::iter::from_fn(|| budget.withdraw().then_some(())).count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_budget_is_spent_once() {
        let budget = Budget::new(1);
        assert_eq!(spend(&budget), 20);
        assert!(!budget.withdraw());
    }

    #[tokio::test(start_paused = true)]
    async fn five_successes_earn_one_retry() {
        let budget = Budget::new(1);
        spend(&budget);
        (0..4).for_each(|_| budget.deposit());
        assert!(!budget.withdraw());
        budget.deposit();
        assert!(budget.withdraw());
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_adapter_earns_one_retry_each_second_up_to_its_reserve() {
        let budget = Budget::new(1);
        spend(&budget);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(spend(&budget), 3);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(spend(&budget), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_fails_whole_can_be_retried_whole() {
        assert_eq!(spend(&Budget::new(64)), 20 * 64);
    }
}
