//! Who a process is, so that somebody on the same host can tell whether it still lives.

use std::fs;

use conserver_core::WorkerId;
use conserver_core::queue::WorkerInfo;
use rustix::process::{Pid, Signal, kill_process};

/// What this process registers as.
pub(crate) fn of_this_process(suspects: bool) -> WorkerInfo {
    let pid = std::process::id();
    let host = host();
    let id = WorkerId::new(format!("{host}:{pid}:{:08x}", fastrand::u32(..)));
    let version = env!("CARGO_PKG_VERSION").to_owned();
    WorkerInfo { id, host, realm: realm(), pid, started: start_time(pid).unwrap_or(0), version, suspects }
}

/// Host name, for people.
pub(crate) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Where a pid means the same: boot id and pid namespace.
pub(crate) fn realm() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").map(|p| p.to_string_lossy().into_owned());
    format!("{}/{}", boot.trim(), namespace.unwrap_or_default())
}

/// Whether the process that registered so is still there. Only means something within one realm.
pub(crate) fn is_alive(info: &WorkerInfo) -> bool {
    start_time(info.pid) == Some(info.started)
}

/// Whether a process stands still because somebody stopped it (`SIGSTOP`).
pub(crate) fn is_stopped(pid: u32) -> bool {
    fields(pid).is_some_and(|fields| fields.starts_with('T'))
}

/// Whether a process was started by this one.
pub(crate) fn is_child(pid: u32) -> bool {
    let parent = fields(pid).and_then(|fields| fields.split_whitespace().nth(1)?.parse().ok());
    parent == Some(std::process::id())
}

/// Ends a process that can do nothing about it. That it has gone meanwhile is as good.
pub(crate) fn kill(pid: u32) {
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Start time of a process in clock ticks since boot; `None` if there is no such process, or only its remains.
fn start_time(pid: u32) -> Option<u64> {
    let fields = fields(pid)?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    // The state was field 3; the start time is field 22.
    fields.nth(18)?.parse().ok()
}

/// What the system says of a process, from its state on.
fn fields(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name may hold spaces and parentheses; the fields begin after the last one.
    Some(stat.rsplit_once(')')?.1.trim_start().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_a_reused_pid_is_not_it() {
        let mut info = of_this_process(false);
        assert!(is_alive(&info));
        info.started += 1;
        assert!(!is_alive(&info));
    }

    #[test]
    fn two_workers_never_have_one_id() {
        assert_ne!(of_this_process(false).id, of_this_process(false).id);
    }
}
