//! The ways to an end: an orderly stop, a hurried one, a supervisor that is gone; and what a restart finds.

use std::time::Duration;

use conserver_testkit::daemon::Signal;
use conserver_testkit::vcons::Vcons;
use serde_json::json;

use crate::site::{LIMIT, Site, until};

fn config(drain: &str, seconds: f64) -> String {
    format!(
        "
conserver: 1
drain_timeout: {drain}
links:
  slow: {{module: test.count, options: {{file: $DIR/runs, seconds: {seconds}}}}}
chains:
  main: {{links: [slow], ingress_lists: [in], egress_lists: [out], concurrency: 20}}
"
    )
}

fn push(site: &Site, count: usize) -> Vec<String> {
    let mut vcons = Vcons::new(20);
    let ids: Vec<String> = (0..count).map(|_| site.db.put(&vcons.call())).collect();
    site.db.push("in", &ids.iter().map(String::as_str).collect::<Vec<_>>());
    ids
}

/// How many runs have begun. What Redis says is in flight may be on its way to the worker, and goes back at a stop.
fn begun(site: &Site) -> usize {
    std::fs::read_to_string(site.path("runs")).map_or(0, |runs| runs.lines().count())
}

#[test]
fn sigterm_finishes_what_runs_and_takes_nothing_new() {
    let site = Site::faulty(&config("30s", 1.5));
    let ids = push(&site, 50);
    let mut daemon = site.run(1);
    until("the first run", || begun(&site) == 20);
    daemon.signal(Signal::TERM);

    assert!(daemon.wait(LIMIT).success());
    assert_eq!((site.db.len("out"), site.db.len("in")), (20, 30));
    assert_eq!(site.db.list("in"), ids[20..], "what waits keeps its order");
    assert_eq!(site.db.left(), []);
    assert!(site.db.workers(None).is_empty(), "signed off");
    assert!(!daemon.told("waiting for what runs").is_empty(), "it says what it waits for");
}

#[test]
fn when_the_drain_takes_too_long_what_runs_goes_back_in_order() {
    let site = Site::faulty(&config("1s", 600.0));
    let ids = push(&site, 50);
    let mut daemon = site.run(1);
    until("the first are in flight", || site.db.in_flight(None) == 20);
    daemon.signal(Signal::TERM);

    assert!(daemon.wait(LIMIT).success());
    assert_eq!(site.db.list("in"), ids, "all of it, in its old order");
    assert_eq!((site.db.len("out"), site.db.left()), (0, Vec::new()));
}

#[test]
fn a_second_signal_hurries() {
    for (first, second) in [(Signal::TERM, Signal::TERM), (Signal::INT, Signal::INT)] {
        let site = Site::faulty(&config("10m", 600.0));
        let ids = push(&site, 30);
        let mut daemon = site.run(2);
        until("all are in flight", || site.db.in_flight(None) == 30);
        daemon.signal(first);
        until("it stops in order", || !daemon.told("stopping: workers finish").is_empty());
        daemon.signal(second);

        assert!(daemon.wait(LIMIT).success());
        let mut waiting = site.db.list("in");
        waiting.sort();
        assert_eq!((waiting, site.db.left()), (ids, Vec::new()));
    }
}

#[test]
fn workers_whose_supervisor_is_killed_finish_and_end_by_themselves() {
    let site = Site::faulty(&config("30s", 2.0));
    push(&site, 60);
    let mut daemon = site.run(2);
    until("both are busy", || begun(&site) == 40);
    let workers = daemon.kill();
    assert_eq!(workers.len(), 2);

    until("they have ended", || workers.iter().all(|worker| !worker.is_alive()));
    assert_eq!((site.db.len("out"), site.db.len("in")), (40, 20));
    assert_eq!(site.db.left(), []);
}

#[test]
fn after_a_crash_of_everything_a_restart_goes_on_with_what_was_in_flight() {
    let site = Site::faulty(&config("30s", 0.4));
    let ids = push(&site, 60);
    let mut daemon = site.run(2);
    until("both are busy", || site.db.in_flight(None) >= 20);
    for worker in daemon.kill() {
        worker.signal(Signal::KILL);
    }
    assert!(site.db.in_flight(None) > 0);

    let _again = site.run(2);
    until("all are done", || site.db.len("out") == 60);
    let mut out = site.db.list("out");
    out.sort();
    assert_eq!((out, site.db.left()), (ids, Vec::new()));
}

#[test]
fn drain_returns_what_dead_workers_held_and_what_is_delayed() {
    let site = Site::faulty(
        "
conserver: 1
links:
  fail: {module: test.fail, options: {subject: later, kind: conflict}, retry: {attempts: 1}}
  slow: {module: test.wait, options: {subject: slow, seconds: 600}}
chains:
  main: {links: [fail, slow], ingress_lists: [in], egress_lists: [out], retry: {attempts: 9, delay: 10m, max_delay: 10m}}
",
    );
    let mut daemon = site.run(1);
    let mut vcons = Vcons::new(21);
    let mut push = |subject: &str| {
        let mut call = vcons.call();
        call["subject"] = json!(subject);
        site.push("in", &call)
    };
    let (later, slow) = (push("later"), push("slow"));
    until("one is delayed and one runs", || {
        site.db.in_flight(None) == 1 && site.db.left().iter().any(|(key, _)| key.starts_with("cs:retry"))
    });
    // A second occurrence of the one that runs is parked.
    site.db.push("in", &[&slow]);
    until("it is parked", || site.db.left().iter().any(|(key, _)| key == "cs:parked"));
    for worker in daemon.kill() {
        worker.signal(Signal::KILL);
        until("the worker has ended", || !worker.is_alive());
    }
    // Nobody runs: the lease of the dead worker has to end before its ids are anybody's.
    until("its ids are returned", || {
        let (code, said, _) = site.command(&["drain", "--json"]);
        assert_eq!(code, 0, "{said}");
        site.db.len("in") == 3
    });
    let mut waiting = site.db.list("in");
    waiting.sort();
    let mut expected = vec![later, slow.clone(), slow];
    expected.sort();
    assert_eq!((waiting, site.db.left()), (expected, Vec::new()));
}

#[test]
fn a_worker_that_stood_still_beyond_its_lease_loses_its_ids_and_starts_anew() {
    let site = Site::faulty(&config("30s", 0.3));
    let daemon = site.run(2);
    let ids = push(&site, 200);
    until("both are busy", || site.db.in_flight(None) == 40);
    let frozen = daemon.usual_workers()[0];
    frozen.signal(Signal::STOP);

    until("all are done by the other", || site.db.len("out") == 200);
    frozen.signal(Signal::CONT);
    until("it ends", || !frozen.is_alive());
    until("another takes its place", || daemon.usual_workers().len() == 2);
    std::thread::sleep(Duration::from_millis(500));
    let mut out = site.db.list("out");
    out.sort();
    assert_eq!((out, site.db.left()), (ids, Vec::new()));
    let ended = daemon.told("a worker ended");
    assert_eq!(ended.last().map(|event| event["status"].as_str()), Some(Some("exit status: 87")));
}
