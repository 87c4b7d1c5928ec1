//! When a worker that ended is started again.

use std::time::{Duration, Instant};

/// The first pause.
const FIRST: Duration = Duration::from_millis(100);
/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(30);
/// A worker that lived this long is healthy: the next end of it counts as the first.
const HEALTHY: Duration = Duration::from_secs(30);

/// Pauses that double with each quick end and start over after a healthy life.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    quick_ends: u32,
}

impl Backoff {
    /// The pause after a worker that lived this long.
    // ## Fresh => Fresh (healthy life) | Backing off (quick end)
    // ## Backing off => Fresh (healthy life) | Backing off, twice as long (quick end)
    pub(crate) fn pause_after(&mut self, life: Duration) -> Duration {
        if life >= HEALTHY {
            self.quick_ends = 0;
        }
        let pause = FIRST.saturating_mul(1 << self.quick_ends.min(16)).min(LONGEST);
        self.quick_ends += 1;
        pause
    }
}

/// When to start a worker again.
pub(crate) fn due(now: Instant, backoff: &mut Backoff, started: Instant) -> Instant {
    now + backoff.pause_after(now.saturating_duration_since(started))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_start_over_after_a_healthy_life() {
        let mut backoff = Backoff::default();
        let quick = Duration::from_millis(10);
        assert_eq!(backoff.pause_after(quick), Duration::from_millis(100));
        assert_eq!(backoff.pause_after(quick), Duration::from_millis(200));
        for _ in 0..20 {
            assert!(backoff.pause_after(quick) <= LONGEST);
        }
        assert_eq!(backoff.pause_after(quick), LONGEST);
        assert_eq!(backoff.pause_after(HEALTHY), Duration::from_millis(100));
    }
}
