//! Wall-clock time in the units of the file.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now, in Unix milliseconds: what all processes of a machine share.
pub(crate) fn now() -> i64 {
    saturated(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Whole milliseconds, rounded up; what does not fit is the most there is.
pub(crate) fn saturated(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX / 4)
}

/// As good as a coin.
pub(crate) fn is_odd() -> bool {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_micros() % 2 == 1
}
