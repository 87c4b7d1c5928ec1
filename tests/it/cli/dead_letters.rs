//! Dead letters from the command line: every filter, replay, discard.

use conserver_testkit::vcons::Vcons;
use serde_json::{Value, json};

use super::{snapshots, transcript};
use crate::site::{Site, until};

const CONFIG: &str = "
conserver: 1
api: {keys: [{key: secret}]}
links:
  check: {module: test.fail, options: {subject: refuse, kind: invalid}}
  shout: {module: test.panic, options: {subject: shout}}
storages:
  small: {module: file, options: {path: $DIR/files, max_file_size: 9000}}
chains:
  main: {links: [check, shout], storages: [small], ingress_lists: [in], egress_lists: [out], concurrency: 1}
  side: {links: [check], ingress_lists: [side], egress_lists: [out], dlq: side_dead, concurrency: 1}
";

/// Ids of the dead letters that [`with_dead_letters`] makes.
struct Dead {
    refused: String,
    shouted: String,
    missing: String,
    large: String,
    aside: String,
}

/// A site that has run: a link refused, a link panicked, a document was missing, a storage refused, and another
/// chain has a list of its own.
fn with_dead_letters() -> (Site, Dead) {
    let site = Site::faulty(CONFIG).env("COLUMNS", "80");
    let mut vcons = Vcons::new(70);
    let mut push = |list: &str, subject: &str| {
        let mut call = vcons.call();
        call["subject"] = json!(subject);
        if subject == "large" {
            call["analysis"][1]["body"] = json!("x".repeat(9000));
        }
        site.push(list, &call)
    };
    let dead = Dead {
        refused: push("in", "refuse"),
        shouted: push("in", "shout"),
        large: push("in", "large"),
        aside: push("side", "refuse"),
        missing: "0199aaaa-0000-8000-8000-00000000dead".to_owned(),
    };
    site.db.push("in", &[&dead.missing]);
    let mut daemon = site.run(1);
    until("all have ended", || {
        site.db.len("DLQ:in") == 3 && site.db.len("side_dead") == 1 && site.db.len("DLQ:storage:small") == 1
    });
    assert!(daemon.stop().success());
    (site, dead)
}

/// The ids that `dlq list --json` names with these filters.
fn listed(site: &Site, filters: &[&str]) -> Vec<String> {
    let (code, said, noted) = site.command(&[&["dlq", "list", "--json"], filters].concat());
    assert_eq!(code, 0, "{noted}");
    let letters = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    letters.map(|letter| letter["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn list_and_show_say_what_failed_and_why() {
    let (site, dead) = with_dead_letters();
    let said = [
        transcript(&site, &["dlq", "list"]),
        transcript(&site, &["dlq", "list", "--limit", "1"]),
        transcript(&site, &["dlq", "list", "--reason", "poison"]),
        transcript(&site, &["dlq", "show", &dead.shouted]),
        transcript(&site, &["dlq", "show", &dead.large, "--json"]),
        transcript(&site, &["dlq", "show", "nobody"]),
    ];
    snapshots().bind(|| insta::assert_snapshot!("dead-letters", said.join("\n")));
}

#[test]
fn every_filter_narrows() {
    let (site, dead) = with_dead_letters();
    site.db.push("DLQ:in", &["of another program"]);

    assert_eq!(listed(&site, &[]).len(), 6);
    assert_eq!(listed(&site, &["--limit", "2"]).len(), 2);
    assert_eq!(listed(&site, &["-l", "side"]), [dead.aside.as_str()]);
    assert_eq!(listed(&site, &["--storage-dlq", "small"]), [dead.large.as_str()]);
    assert_eq!(listed(&site, &["--reason", "missing"]), [dead.missing.as_str()]);
    assert_eq!(listed(&site, &["--link", "shout"]), [dead.shouted.as_str()]);
    assert_eq!(listed(&site, &["-l", "in", "--link", "check"]), [dead.refused.as_str()]);
    assert_eq!(listed(&site, &["--storage", "small"]), [dead.large.as_str()]);
    let mut two = listed(&site, &["--id", &dead.missing, "--id", &dead.aside]);
    two.sort();
    let mut both = vec![dead.missing, dead.aside];
    both.sort();
    assert_eq!(two, both);
    assert_eq!(listed(&site, &["--older", "1h"]), Vec::<String>::new());
    assert_eq!(listed(&site, &["-l", "in", "--younger", "1h", "--reason", "panic"]), [dead.shouted.as_str()]);
    assert_eq!(listed(&site, &["--reason", "panic", "--link", "check"]), Vec::<String>::new());
}

#[test]
fn replay_puts_back_what_the_filter_says_and_nothing_else() {
    let (site, dead) = with_dead_letters();
    let replay = |args: &[&str]| {
        let (code, said, noted) = site.command(&[&["dlq", "replay"], args].concat());
        assert_eq!(code, 0, "{noted}");
        said.trim().to_owned()
    };
    assert_eq!(replay(&["-l", "in", "--dry-run"]), "3 dead letters would go back to `in`");
    assert_eq!(site.db.len("in"), 0);
    assert_eq!(replay(&["--link", "shout"]), "replayed 1 dead letter");
    assert_eq!(site.db.list("in"), [dead.shouted.as_str()]);
    assert_eq!(site.db.letter("DLQ:in", &dead.shouted).len(), 0, "what was known of it is gone, too");
    assert_eq!(replay(&["-l", "side"]), "replayed 1 dead letter");
    assert_eq!(site.db.list("side"), [dead.aside.as_str()]);
    assert_eq!(replay(&["-l", "in", "--limit", "1", "--to", "elsewhere"]), "replayed 1 dead letter");
    assert_eq!((site.db.len("elsewhere"), site.db.len("DLQ:in")), (1, 1));

    // The storage refuses again what it refused: the letter stays and the exit code says so.
    let (code, said, noted) = site.command(&["dlq", "replay", "--storage-dlq", "small"]);
    assert_eq!((code, said.trim()), (1, "replayed 0 dead letters, 1 failed again"));
    assert!(noted.contains(&dead.large), "{noted}");
    assert_eq!(site.db.list("DLQ:storage:small"), [dead.large]);
}

#[test]
fn a_replayed_dead_letter_runs_again_from_its_first_attempt() {
    let (site, dead) = with_dead_letters();
    site.configure(&CONFIG.replace("subject: shout", "subject: nothing"));
    let _daemon = site.run(1);
    assert_eq!(site.command(&["dlq", "replay", "--id", &dead.shouted]).0, 0);
    until("it is done", || site.db.list("out").contains(&dead.shouted));
    assert_eq!(site.db.left(), []);
}

#[test]
fn discard_needs_a_filter_or_the_word_all() {
    let (site, dead) = with_dead_letters();
    let (code, _, noted) = site.command(&["dlq", "discard"]);
    assert_eq!(code, 1);
    assert!(noted.contains("--all"), "{noted}");
    assert_eq!(site.command(&["dlq", "discard", "--dry-run"]).1.trim(), "would drop 5 dead letters");
    assert_eq!(site.command(&["dlq", "discard", "--reason", "missing"]).1.trim(), "dropped 1 dead letter");
    assert_eq!(listed(&site, &["-l", "in"]), [dead.refused.as_str(), dead.shouted.as_str()]);
    assert_eq!(site.command(&["dlq", "discard", "--all"]).1.trim(), "dropped 4 dead letters");
    assert_eq!(listed(&site, &[]), Vec::<String>::new());
    assert!(site.db.document(&dead.large).is_some(), "the vCons stay");
    assert_eq!(site.db.keys("cs:dlq:*"), Vec::<String>::new());
}
