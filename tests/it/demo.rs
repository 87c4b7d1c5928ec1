//! The demo, as a new user meets it: real processes, a real kill, books that balance, nothing left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use conserver_testkit::daemon::{Daemon, Setup, Signal};
use conserver_testkit::wait_until;
use insta::Settings;

/// How long anything may take on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(300);

/// A place where nothing is but a folder for temporary files.
fn place() -> (Setup, PathBuf) {
    let setup = Setup::new(env!("CARGO_BIN_EXE_conserver"), "");
    let temporary = setup.folder().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let setup = setup.env("TMPDIR", temporary.display().to_string());
    (setup, temporary)
}

/// Starts the demo without a terminal.
fn start(setup: &Setup, args: &[&str]) -> Daemon {
    setup.start(&[&["demo", "--seed", "7"], args].concat())
}

/// Processes that work in the folder.
fn processes_in(folder: &Path) -> Vec<u32> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let works_there = |pid: &u32| {
        let place = fs::read_link(format!("/proc/{pid}/cwd"));
        place.is_ok_and(|place| place.starts_with(folder))
    };
    pids.filter(works_there).collect()
}

/// Fails if a process or a file is left.
fn assert_nothing_is_left(temporary: &Path) {
    assert!(
        wait_until(LIMIT, || processes_in(temporary).is_empty()),
        "these still run: {:?}",
        processes_in(temporary)
    );
    let left: Vec<_> = fs::read_dir(temporary).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The summary without what differs from run to run.
fn summary(said: &str) -> &str {
    let start = said.find(" conversations in ").unwrap_or_else(|| panic!("there is no summary:\n{said}"));
    &said[said[..start].rfind('\n').map_or(0, |end| end + 1)..]
}

fn snapshots() -> Settings {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, instead) in [
        (r"(/[\w.-]+)+/conserver\b", "conserver"),
        (r"\d+\.\d+ s\b", "N s"),
        (r", [\d,]+ each second", ", N each second"),
        (r"[Ww]orker \d+", "worker PID"),
        (r"  \d+ vCons? (was|were) in", "  N vCons were in"),
    ] {
        settings.add_filter(pattern, instead);
    }
    settings
}

#[test]
fn the_demo_loses_nothing_and_leaves_nothing_behind() {
    let (setup, temporary) = place();
    let mut demo = start(&setup, &["--count", "1500"]);
    let status = demo.wait(LIMIT);
    let said = demo.log();
    assert!(status.success(), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 80 || line.contains(" demo --keep ")), "{said}");
    assert!(!said.contains('\x1b') && !said.contains('\r'), "there is no terminal:\n{said}");
    assert!(said.contains("first one through after "), "{said}");
    assert!(said.contains("kill -9 of worker "), "{said}");
    assert!(said.contains("  put back after "), "{said}");
    assert!(!said.contains(" with 0 in hand"), "{said}");
    snapshots().bind(|| insta::assert_snapshot!("demo-summary", summary(&said)));
    assert_nothing_is_left(&temporary);
}

#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    for signal in [Signal::INT, Signal::TERM] {
        let (setup, temporary) = place();
        let mut demo = start(&setup, &["--count", "100000"]);
        assert!(wait_until(LIMIT, || demo.log().contains("first one through")), "{}", demo.log());
        assert!(processes_in(&temporary).len() >= 3);
        demo.signal(signal);
        let status = demo.wait(LIMIT);
        assert_eq!(status.code(), Some(1), "{}", demo.log());
        assert!(demo.log().contains("interrupted"), "{}", demo.log());
        assert_nothing_is_left(&temporary);
    }
}

#[test]
fn a_killed_demo_leaves_no_process_behind() {
    let (setup, temporary) = place();
    let mut demo = start(&setup, &["--count", "100000"]);
    assert!(wait_until(LIMIT, || demo.log().contains("first one through")), "{}", demo.log());
    demo.kill();
    assert!(wait_until(LIMIT, || processes_in(&temporary).is_empty()), "{:?}", processes_in(&temporary));
}

#[test]
fn a_kept_demo_can_be_looked_at_with_the_commands_that_it_names() {
    let (setup, temporary) = place();
    let mut demo = start(&setup, &["--count", "400", "--keep"]);
    assert!(wait_until(LIMIT, || demo.log().contains("Ctrl-C ends it")), "{}", demo.log());
    let said = demo.log();
    let program = format!("{} ", env!("CARGO_BIN_EXE_conserver"));
    let commands: Vec<&str> = said.lines().filter_map(|line| line.trim().strip_prefix(&program)).collect();
    assert!(commands.len() >= 3, "{said}");
    for command in commands {
        let output = setup.command(&command.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty(), "{command}");
    }
    demo.signal(Signal::INT);
    assert!(demo.wait(LIMIT).success(), "{}", demo.log());
    assert_nothing_is_left(&temporary);
}

#[test]
fn the_demo_is_not_misled_by_what_is_set_for_another_conserver() {
    let (setup, temporary) = place();
    // Nobody listens there.
    let setup = setup.env("REDIS_URL", "redis://127.0.0.1:1").env("CONSERVER_DATA_DIR", "/nowhere");
    let mut demo = start(&setup, &["--count", "50"]);
    assert!(demo.wait(LIMIT).success(), "{}", demo.log());
    assert_nothing_is_left(&temporary);
}
