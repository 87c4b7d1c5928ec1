//! What the file may say about one link's or storage's policy, resolved to values.

use std::time::Duration;

/// Everything that is applied around one adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyOptions {
    /// Limit of one attempt.
    pub timeout: Duration,
    /// Attempts within one run.
    pub retry: RetryOptions,
    /// When to stop asking.
    pub breaker: BreakerOptions,
    /// At most this many attempts per second.
    pub rate_limit: Option<f64>,
    /// At most this many attempts at once.
    pub in_flight: Option<usize>,
}

/// Attempts within one run, with jittered exponential delays.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryOptions {
    /// Including the first; at least 1.
    pub attempts: u32,
    /// Delay before the second attempt.
    pub delay: Duration,
    /// No delay is longer.
    pub max_delay: Duration,
}

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct BreakerOptions {
    /// Failures in a row (of the kinds that speak of the other side) that open it; 0: never.
    pub failures: u32,
    /// How long it stays open before a probe.
    pub cooldown: Duration,
}

impl Default for PolicyOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            retry: RetryOptions::default(),
            breaker: BreakerOptions::default(),
            rate_limit: None,
            in_flight: None,
        }
    }
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self { attempts: 3, delay: Duration::from_millis(200), max_delay: Duration::from_secs(10) }
    }
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self { failures: 5, cooldown: Duration::from_secs(5) }
    }
}
