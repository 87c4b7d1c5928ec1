//! Everything that can be wrong with what is put into Redis or into the file: each case ends in its own way, with a
//! reason, and what is right beside it goes on.

use std::collections::BTreeMap;

use conserver_testkit::daemon::Daemon;
use conserver_testkit::postgres::PostgresServer;
use conserver_testkit::vcons::Vcons;
use redis::Commands;
use serde_json::{Value, json};

use crate::site::{Site, until};

const CONFIG: &str = "
conserver: 1
links:
  mark: {module: tag, options: {tags: {seen: yes}}}
  panic: {module: test.panic, options: {subject: panic}}
storages:
  files: {module: file, options: {path: $DIR/files}}
chains:
  main: {links: [mark, panic], storages: [files], ingress_lists: [in], egress_lists: [out], retry: {attempts: 2, delay: 10ms}}
";

/// A vCon that nothing is wrong with.
fn good(n: usize) -> Value {
    let mut vcons = Vcons::new(40);
    (0..n).for_each(|_| drop(vcons.call()));
    vcons.call()
}

/// Lets a bad id and a good vCon after it go their ways; answers the bad one's dead letter.
fn letter_of(site: &Site, bad: &str) -> BTreeMap<String, String> {
    let _daemon = site.run(1);
    site.db.push("in", &[bad]);
    let good = site.push("in", &good(1));
    until("the good one is done", || site.db.list("out") == [good.as_str()]);
    until("the bad one is dead", || site.db.list("DLQ:in") == [bad]);
    assert_eq!(site.db.left(), []);
    site.db.letter("DLQ:in", bad)
}

/// What a letter says of its reason and place, and part of its error.
fn assert_letter(letter: &BTreeMap<String, String>, expected: &[(&str, &str)], error: &str) {
    for (field, value) in expected {
        assert_eq!(letter.get(*field).map(String::as_str), Some(*value), "`{field}` of {letter:?}");
    }
    assert_eq!((letter["list"].as_str(), letter["chain"].as_str()), ("in", "main"));
    assert!(letter["error"].contains(error), "{}", letter["error"]);
    assert!(letter["at"].parse::<u64>().unwrap() > 1_700_000_000);
    assert!(letter["worker"].contains(':'));
}

#[test]
fn a_missing_document() {
    let site = Site::faulty(CONFIG);
    let id = Vcons::new(41).id();
    let letter = letter_of(&site, &id);
    assert_letter(
        &letter,
        &[("reason", "missing"), ("attempt", "1")],
        "neither in the store nor in a storage",
    );
}

#[test]
fn a_document_that_is_no_json() {
    for (text, error) in
        [("{\"uuid\": ", "document"), ("", "document"), ("[1, 2]", "document"), ("\u{fffd}", "document")]
    {
        let site = Site::faulty(CONFIG);
        let id = Vcons::new(42).id();
        let () = site.db.connect().set(format!("vcon:{id}"), text).unwrap();
        let letter = letter_of(&site, &id);
        assert_letter(&letter, &[("reason", "invalid")], error);
        let kept: String = site.db.connect().get(format!("vcon:{id}")).unwrap();
        assert_eq!(kept, text, "it is kept as it is");
    }
}

#[test]
fn a_document_key_that_holds_a_list() {
    let site = Site::faulty(CONFIG);
    let id = Vcons::new(43).id();
    site.db.push(&format!("vcon:{id}"), &["not a document"]);
    let letter = letter_of(&site, &id);
    assert_letter(&letter, &[("reason", "wrong-type")], "list");
}

#[test]
fn a_link_that_panics() {
    let site = Site::faulty(CONFIG);
    let mut call = Vcons::new(44).call();
    call["subject"] = json!("panic");
    let id = site.db.put(&call);
    let letter = letter_of(&site, &id);
    assert_letter(&letter, &[("reason", "panic"), ("link", "panic")], "this link panics on purpose");
}

#[test]
fn a_document_of_100_mb_is_dead_unread() {
    let site = Site::faulty(CONFIG);
    let mut call = Vcons::new(45).call();
    call["dialog"][0]["body"] = json!("x".repeat(100_000_000));
    let id = site.db.put(&call);
    let daemon = site.run(1);
    site.db.push("in", &[&id]);

    until("it is dead", || site.db.list("DLQ:in") == [id.as_str()]);
    let letter = site.db.letter("DLQ:in", &id);
    assert_letter(&letter, &[("reason", "too-large")], "max_document_bytes");
    let peak = daemon.usual_workers()[0].peak_memory();
    assert!((1..80_000_000).contains(&peak), "the worker took {peak} bytes");
}

