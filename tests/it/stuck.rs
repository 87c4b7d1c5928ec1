//! Links that never come back, with and without their thread.

use conserver_testkit::vcons::Vcons;
use serde_json::json;

use crate::site::{Site, until};

/// Queues 40 vCons; the tenth has the subject that the faulty link waits for.
fn push_40(site: &Site) -> (Vec<String>, String) {
    let mut vcons = Vcons::new(2);
    let ids: Vec<String> = (0..40)
        .map(|n| {
            let mut call = vcons.call();
            if n == 10 {
                call["subject"] = json!("stall");
            }
            site.push("in", &call)
        })
        .collect();
    let stalled = ids[10].clone();
    (ids, stalled)
}

#[test]
fn a_link_that_blocks_its_thread_costs_its_vcon_and_nobody_else() {
    let site = Site::faulty(
        "
conserver: 1
links:
  stall: {module: test.block, options: {subject: stall}, timeout: 1s}
chains:
  main: {links: [stall], ingress_lists: [in], egress_lists: [out]}
",
    );
    let (_, stalled) = push_40(&site);
    let daemon = site.run(2);

    until("39 vCons are done and one is dead", || site.db.len("out") == 39 && site.db.len("DLQ:in") == 1);
    let letter = site.db.letter("DLQ:in", &stalled);
    assert_eq!((letter["reason"].as_str(), letter["chain"].as_str()), ("timeout", "main"));
    // The worker ended itself with a code of its own, which accuses nobody.
    until("the worker's end is noticed", || !daemon.told("a worker ended").is_empty());
    let ended = &daemon.told("a worker ended")[0];
    assert_eq!((ended["status"].as_str(), ended["suspects"].as_u64()), (Some("exit status: 86"), Some(0)));
    until("a new worker runs", || daemon.usual_workers().len() == 2);
    site.push("in", &Vcons::new(3).call());
    until("a fresh vCon passes", || site.db.len("out") == 40);
    assert_eq!(site.db.left(), []);
}

#[test]
fn a_link_that_never_answers_ends_as_a_dead_letter_after_its_attempts() {
    let site = Site::faulty(
        "
conserver: 1
links:
  stall: {module: test.hang, options: {subject: stall, marks: $DIR/marks}, timeout: 300ms, retry: {attempts: 2, delay: 10ms}}
chains:
  main: {links: [stall], ingress_lists: [in], egress_lists: [out], retry: {attempts: 2, delay: 50ms}}
",
    );
    let (_, stalled) = push_40(&site);
    let daemon = site.run(1);

    until("39 vCons are done and one is dead", || site.db.len("out") == 39 && site.db.len("DLQ:in") == 1);
    let letter = site.db.letter("DLQ:in", &stalled);
    assert_eq!((letter["reason"].as_str(), letter["link"].as_str()), ("timeout", "stall"));
    assert_eq!(letter["attempt"], "2");
    assert_eq!(letter["may_have_happened"], "true");
    let marks = std::fs::read_to_string(site.path("marks")).unwrap();
    assert_eq!(marks.lines().count(), 4, "two runs of two attempts");
    assert_eq!(daemon.told("a worker ended"), Vec::<serde_json::Value>::new());
    assert_eq!(site.db.left(), []);
}
