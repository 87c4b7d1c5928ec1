//! In the place of the Python server: its file, its keys, its ways of queueing.

use std::time::Duration;

use conserver_testkit::postgres::PostgresServer;
use conserver_testkit::proxy::{Proxy, Request};
use conserver_testkit::vcons::Vcons;
use redis::Commands;
use serde_json::json;

use crate::site::{Site, until};

/// As files for the Python server look: module paths, no word about dialects, one after the other.
const REFERENCE: &str = "
links:
  tag:
    module: links.tag
    ingress-lists: []
    egress-lists: []
    options:
      tags: [iron, maiden]
storages:
  file:
    module: storage.file
    options:
      path: $DIR/files
chains:
  sample_chain:
    links: [tag]
    storages: [file]
    ingress_lists: [test_chain_ingress]
    egress_lists: [test_chain_egress]
    enabled: 1
";

#[test]
fn a_file_of_the_python_server_runs_and_one_worker_keeps_the_order() {
    let site = Site::new(REFERENCE);
    let mut vcons = Vcons::new(10);
    let ids: Vec<String> = (0..50).map(|_| site.push("test_chain_ingress", &vcons.call())).collect();
    let _daemon = site.run(1);

    until("all are done", || site.db.len("test_chain_egress") == 50);
    assert_eq!(site.db.list("test_chain_egress"), ids, "first in, first out");
    let document = site.db.document(&ids[7]).unwrap();
    let tags = document["attachments"][0]["body"].as_array().unwrap();
    assert!(tags.contains(&json!("iron:iron")) && tags.contains(&json!("maiden:maiden")), "{tags:?}");
    assert_eq!(site.db.left(), []);
}

#[test]
fn the_order_holds_even_when_replies_to_claims_and_settlements_are_lost() {
    let site = Site::new(REFERENCE);
    let proxy = Proxy::start(site.redis.address());
    let site = site.env("REDIS_URL", proxy.url());
    let mut vcons = Vcons::new(15);
    let ids: Vec<String> = (0..150).map(|_| site.push("test_chain_ingress", &vcons.call())).collect();
    let _daemon = site.run(1);

    for round in 1..=10 {
        let request = if round % 2 == 0 { Request::Settle } else { Request::Claim };
        proxy.lose_reply_of(request);
        until("a reply is lost", || proxy.lost() == round);
        assert!(site.db.in_flight(None) <= 1, "one after the other");
    }
    until("all are done", || site.db.len("test_chain_egress") == 150);
    assert_eq!(site.db.list("test_chain_egress"), ids);
    assert_eq!(site.db.left(), []);
}

#[test]
fn documents_keep_their_time_to_live_and_contexts_travel_along() {
    let site = Site::new(REFERENCE);
    let id = site.db.put(&Vcons::new(11).call());
    let context =
        json!({"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"}).to_string();
    let mut connection = site.db.connect();
    let () = connection.expire(format!("vcon:{id}"), 5000).unwrap();
    let () = connection.rpush(format!("context:test_chain_ingress:{id}"), &context).unwrap();
    let _daemon = site.run(1);
    site.db.push("test_chain_ingress", &[&id]);

    until("it is done", || site.db.list("test_chain_egress") == [id.as_str()]);
    let left: i64 = connection.ttl(format!("vcon:{id}")).unwrap();
    assert!((4900..=5000).contains(&left), "{left} s left");
    assert_eq!(site.db.list(&format!("context:test_chain_egress:{id}")), [context]);
    assert_eq!(site.db.len(&format!("context:test_chain_ingress:{id}")), 0);
}

#[test]
fn a_document_that_has_expired_is_restored_from_a_storage() {
    let site = Site::new(REFERENCE);
    let call = Vcons::new(12).call();
    let _daemon = site.run(1);
    let id = site.push("test_chain_ingress", &call);
    until("it is stored", || site.db.len("test_chain_egress") == 1);
    let before = site.db.document(&id).unwrap();

    let () = site.db.connect().del(format!("vcon:{id}")).unwrap();
    site.db.push("test_chain_ingress", &[&id]);
    until("it is done again", || site.db.len("test_chain_egress") == 2);
    assert_eq!(site.db.document(&id).unwrap(), before);
    let left: i64 = site.db.connect().ttl(format!("vcon:{id}")).unwrap();
    assert!(left > 0, "a restored document expires again");
}

#[test]
fn copies_of_the_storage_on_redis_lie_where_the_python_server_has_them() {
    let config = REFERENCE.replace("module: storage.file", "module: storage.redis_storage");
    let config = config.replace("path: $DIR/files", "prefix: copies\n      expires: 500");
    let site = Site::new(&config);
    let _daemon = site.run(1);
    let id = site.push("test_chain_ingress", &Vcons::new(16).call());
    until("it is stored", || site.db.len("test_chain_egress") == 1);
    let key = format!("copies:{id}");
    let mut connection = site.db.connect();
    let (copy, left): (String, i64) = (connection.get(&key).unwrap(), connection.ttl(&key).unwrap());
    let document = site.db.document(&id).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&copy).unwrap(), document);
    assert!((400..=500).contains(&left), "{left} s left");

    let () = connection.del(format!("vcon:{id}")).unwrap();
    site.db.push("test_chain_ingress", &[&id]);
    until("it is done again", || site.db.len("test_chain_egress") == 2);
    assert_eq!(site.db.document(&id).unwrap(), document);
}

#[test]
fn what_is_nowhere_is_a_plain_dead_letter() {
    let site = Site::new(REFERENCE);
    let _daemon = site.run(1);
    let id = Vcons::new(13).id();
    site.db.push("test_chain_ingress", &[&id]);

    until("it is dead", || site.db.list("DLQ:test_chain_ingress") == [id.as_str()]);
    assert_eq!(site.db.letter("DLQ:test_chain_ingress", &id)["reason"], "missing");
    assert_eq!(site.db.len("test_chain_egress"), 0);
    // A document that comes late is put back to work the way operators of the Python server do it.
    let mut call = Vcons::new(13).call();
    call["uuid"] = json!(id);
    site.db.put(&call);
    let moved: Option<String> =
        site.db.connect().rpoplpush("DLQ:test_chain_ingress", "test_chain_ingress").unwrap();
    assert_eq!(moved.as_deref(), Some(id.as_str()));
    until("it is done", || site.db.list("test_chain_egress") == [id.as_str()]);
}

#[test]
fn a_storage_that_cannot_be_asked_is_no_proof_that_a_document_is_missing() {
    let mut server = PostgresServer::start();
    let database = server.create_database();
    let site = Site::new(&format!(
        "
conserver: 1
storages:
  pg: {{module: postgres, options: {{url: '{}', connect_timeout: 1s}}, retry: {{attempts: 1}}, breaker: {{cooldown: 1s}}}}
chains:
  main: {{storages: [pg], ingress_lists: [in], egress_lists: [out], retry: {{delay: 200ms, max_delay: 1s}}}}
",
        database.url()
    ));
    let _daemon = site.run(1);
    let id = site.push("in", &Vcons::new(14).call());
    until("it is stored", || site.db.len("out") == 1);

    server.stop();
    let () = site.db.connect().del(format!("vcon:{id}")).unwrap();
    site.db.push("in", &[&id]);
    until("it was tried", || site.db.len("in") == 0);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((site.db.len("DLQ:in"), site.db.len("out")), (0, 1), "unreachable is not missing");
    server.restart();
    until("it is done once the storage answers", || site.db.len("out") == 2);
    assert!(site.db.document(&id).is_some());
}
