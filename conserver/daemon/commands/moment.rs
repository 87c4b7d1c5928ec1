//! Moments as people read them: when, and how long ago.

use std::time::Duration;

use conserver_core::clock::unix_seconds;

/// A moment in Unix seconds: `2026-12-01T00:13:11Z, 3 min ago`.
pub(super) fn told(at: i64) -> String {
    format!("{}, {} ago", of_millis(at.saturating_mul(1000)), since(at))
}

/// A moment in Unix milliseconds, to the second.
pub(super) fn of_millis(at: i64) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |at| format!("{at:.0}"))
}

fn since(at: i64) -> String {
    rough(Duration::from_secs(u64::try_from(unix_seconds() - at).unwrap_or(0)))
}

/// In the largest unit of which there are two.
fn rough(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [("days", 86_400), ("h", 3600), ("min", 60)];
    let unit = units.into_iter().find(|(_, length)| seconds >= 2 * length);
    unit.map_or_else(|| format!("{seconds} s"), |(name, length)| format!("{} {name}", seconds / length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_utc_and_says_how_long_ago() {
        assert_eq!(of_millis(1_796_083_991_999), "2026-12-01T00:13:11Z");
        assert!(told(1_796_083_991).starts_with("2026-12-01T00:13:11Z, "));
        let ago = [0, 119, 120, 7200, 172_800].map(|seconds| rough(Duration::from_secs(seconds)));
        assert_eq!(ago, ["0 s", "119 s", "2 min", "2 h", "2 days"]);
    }
}
