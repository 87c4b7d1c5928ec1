//! The time in the units that are stored and shared, and how often something is told.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Now, in Unix seconds.
pub fn unix_seconds() -> i64 {
    i64::try_from(since_epoch().as_secs()).unwrap_or(i64::MAX)
}

/// Now, in Unix milliseconds.
pub fn unix_millis() -> i64 {
    i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX)
}

/// Unix milliseconds as they are shown: RFC 3339 in UTC, as in the log.
pub fn rfc3339(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |at| format!("{at:.3}"))
}

/// Whole milliseconds; what does not fit is the most there is.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Tells at once, and then only now and then: for what goes wrong again and again.
#[derive(Debug)]
pub struct Seldom {
    every: Duration,
    last: Option<Instant>,
}

impl Seldom {
    /// Tells at most this often.
    pub fn every(every: Duration) -> Self {
        Self { every, last: None }
    }

    /// Whether to tell now.
    pub fn is_time(&mut self) -> bool {
        let is_time = self.last.is_none_or(|at| at.elapsed() > self.every);
        if is_time {
            self.last = Some(Instant::now());
        }
        is_time
    }

    /// Whether anything was told.
    pub fn has_told(&self) -> bool {
        self.last.is_some()
    }
}

impl Default for Seldom {
    /// What heals by itself is told every five seconds.
    fn default() -> Self {
        Self::every(Duration::from_secs(5))
    }
}
