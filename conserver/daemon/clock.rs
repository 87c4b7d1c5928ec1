//! The time in the units that are stored and shared.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Now, in Unix seconds.
pub(crate) fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Now, in Unix milliseconds.
pub(crate) fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Whole milliseconds; what does not fit is the most there is.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Tells at once, and then only now and then: for what goes wrong again and again.
pub(crate) struct Seldom {
    every: Duration,
    last: Option<Instant>,
}

impl Seldom {
    pub(crate) fn every(every: Duration) -> Self {
        Self { every, last: None }
    }

    /// Whether to tell now.
    pub(crate) fn is_time(&mut self) -> bool {
        let is_time = self.last.is_none_or(|at| at.elapsed() > self.every);
        if is_time {
            self.last = Some(Instant::now());
        }
        is_time
    }

    /// Whether anything was told.
    pub(crate) fn has_told(&self) -> bool {
        self.last.is_some()
    }
}

impl Default for Seldom {
    /// What heals by itself is told every five seconds.
    fn default() -> Self {
        Self::every(Duration::from_secs(5))
    }
}
