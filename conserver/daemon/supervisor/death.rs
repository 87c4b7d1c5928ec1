//! What a worker died of, and whom that accuses.
//!
//! Only an own crash is a strike: a signal that code raises by itself, or an out-of-memory kill. A bare SIGKILL (an
//! operator, a container stop) and an ended lease accuse nobody.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use conserver_core::queue::Strikes;

use crate::exit::Exit;

/// Signals that a program raises by its own doing.
const OWN: &[(i32, &str)] = &[(4, "SIGILL"), (6, "SIGABRT"), (7, "SIGBUS"), (8, "SIGFPE"), (11, "SIGSEGV")];
const SIGKILL: i32 = 9;

/// Reads a death: `running` are the tokens marked at that instant, `out_of_memory` whether the kernel killed for memory.
pub(crate) fn strikes(status: ExitStatus, running: Vec<u64>, out_of_memory: bool) -> Strikes {
    let Some(signal) = status.signal() else { return Strikes::none() };
    if let Some((_, name)) = OWN.iter().find(|(number, _)| *number == signal) {
        // A crash outside of any run (a helper thread of a link): all that was in flight is suspect.
        let all = running.is_empty();
        return Strikes { tokens: running, all, signal: (*name).to_owned(), ..Strikes::none() };
    }
    if signal == SIGKILL && out_of_memory {
        return Strikes { all: true, signal: "out of memory".to_owned(), ..Strikes::none() };
    }
    Strikes::none()
}

/// What a child died of, in one word.
pub(crate) fn cause(status: ExitStatus) -> &'static str {
    match (status.signal(), status.code()) {
        (Some(SIGKILL), _) => "SIGKILL",
        (Some(signal), _) => {
            OWN.iter().find(|(number, _)| *number == signal).map_or("signal", |(_, name)| name)
        }
        (None, Some(code)) if code == Exit::Ok.code() => "ok",
        (None, Some(code)) if code == Exit::Stuck.code() => "stuck",
        (None, Some(code)) if code == Exit::Recovered.code() => "recovered",
        (None, _) => "failed",
    }
}

/// Counts the kernel's out-of-memory kills, of our control group where there is one.
#[derive(Debug)]
pub(crate) struct OutOfMemory {
    seen: u64,
}

impl OutOfMemory {
    pub(crate) fn new() -> Self {
        Self { seen: kills() }
    }

    /// Whether the kernel killed for memory since the last time asked.
    pub(crate) fn happened(&mut self) -> bool {
        let now = kills();
        std::mem::replace(&mut self.seen, now) < now
    }
}

fn kills() -> u64 {
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.events").unwrap_or_default();
    let system = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
    let count =
        |text: &str| text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok());
    count(&group).or_else(|| count(&system)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_crashes_accuse() {
        let of = |raw: i32, running: &[u64], oom| strikes(ExitStatus::from_raw(raw), running.to_vec(), oom);
        assert_eq!(of(0, &[1], false), Strikes::none());
        assert_eq!(of(1 << 8, &[1], false), Strikes::none());
        assert_eq!(of(SIGKILL, &[1], false), Strikes::none());
        let crash = of(11, &[1], false);
        assert_eq!((crash.tokens, crash.all, crash.signal.as_str()), (vec![1], false, "SIGSEGV"));
        assert!(of(6, &[], false).all, "a crash outside of any run accuses all");
        assert!(of(SIGKILL, &[1], true).all);
    }
}
