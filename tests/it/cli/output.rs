//! Typical answers and typical mistakes.

use std::fs;

use conserver_testkit::vcons::Vcons;
use serde_json::Value;

use super::{site, snapshots, transcript};
use crate::site::{Site, until};

const CONFIG: &str = "
conserver: 1
api: {keys: [{key: secret}]}
links:
  mark: {module: tag, options: {tags: {seen: yes}}}
storages:
  files: {module: file, options: {path: $DIR/files}}
chains:
  main: {links: [mark], storages: [files], ingress_lists: [in], egress_lists: [out]}
";

/// Snapshots of these commands, one after the other.
macro_rules! show {
    ($site:expr, $name:literal, $([$($arg:expr),*]),* $(,)?) => {
        let said = [$(transcript(&$site, &[$($arg),*])),*].join("\n");
        snapshots().bind(|| insta::assert_snapshot!($name, said));
    };
}

/// Writes a vCon into the site's folder; answers its id.
fn write(site: &Site, name: &str, nth: usize) -> String {
    let mut vcons = Vcons::new(60);
    (0..nth).for_each(|_| drop(vcons.call()));
    let call = vcons.call();
    fs::write(site.path(name), call.to_string()).unwrap();
    crate::db::id_of(&call)
}

#[test]
fn push_get_and_queues() {
    let site = site(CONFIG);
    let id = write(&site, "call.vcon.json", 0);
    write(&site, "more.vcon.json", 1);
    fs::write(site.path("broken.json"), "{\"uuid\":").unwrap();
    show!(
        site,
        "push-and-queues",
        ["push", "-l", "in", "call.vcon.json"],
        ["push", "-l", "in", "call.vcon.json", "more.vcon.json", "broken.json", "missing.json"],
        ["push", "more.vcon.json", "--json"],
        ["push", "--ids", "some id"],
        ["push", "--ids", "-l", "other", "some id", "--json"],
        ["queues"],
        ["queues", "other", "--json"],
        ["queues", "--pause"],
        ["queues", "--pause", "in"],
        ["queues", "--pause", "in"],
        ["queues"],
        ["queues", "--resume", "in"],
        ["queues", "--chain", "main", "--pause"],
        ["queues", "--chain", "main", "--resume"],
        ["queues", "--chain", "mian", "--pause"],
        ["queues", "--chain", "main", "in"],
    );
    show!(
        site,
        "get",
        ["get", "nobody"],
        ["get", &id, "--storage"],
        ["get", &id, "--storage", "attic"],
        ["drain"],
        ["drain", "--json"],
    );
    let (code, said, _) = site.command(&["get", &id]);
    let document: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, document), (0, site.db.document(&id).unwrap()));
    let (code, said, _) = site.command(&["get", &id, "--legacy"]);
    let legacy: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &legacy["vcon"]), (0, &Value::from("0.0.1")));

    // Pushed without a time to live of its own it has the usual one; with zero it has none.
    let ttl =
        |id: &str| redis::Commands::ttl::<_, i64>(&mut site.db.connect(), format!("vcon:{id}")).unwrap();
    assert!((3500..=3600).contains(&ttl(&id)));
    assert_eq!(site.command(&["push", "--ttl", "0", "call.vcon.json"]).0, 0);
    assert_eq!(ttl(&id), -1);
}

#[test]
fn get_finds_in_a_storage_what_redis_has_forgotten() {
    let site = site(CONFIG);
    let id = write(&site, "call.vcon.json", 0);
    assert_eq!(site.command(&["push", "-l", "in", "call.vcon.json"]).0, 0);
    let _daemon = site.run(1);
    until("it is stored", || site.db.len("out") == 1);
    let () = redis::Commands::del(&mut site.db.connect(), format!("vcon:{id}")).unwrap();
    for args in [&["get", &id][..], &["get", &id, "--storage", "files"]] {
        let (code, said, noted) = site.command(args);
        assert_eq!(code, 0, "{noted}");
        let document: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(document["uuid"], id);
    }
}

