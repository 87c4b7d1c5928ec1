//! `doctor` and `queues` know why ids do not move.

use std::fs;

use conserver_testkit::vcons::Vcons;
use serde_json::Value;

use crate::site::{Site, until};

/// A storage that is away, a chain that cannot run, and one that is well.
const CONFIG: &str = "
links:
  mark: {module: links.tag, options: {tags: [seen]}}
storages:
  disk: {module: storage.file, options: {path: $DIR/disk}, retry: {attempts: 1}, breaker: {failures: 1, cooldown: 1m}}
chains:
  main: {links: [mark], storages: [disk], ingress_lists: [in], egress_lists: [out]}
  broken: {links: [no_such], ingress_lists: [broken]}
";

/// What a command prints, whatever comes of it.
fn said(site: &Site, args: &[&str]) -> String {
    site.command(args).1
}

#[test]
fn what_holds_a_chain_up_is_told() {
    let site = Site::new(CONFIG);
    // No folder can be made where a file lies.
    fs::write(site.path("disk"), "").unwrap();
    let mut vcons = Vcons::new(71);
    let id = site.push("in", &vcons.call());
    site.push("broken", &vcons.call());
    site.push("in_typo", &vcons.call());
    site.db.push("of_others", &["not a vCon of ours"]);
    let idle = said(&site, &["doctor"]);
    for part in [
        "WARN  no worker runs: start `conserver run`",
        "WARN  chain `broken` cannot run: ",
        "; 1 id waits on `broken`",
        "WARN  `in_typo` has 1 id, and no chain takes from it",
    ] {
        assert!(idle.contains(part), "{part}: {idle}");
    }
    assert!(!idle.contains("of_others"), "{idle}");
    assert!(said(&site, &["queues"]).contains("not run"));

    let mut daemon = site.run(1);
    until("the breaker is told", || said(&site, &["doctor"]).contains("storage `disk`: breaker open for "));
    let told = said(&site, &["doctor"]);
    for part in [
        " in 1 worker: ",
        "chain `main` waits for `disk` in 1 worker",
        "chain `broken` does not run: ",
        "`in` has 1 id delayed after a failure: ",
        "ok    1 worker, alive",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let table = said(&site, &["queues"]);
    assert!(table.contains("held up by disk") && table.contains("not run"), "{table}");
    let all: Value = serde_json::from_str(&said(&site, &["doctor", "--json"])).unwrap();
    assert_eq!(all["outages"]["guards"][0]["name"], "disk", "{all}");
    assert!(all["not_run"]["broken"].is_string(), "{all}");
    assert_eq!(all["unserved"][0]["list"], "in_typo", "{all}");
    assert!(daemon.stop().success());
    assert!(site.db.keys("cs:notes").is_empty(), "an instance that has ended says nothing");
    assert!(!said(&site, &["doctor"]).contains("breaker"));
    assert!(site.db.document(&id).is_some());
}

#[test]
fn what_a_storage_refused_has_a_row() {
    let config = CONFIG.replace("path: $DIR/disk", "path: $DIR/disk, max_file_size: 10");
    let site = Site::new(&config);
    let daemon = site.run(1);
    site.push("in", &Vcons::new(72).call());
    until("it is refused", || site.db.len("DLQ:storage:disk") == 1);
    let table = said(&site, &["queues"]);
    let row = table.lines().find(|line| line.starts_with("DLQ:storage:disk")).expect("it has a row");
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>(),
        ["DLQ:storage:disk", "-", "-", "-", "-", "-", "1"]
    );
    drop(daemon);
}
