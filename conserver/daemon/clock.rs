//! The time, and how often something is told.

use std::time::{Duration, Instant};

pub(crate) use conserver_core::clock::{millis, unix_millis, unix_seconds};

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
