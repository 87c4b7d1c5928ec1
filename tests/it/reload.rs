//! A changed file is taken up while vCons pass; a bad one changes nothing.

use conserver_testkit::daemon::Signal;
use conserver_testkit::vcons::Vcons;
use serde_json::json;

use crate::site::{Site, until};

fn config(tag: &str) -> String {
    format!(
        "
conserver: 1
links:
  mark: {{module: tag, options: {{tags: {{version: {tag}}}}}}}
  slow: {{module: delay, options: {{seconds: 0.1}}}}
chains:
  main: {{links: [slow, mark], ingress_lists: [in], egress_lists: [out]}}
"
    )
}

fn is_marked(site: &Site, id: &str, version: &str) -> bool {
    let document = site.db.document(id).unwrap();
    document["attachments"][0]["body"].as_array().unwrap().contains(&json!(format!("version:{version}")))
}

#[test]
fn a_changed_file_takes_effect_and_loses_nothing() {
    let site = Site::new(&config("one"));
    let daemon = site.run(2);
    let mut vcons = Vcons::new(30);
    let before = site.push("in", &vcons.call());
    until("one is done", || site.db.len("out") == 1);
    assert!(is_marked(&site, &before, "one"));

    let ids: Vec<String> = (0..300).map(|_| site.push("in", &vcons.call())).collect();
    site.configure(&config("two"));
    until("both workers took it up", || daemon.told("configuration reloaded").len() == 2);
    let after = site.push("in", &vcons.call());

    until("all are done", || site.db.len("out") == 302);
    assert!(is_marked(&site, &after, "two") && !is_marked(&site, &after, "one"));
    for id in &ids {
        // Each ran on one of the two as a whole.
        assert_ne!(is_marked(&site, id, "one"), is_marked(&site, id, "two"), "{id}");
    }
    assert_eq!((site.db.len("DLQ:in"), site.db.left()), (0, Vec::new()));
    assert!(daemon.told("a worker ended").is_empty());
}

#[test]
fn a_new_list_is_served_after_sighup_and_one_that_is_gone_is_left_alone() {
    let site = Site::new(&config("one"));
    let daemon = site.run(1);
    let mut vcons = Vcons::new(31);
    site.configure(&config("one").replace("ingress_lists: [in]", "ingress_lists: [new]"));
    daemon.signal(Signal::HUP);
    let first = site.push("new", &vcons.call());
    until("the new list is served", || site.db.list("out") == [first.as_str()]);

    let left = site.push("in", &vcons.call());
    let second = site.push("new", &vcons.call());
    until("it is served again", || site.db.list("out") == [first.as_str(), second.as_str()]);
    assert_eq!(site.db.list("in"), [left]);
    assert_eq!(daemon.told("configuration reloaded").len(), 1);
}

#[test]
fn what_a_changed_file_brings_only_at_the_next_start_is_named() {
    let site = Site::new(&config("one"));
    let daemon = site.run(1);
    until("it runs", || !daemon.told("worker started").is_empty());
    site.configure(&format!(
        "{}workers: 3\nstories: {{runs: 7}}\napi: {{max_queue_length: 9}}\n",
        config("two")
    ));
    let told = || daemon.told("counts from the next start");
    until("it is told", || !told().is_empty());
    assert_eq!((told().len(), &told()[0]["keys"]), (1, &json!("workers, stories")));
}

#[test]
fn a_bad_file_keeps_the_old_configuration_and_a_mended_one_is_taken_up() {
    let site = Site::new(&config("one"));
    let daemon = site.run(1);
    let mut vcons = Vcons::new(32);
    site.configure("conserver: 1\nchains:\n  main: {links: [nobody], ingress: [in]}\n");
    until("the mistake is told", || !daemon.told("the old one runs on").is_empty());
    let told = daemon.events().iter().filter(|event| event["level"] == "ERROR").count();

    let id = site.push("in", &vcons.call());
    until("the old one runs on", || site.db.len("out") == 1);
    assert!(is_marked(&site, &id, "one"));
    site.configure(&config("two"));
    until("the mended one is taken up", || !daemon.told("configuration reloaded").is_empty());
    let id = site.push("in", &vcons.call());
    until("it runs", || site.db.len("out") == 2);
    assert!(is_marked(&site, &id, "two"));
    let later = daemon.events().iter().filter(|event| event["level"] == "ERROR").count();
    assert_eq!(told, later, "a bad file is told once");
}

#[test]
fn a_worker_that_dies_after_a_bad_file_comes_back_with_the_old_configuration() {
    let site = Site::new(&config("one"));
    let daemon = site.run(1);
    site.configure("conserver: 1\nchains: 5\n");
    until("the mistake is told", || !daemon.told("the old one runs on").is_empty());
    daemon.usual_workers()[0].signal(Signal::KILL);
    until("its death is noticed", || !daemon.told("a worker ended").is_empty());

    let id = site.push("in", &Vcons::new(33).call());
    until("a new worker runs the old configuration", || site.db.list("out") == [id.as_str()]);
}
