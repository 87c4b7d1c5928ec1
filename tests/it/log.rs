//! The log is for people and costs nothing else: whatever becomes of it, the work goes on.

use std::fs::{File, OpenOptions};
use std::io::Read;

use conserver_testkit::daemon::Daemon;
use conserver_testkit::vcons::Vcons;

use crate::health::get;
use crate::site::{LIMIT, Site, until};

const CONFIG: &str = "
conserver: 1
links:
  mark: {module: tag, options: {tags: {seen: yes}}}
chains:
  main: {links: [mark], ingress_lists: [in], egress_lists: [out]}
";

/// A disk without room.
fn full_disk() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// Everything that is told passes: dead letters, an outage of Redis, an end of children; and an orderly stop.
fn works_and_stops(site: &mut Site, mut daemon: Daemon) {
    let mut vcons = Vcons::new(70);
    for _ in 0..10 {
        site.push("in", &vcons.call());
    }
    site.db.push("in", &["nobody", "no-one", "none"]);
    until("all have ended", || site.db.len("out") == 10 && site.db.len("DLQ:in") == 3);

    site.redis.kill();
    std::thread::sleep(std::time::Duration::from_secs(2));
    site.redis.restart();
    site.push("in", &vcons.call());
    until("work goes on after an outage", || site.db.len("out") == 11);

    for worker in daemon.workers() {
        worker.signal(conserver_testkit::daemon::Signal::KILL);
    }
    site.push("in", &vcons.call());
    until("work goes on with other workers", || site.db.len("out") == 12);
    assert!(daemon.stop().success());
    assert_eq!(site.db.left(), []);
}

#[test]
fn a_reader_that_goes_away_ends_nobody() {
    let mut site = Site::new(CONFIG);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let daemon = site.setup.start_on(&["run", "--workers", "2", "--no-api"], writer);
    reader.read_exact(&mut [0; 10]).unwrap();
    until("both workers are there", || daemon.usual_workers().len() == 2);
    drop(reader);
    works_and_stops(&mut site, daemon);
}

#[test]
fn a_full_disk_ends_nobody_and_lost_lines_are_counted() {
    let mut site = Site::new(CONFIG);
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let daemon = site.setup.start_on(&["run", "--listen", &address], full_disk());
    let lost = || {
        let (_, text) = get(&address, "/metrics")?;
        let line = text.lines().find_map(|line| line.strip_prefix("conserver_log_count_lost_total "))?;
        line.parse::<f64>().ok()
    };
    until("lost lines are counted", || lost().is_some_and(|lines| lines > 0.0));
    works_and_stops(&mut site, daemon);
}

#[test]
fn a_command_whose_output_is_not_written_fails() {
    let site = Site::new(CONFIG);
    let id = site.db.put(&Vcons::new(71).call());
    site.db.push("DLQ:in", &["dead"]);
    for args in [
        &["get", &id][..],
        &["get", &id, "--legacy"],
        &["dlq", "list"],
        &["dlq", "list", "--json"],
        &["queues"],
        &["queues", "--json"],
        &["doctor", "--json"],
        &["check"],
        &["check", "--json"],
        &["graph"],
        &["schema"],
        &["man"],
        &["completions", "bash"],
    ] {
        let output = site.setup.command_to(args, full_disk());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("the output cannot be written"), "{args:?}: {said}");
    }
}

#[test]
fn a_command_whose_reader_has_enough_is_quiet() {
    let site = Site::new(CONFIG);
    let id = site.db.put(&Vcons::new(72).call());
    for args in [&["get", &id][..], &["queues"], &["schema"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = site.setup.command_to(args, writer);
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &[][..]), "{args:?}");
    }
    // Nobody reads its notes: what it does, it does.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut pushing = site.setup.start_on(&["push", "--ids", "-l", "in", "some id"], writer);
    assert!(pushing.wait(LIMIT).success());
    assert_eq!(site.db.list("in"), ["some id"]);
}

/// Every line of a log for programs.
fn lines(log: &str) -> Vec<serde_json::Value> {
    let parsed = log.lines().map(|line| {
        let event = serde_json::from_str::<serde_json::Value>(line);
        event.unwrap_or_else(|error| panic!("`{line}` is no JSON: {error}"))
    });
    parsed.collect()
}

#[test]
fn what_stops_a_start_is_a_line_of_the_log_too() {
    let site = Site::new("conserver: 1\nlinks: {mark: {module: tagg}}\nchains: {main: {links: [mrak]}}\n");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for args in [&["run", "--no-api"][..], &["worker"], &["api"], &["run", "-c", "nowhere.yaml"]] {
        let (code, _, noted) = site.command(args);
        let told = lines(&noted);
        assert_eq!(code, 78, "{args:?}: {noted}");
        assert!(told.iter().all(|event| event["level"] == "ERROR" || event["level"] == "WARN"), "{noted}");
        let last = told.last().unwrap();
        assert!(last["error"].as_str().is_some_and(|error| error.contains(".yaml`")), "{args:?}: {noted}");
    }
    site.configure(CONFIG);
    let (code, _, noted) = site.command(&["api", "--listen", &address]);
    let told = lines(&noted);
    let cause = told.last().unwrap()["error"].as_str().unwrap_or_default();
    assert!(code == 1 && cause.contains("cannot listen") && cause.contains(&address), "{noted}");
    // Who says so gets text for people.
    let site = site.env("CONSERVER_LOG_FORMAT", "pretty");
    let (_, _, noted) = site.command(&["run", "-c", "nowhere.yaml"]);
    assert!(noted.starts_with("error: cannot read the configuration"), "{noted}");
}

#[test]
fn an_outage_of_redis_is_told_once_and_its_end_once() {
    let mut site = Site::new(CONFIG);
    let mut daemon = site.run(2);
    site.redis.kill();
    until("it is told", || !daemon.told("Redis is away").is_empty());
    site.redis.restart();
    until("the end is told", || !daemon.told("Redis is back after").is_empty());
    assert!(daemon.stop().success());
    assert!(!lines(&daemon.log()).is_empty(), "all of them JSON");
}

#[test]
fn what_producers_write_does_not_move_the_terminal() {
    let site = Site::new(CONFIG).env("CONSERVER_LOG_FORMAT", "pretty").env("NO_COLOR", "1");
    let id = "0\x1b[2J\x1b]0;owned\x07\u{202e}";
    let daemon = site.setup.start(&["run", "--no-api"]);
    let long = "x".repeat(65_536);
    site.db.push("in", &[id, &long, "vcon:1", "\"2\"", "3\n"]);
    until("all are dead", || site.db.len("DLQ:in") == 5);
    until("it is told", || daemon.log().contains("owned"));
    let mut all = daemon.log();
    for args in [
        &["dlq", "list"][..],
        &["dlq", "list", "--json"],
        &["dlq", "show", id],
        &["dlq", "show", "nobody\x1b"],
        &["story", id],
    ] {
        let (_, said, noted) = site.command(args);
        all.push_str(&(said + &noted));
    }
    assert!(!all.contains(['\x1b', '\x07', '\u{202e}']), "{all:?}");
    let (_, said, _) = site.command(&["dlq", "list"]);
    assert!(said.lines().all(|line| line.len() < 200), "{said}");
    for hint in ["newline", "quotes", "key of a document"] {
        assert!(said.contains(hint), "{said}");
    }
    let (_, json, _) = site.command(&["dlq", "list", "--json"]);
    assert!(lines(&json).iter().any(|letter| letter["id"] == id), "escapes mean the same in JSON: {json}");
}