#[test]
fn an_id_that_is_no_uuid_is_for_storages_to_judge() {
    let database = PostgresServer::shared().create_database();
    let with = |more: &str| {
        let pg = format!("  pg: {{module: postgres, options: {{url: '{}'}}}}\nchains:", database.url());
        let config = CONFIG.replace("chains:", &pg).replace("[files]", "[files, pg]");
        let site =
            Site::faulty(&config.replace("links: [mark, panic]", &format!("links: [mark, panic]{more}")));
        let mut call = Vcons::new(46).call();
        call["uuid"] = json!("order 4711/ü");
        site.push("in", &call);
        site
    };
    let id = "order 4711/ü";

    let site = with("");
    let daemon = site.run(1);
    until("it is done", || site.db.list("out") == [id]);
    assert_eq!(site.db.list("DLQ:storage:pg"), [id]);
    assert_letter(&site.db.letter("DLQ:storage:pg", id), &[("reason", "invalid"), ("storage", "pg")], "UUID");
    assert!(site.db.list("DLQ:in").is_empty());
    assert_eq!(site.command(&["get", id, "--storage", "files"]).0, 0, "the file storage has it");
    drop(daemon);

    let site = with(", on_storage_error: dead_letter");
    let _daemon = site.run(1);
    until("it is dead", || site.db.list("DLQ:in") == [id]);
    assert_letter(&site.db.letter("DLQ:in", id), &[("reason", "invalid"), ("storage", "pg")], "UUID");
    assert_eq!((site.db.len("out"), site.db.len("DLQ:storage:pg")), (0, 0));
}

#[test]
fn an_egress_list_that_is_a_string() {
    let site = Site::faulty(CONFIG);
    let () = site.db.connect().set("out", "not a list").unwrap();
    let _daemon = site.run(1);
    let id = site.push("in", &Vcons::new(47).call());

    until("it is dead", || site.db.list("DLQ:in") == [id.as_str()]);
    let letter = site.db.letter("DLQ:in", &id);
    assert_eq!(letter["reason"], "wrong-type");
    assert!(letter["error"].contains("`out` holds a string, not a list"), "{}", letter["error"]);
    let kept: String = site.db.connect().get("out").unwrap();
    assert_eq!((kept.as_str(), site.db.left()), ("not a list", Vec::new()));
}

#[test]
fn an_ingress_list_that_is_a_hash_stops_no_other() {
    let site = Site::faulty(&CONFIG.replace("ingress_lists: [in]", "ingress_lists: [odd, in]"));
    let () = site.db.connect().hset("odd", "a", "b").unwrap();
    let _daemon = site.run(1);
    let id = site.push("in", &good(1));

    until("the other list is served", || site.db.list("out") == [id.as_str()]);
    let kept: BTreeMap<String, String> = site.db.connect().hgetall("odd").unwrap();
    assert_eq!(kept.len(), 1);
    // Once it is mended, it is served.
    let () = site.db.connect().del("odd").unwrap();
    let id = site.push("odd", &good(2));
    until("it is served", || site.db.list("out").contains(&id));
}

#[test]
fn a_file_with_ten_mistakes_says_all_of_them_and_starts_nothing() {
    let site = Site::faulty(TEN_MISTAKES);
    let (code, said, errors) = site.command(&["check"]);
    assert_eq!(code, 78, "{said}{errors}");
    assert_mistakes(&said);
    assert_eq!(said.matches(": error: ").count(), MISTAKES.len(), "{said}");

    let mut daemon: Daemon = site.setup.launch(1, &["--no-api"]);
    assert_eq!(daemon.wait(crate::site::LIMIT).code(), Some(78));
    assert_mistakes(&daemon.log());
}

/// That all are told, wherever lines are broken.
fn assert_mistakes(said: &str) {
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for mistake in MISTAKES {
        assert!(line.contains(mistake), "`{mistake}` is not in:\n{said}");
    }
}

const TEN_MISTAKES: &str = "
conserver: 1
worker: 4
drain_timeout: soon
links:
  mark: {module: tag, options: {tags: [seen]}, on_eror: fail}
  wait: {module: delay, options: {seconds: long}}
storages:
  files: {module: file, options: {compression: perhaps}}
chains:
  main:
    links: [mrak, wait]
    storages: [file]
    concurrency: 0
    ingress_lists: nowhere
    retry: {attempts: 3, dealy: 2s}
";

const MISTAKES: [&str; 10] = [
    "did you mean `workers`?",
    "drain_timeout: `soon` is no duration",
    "did you mean `on_error`?",
    "links.wait.options.seconds",
    "storages.files.options.compression",
    "did you mean `mark`?",
    "chains.main.storages[0]",
    "chains.main.concurrency",
    "chains.main.ingress_lists",
    "did you mean `delay`?",
];
