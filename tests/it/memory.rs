//! A Redis that is out of memory refuses what would take more of it. Scripts and transactions are refused whole, so
//! that nothing is lost and nothing is done twice, whatever they were about to do.

use std::time::Duration;

use conserver_testkit::vcons::Vcons;
use redis::{Commands, RedisResult};

use crate::site::{Site, until};

const CONFIG: &str = "
conserver: 1
links:
  mark: {module: tag, options: {tags: {seen: first}}}
  again: {module: tag, options: {tags: {seen: second}}}
storages:
  files: {module: file, options: {path: $DIR/files}}
chains:
  first: {links: [mark], storages: [files], ingress_lists: [in], egress_lists: [between]}
  second: {links: [again], ingress_lists: [between], egress_lists: [out]}
";

/// Sets how much memory Redis may use, in bytes; 0: no limit.
fn limit(site: &Site, bytes: usize) {
    let set: RedisResult<()> =
        site.db.attempt(|redis| redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(bytes).query(redis));
    set.expect("Redis takes settings");
}

#[test]
fn a_redis_out_of_memory_holds_everything_back_and_loses_nothing() {
    let site = Site::new(CONFIG);
    let mut vcons = Vcons::new(60);
    // Small ones go with the scripts, larger ones follow them, the largest are staged in parts.
    let mut ids: Vec<String> = (0..1500).map(|_| site.db.put(&vcons.call())).collect();
    ids.extend((0..60).map(|_| site.db.put(&vcons.with_audio(60_000))));
    ids.extend((0..12).map(|_| site.db.put(&vcons.with_audio(1_500_000))));
    let daemon = site.run(2);
    until("the workers are there", || site.db.workers(None).len() == 2);
    let mut waiting = ids.as_slice();
    let mut refused = 0;
    while !waiting.is_empty() {
        let (now, later) = waiting.split_at(waiting.len().min(160));
        site.db.push("in", &now.iter().map(String::as_str).collect::<Vec<_>>());
        waiting = later;
        std::thread::sleep(Duration::from_millis(20));
        limit(&site, 1);
        // Once for longer than a lease, which cannot be renewed meanwhile.
        let lasts = if refused == 3 { Duration::from_secs(8) } else { Duration::from_millis(200) };
        std::thread::sleep(lasts);
        let set: RedisResult<()> = site.db.attempt(|redis| redis.set("other", "value"));
        refused += usize::from(set.is_err());
        limit(&site, 0);
    }
    assert!(refused > 0, "Redis was out of memory");
    until("everything is through", || site.db.len("out") >= ids.len());
    drop(daemon);

    let mut out = site.db.list("out");
    out.sort();
    ids.sort();
    assert!(out == ids, "each comes out once: {} of {}", out.len(), ids.len());
    for id in &ids {
        let tags = site.db.document(id).expect("its document is there").to_string();
        assert!(tags.contains("seen:first") && tags.contains("seen:second"), "{id}: {tags:.500}");
    }
    assert_eq!(site.db.keys("DLQ:*"), Vec::<String>::new());
    assert_eq!(site.db.left(), []);
}
