//! Whether this process could write without a break, and who keeps it from doing so.
//!
//! Who writes holds a lock of the whole machine. A process that stands still in the middle (stopped, frozen) holds it
//! until it goes on or ends: nobody else can renew a lease then, so that ended leases prove nothing.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use conserver_core::Result;
use conserver_core::backend::{Advice, Inspect, Stray};

use crate::base::Place;
use crate::queue::SqliteQueue;
use crate::writer::Keep;

/// A look that takes longer found the file occupied.
const SOON: Duration = Duration::from_secs(1);
/// Looks further apart than this say nothing about the time between.
const GAP: Duration = Duration::from_secs(4);
/// Whoever holds the lock for so long is worth a name.
const LONG: Duration = Duration::from_secs(3);
/// Where SQLite's write lock lies in the file that the processes share.
const WRITE_LOCK: u64 = 120;

/// What is remembered between two looks.
pub(crate) struct Watch {
    shared: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Since when every look found the file free.
    free: Option<Instant>,
    /// Since when every look found it occupied.
    occupied: Option<Instant>,
    last: Option<(Instant, SystemTime)>,
}

impl Watch {
    pub(crate) fn new(place: &Place) -> Self {
        Self { shared: place.shared(), seen: Mutex::default() }
    }

    /// Takes note of a look; answers since when all found the file free.
    fn note(&self, is_free: bool, now: Instant, clock: SystemTime) -> Option<Instant> {
        let mut seen = self.seen.lock().expect("no panic while held");
        let steady = seen.last.is_none_or(|(instant, time)| {
            let (passed, told) = (now - instant, clock.duration_since(time).unwrap_or_default());
            // Leases are told by the clock: one that was set, or went on while the machine slept, says nothing either.
            passed < GAP && passed.abs_diff(told) < SOON
        });
        seen.last = Some((now, clock));
        if !is_free || !steady {
            seen.free = None;
        }
        if is_free {
            seen.occupied = None;
            return Some(*seen.free.get_or_insert(now));
        }
        seen.occupied.get_or_insert(now);
        None
    }

    /// Who holds the lock, if it has been held for long.
    fn holder(&self) -> Option<u32> {
        let occupied = self.seen.lock().expect("no panic while held").occupied?;
        if occupied.elapsed() < LONG {
            return None;
        }
        let inode = std::fs::metadata(&self.shared).ok()?.ino();
        // Another open file of ours on it would, once closed, drop the locks that SQLite holds for this process.
        std::fs::read_to_string("/proc/locks").ok()?.lines().find_map(|line| holder_in(line, inode))
    }
}

/// The process of a line of `/proc/locks`, if it is about SQLite's write lock on this file.
fn holder_in(line: &str, inode: u64) -> Option<u32> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, "POSIX", _, "WRITE", pid, file, start, end] = fields[..] else { return None };
    let is_file = file.rsplit(':').next().is_some_and(|found| found.parse() == Ok(inode));
    let covers = start.parse().is_ok_and(|start: u64| start <= WRITE_LOCK)
        && end.parse().map_or(end == "EOF", |end: u64| end >= WRITE_LOCK);
    (is_file && covers).then(|| pid.parse().ok()).flatten()
}

#[async_trait]
impl Inspect for SqliteQueue {
    fn kind(&self) -> &'static str {
        "SQLite"
    }

    fn shown(&self) -> &str {
        Self::shown(self)
    }

    async fn advise(&self) -> Result<Vec<Advice>> {
        self.look_at_file().await
    }

    async fn strays(&self) -> Result<Vec<Stray>> {
        self.find_strays().await
    }

    async fn reached_since(&self) -> Option<Instant> {
        let look =
            self.write(Keep::Soon, "look whether the database is free", |_| Box::pin(async { Ok(()) }));
        let is_free = tokio::time::timeout(SOON, look).await.is_ok_and(|done| done.is_ok());
        self.watch.note(is_free, Instant::now(), SystemTime::now())
    }

    async fn held_up_by(&self) -> Option<u32> {
        self.watch.holder()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Watch {
        Watch { shared: PathBuf::new(), seen: Mutex::default() }
    }

    #[test]
    fn a_break_begins_the_count_anew() {
        let (watch, start, clock) = (watch(), Instant::now(), SystemTime::now());
        let note = |free, second| {
            watch.note(free, start + Duration::from_secs(second), clock + Duration::from_secs(second))
        };
        assert_eq!(note(true, 0), Some(start));
        assert_eq!(note(true, 1), Some(start));
        assert_eq!(note(false, 2), None);
        assert_eq!(note(true, 3), Some(start + Duration::from_secs(3)));
        // This process itself stood still.
        assert_eq!(note(true, 13), Some(start + Duration::from_secs(13)));
    }

    #[test]
    fn a_clock_that_jumped_proves_nothing() {
        let (watch, start, clock) = (watch(), Instant::now(), SystemTime::now());
        watch.note(true, start, clock);
        let second = start + Duration::from_secs(1);
        assert_eq!(watch.note(true, second, clock + Duration::from_secs(3600)), Some(second));
    }

    #[test]
    fn the_holder_is_read_off_the_lock_table() {
        let line = "12: POSIX  ADVISORY  WRITE 4711 fe:00:1234 120 120";
        assert_eq!(holder_in(line, 1234), Some(4711));
        assert_eq!(holder_in(line, 1235), None);
        assert_eq!(holder_in("12: POSIX  ADVISORY  READ 4711 fe:00:1234 120 120", 1234), None);
        assert_eq!(holder_in("12: POSIX  ADVISORY  WRITE 4711 fe:00:1234 123 123", 1234), None);
        assert_eq!(holder_in("12: -> POSIX  ADVISORY  WRITE 4711 fe:00:1234 120 120", 1234), None);
        assert_eq!(holder_in("3: FLOCK  ADVISORY  WRITE 7 fe:00:1234 0 EOF", 1234), None);
    }
}
