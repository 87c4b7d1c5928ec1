//! `migrate`, as people and scripts see it. What it does to documents is shown where there is a server with them.

use super::{site, snapshots, transcript};
use crate::site::until;
use conserver_testkit::vcons::Vcons;

const CONFIG: &str = "
conserver: 1
links:
  mark: {module: tag, options: {tags: {seen: yes}}}
chains:
  main: {links: [mark], ingress_lists: [in]}
";

#[test]
fn migrate_looks_first_writes_when_told_and_has_nothing_to_do_then() {
    let site = site(CONFIG);
    let id = site.db.put(&Vcons::new(60).call());
    let mut redis = site.db.connect();
    redis::cmd("ZADD").arg("vcons").arg(5).arg(&id).exec(&mut redis).unwrap();
    redis::cmd("RPUSH").arg("vcon:odd").arg(1).exec(&mut redis).unwrap();
    let mut said = vec![
        transcript(&site, &["migrate"]),
        transcript(&site, &["migrate", "--dry-run", "--json"]),
        transcript(&site, &["migrate", "--dry-run", "--apply"]),
        transcript(&site, &["migrate", "--apply"]),
    ];
    redis::cmd("DEL").arg("vcon:odd").exec(&mut redis).unwrap();
    said.push(transcript(&site, &["migrate", "--apply"]));
    let members: Vec<(String, i64)> =
        redis::cmd("ZRANGE").arg("vcons").arg(0).arg(-1).arg("WITHSCORES").query(&mut redis).unwrap();
    assert_eq!(members, [(format!("vcon:{id}"), 5)]);
    snapshots().bind(|| insta::assert_snapshot!("migrate", said.join("\n")));
}

#[test]
fn migrate_takes_out_ids_whose_document_is_nowhere_when_told() {
    let config =
        CONFIG.replace("chains:", "storages:\n  files: {module: file, options: {path: $DIR/files}}\nchains:");
    let site =
        site(&config.replace("links: [mark]", "links: [mark], storages: [files], egress_lists: [out]"));
    let id = site.push("in", &Vcons::new(60).call());
    let daemon = site.run(1);
    until("it is stored", || site.db.list("out") == [id.as_str()]);
    drop(daemon);
    let mut redis = site.db.connect();
    redis::cmd("DEL").arg(format!("vcon:{id}")).exec(&mut redis).unwrap();
    redis::cmd("ZADD")
        .arg("vcons")
        .arg(5)
        .arg(format!("vcon:{id}"))
        .arg(6)
        .arg("vcon:gone")
        .exec(&mut redis)
        .unwrap();
    redis::cmd("SADD").arg("tel:+1").arg("gone").arg(&id).exec(&mut redis).unwrap();
    let said = [
        transcript(&site, &["migrate", "--prune", "--dry-run"]),
        transcript(&site, &["migrate", "--prune", "--apply"]),
        transcript(&site, &["migrate", "--prune", "--apply"]),
    ];
    let members: Vec<String> = redis::cmd("ZRANGE").arg("vcons").arg(0).arg(-1).query(&mut redis).unwrap();
    assert_eq!(members, [format!("vcon:{id}")]);
    snapshots().bind(|| insta::assert_snapshot!("migrate-prune", said.join("\n")));
}

#[test]
fn migrate_says_where_there_is_no_redis_and_where_it_is_away() {
    let away = site(CONFIG).env("REDIS_URL", "redis://127.0.0.1:1");
    let embedded = site(CONFIG).env("REDIS_URL", "");
    let said = [transcript(&away, &["migrate"]), transcript(&embedded, &["migrate", "--apply"])].join("\n");
    snapshots().bind(|| insta::assert_snapshot!("migrate-elsewhere", said));
}
