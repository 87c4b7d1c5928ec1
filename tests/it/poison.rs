//! A vCon that kills its worker costs nobody else anything, and itself only when it does so again alone.

use conserver_testkit::daemon::{Daemon, Signal};
use conserver_testkit::vcons::Vcons;
use serde_json::json;

use crate::site::{Site, until};

const CONFIG: &str = "
conserver: 1
links:
  slow: {module: delay, options: {seconds: 0.3}}
  boom: {module: test.abort, options: {subject: boom, marks: $DIR/marks}}
chains:
  main: {links: [slow, boom], ingress_lists: [in], egress_lists: [out], concurrency: 300}
";

/// Stores 300 vCons, the one in the middle with the subject that link `boom` waits for, and queues all at once.
fn push_300(site: &Site) -> (Vec<String>, String) {
    let mut vcons = Vcons::new(1);
    let ids: Vec<String> = (0..300)
        .map(|n| {
            let mut call = vcons.call();
            if n == 150 {
                call["subject"] = json!("boom");
            }
            site.db.put(&call)
        })
        .collect();
    site.db.push("in", &ids.iter().map(String::as_str).collect::<Vec<_>>());
    let poison = ids[150].clone();
    (ids, poison)
}

/// How many workers died of this signal.
fn deaths(daemon: &Daemon, signal: i32) -> usize {
    let ended = daemon.told("a worker ended; recovered what it held");
    let by = format!("signal: {signal} ");
    ended.iter().filter(|event| event["status"].as_str().is_some_and(|status| status.contains(&by))).count()
}

#[test]
fn a_poison_vcon_ends_as_a_dead_letter_with_its_signal_and_the_299_beside_it_finish() {
    let site = Site::faulty(CONFIG);
    let (mut ids, poison) = push_300(&site);
    let daemon = site.run(2);

    until("299 vCons are done and one is dead", || site.db.len("out") == 299 && site.db.len("DLQ:in") == 1);
    assert_eq!(site.db.list("DLQ:in"), [poison.as_str()]);
    let letter = site.db.letter("DLQ:in", &poison);
    assert_eq!((letter["reason"].as_str(), letter["signal"].as_str()), ("poison", "SIGABRT"));
    assert!(deaths(&daemon, 6) <= 3, "{} workers died", deaths(&daemon, 6));
    ids.retain(|id| *id != poison);
    let mut out = site.db.list("out");
    out.sort();
    assert_eq!(out, ids);
    assert_eq!(site.db.left(), []);
}

#[test]
fn a_vcon_that_kills_its_worker_only_once_finishes() {
    let site = Site::faulty(&CONFIG.replace("$DIR/marks", "$DIR/marks, times: 1"));
    let (_, once) = push_300(&site);
    let daemon = site.run(2);

    until("all 300 are done", || site.db.len("out") == 300);
    assert!(site.db.list("out").contains(&once));
    assert_eq!((site.db.len("DLQ:in"), deaths(&daemon, 6)), (0, 1));
    until("its story tells of the crash", || site.command(&["story", &once]).1.contains("a worker crashed"));
    assert_eq!(site.db.left(), []);
}

#[test]
fn a_bare_kill_is_no_strike() {
    let site = Site::faulty(
        &CONFIG.replace("seconds: 0.3", "seconds: 0.6").replace("subject: boom", "subject: never"),
    );
    let daemon = site.run(2);
    push_300(&site);

    for round in 1..=3 {
        until("a worker holds ids", || site.db.in_flight(None) > 100);
        let busiest =
            daemon.usual_workers().into_iter().max_by_key(|worker| site.db.in_flight(Some(worker.pid)));
        assert!(busiest.unwrap().signal(Signal::KILL));
        until("its death is noticed", || deaths(&daemon, 9) == round);
    }

    until("all 300 are done", || site.db.len("out") == 300);
    let suspects = daemon
        .told("recovered what it held")
        .iter()
        .filter_map(|event| event["suspects"].as_u64())
        .sum::<u64>();
    assert_eq!((suspects, site.db.len("DLQ:in")), (0, 0));
}