#[test]
fn check_and_schema() {
    let site = site(CONFIG);
    fs::write(site.path("old.json"), "{}").unwrap();
    show!(
        site,
        "check",
        ["check"],
        ["check", "--connect"],
        ["check", "--json"],
        ["check", "-c", "nowhere.yaml"],
        ["schema", "--check", "old.json"],
        ["schema", "--check", "nowhere.json"],
    );
    site.configure(&CONFIG.replace("links: [mark]", "links: [mrak]"));
    show!(site, "check-of-a-bad-file", ["check"], ["check", "--json"]);
    site.configure(&CONFIG.replace("egress_lists", "concurrency: none, egress_lists"));
    show!(site, "bad-file", ["queues"], ["run", "--no-api"]);
    site.configure(&CONFIG.replace("links: [mark]", "links: []"));
    show!(site, "check-strict", ["check"], ["check", "--strict"]);
}

#[test]
fn doctor() {
    let site = site(CONFIG);
    // A recovery that broke off in the middle.
    let () = redis::Commands::sadd(&mut site.db.connect(), "cs:wl:lost:1:00000000", "in").unwrap();
    site.db.push("cs:infl:{in}:lost:1:00000000", &["1|left behind"]);
    site.db.push("DLQ:in", &["dead"]);
    show!(site, "doctor", ["doctor"], ["drain"]);
    let (code, said, _) = site.command(&["doctor", "--json"]);
    let findings: Value = serde_json::from_str(&said).unwrap();
    let mut parts: Vec<&String> = findings.as_object().unwrap().keys().collect();
    parts.sort();
    assert_eq!(
        parts,
        ["dead_letters", "lists", "not_run", "outages", "redis", "storages", "strays", "unserved", "workers"]
    );
    assert_eq!(code, 1, "there is something to look at");

    let _daemon = site.run(1);
    until("it is in use", || !site.db.workers(None).is_empty());
    // What was left behind has no document.
    until("the recovery is finished", || site.db.len("DLQ:in") == 2);
    assert_eq!(site.command(&["dlq", "discard", "--all"]).0, 0);
    until("all is well", || site.command(&["doctor"]).0 == 0);
    show!(site, "doctor-of-a-healthy-site", ["doctor"]);
}

#[test]
fn wrong_usage() {
    let site = site(CONFIG);
    show!(
        site,
        "wrong-usage",
        [],
        ["queue"],
        ["push"],
        ["push", "--ttl", "5 weeks", "call.vcon.json"],
        ["queues", "--pause", "--resume", "in"],
        ["dlq", "list", "-l", "in", "--storage-dlq", "files"],
        ["run", "--workers", "0", "--no-api"],
        ["push", "-l", "cs:busy", "call.vcon.json"],
        ["push", "-l", "", "call.vcon.json"],
        ["queues", "--pause", "cs:infl:{in}:worker"],
        ["dlq", "list", "-l", "vcons"],
        ["dlq", "replay", "--to", "vcon:id"],
    );
}

#[test]
fn a_server_that_is_away() {
    let mut site = site(CONFIG);
    site.redis.stop();
    show!(
        site,
        "redis-is-away",
        ["queues"],
        ["push", "--ids", "-l", "in", "some id"],
        ["dlq", "list"],
        ["doctor"],
        ["check", "--connect"],
    );
    site.configure(&format!("redis: {{url: 'redis+sentinel://a:1'}}\n{}", CONFIG.trim_start()));
    show!(site, "redis-address-without-a-master", ["queues"]);
}

#[test]
fn version() {
    let site = site(CONFIG);
    let (code, said, _) = site.command(&["--version"]);
    assert_eq!((code, said.trim()), (0, concat!("conserver ", env!("CARGO_PKG_VERSION"))));
}
