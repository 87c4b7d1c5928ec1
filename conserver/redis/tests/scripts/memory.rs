//! A Redis that takes no more writes: nothing is lost, nothing is half done, nobody is dead-lettered.

use conserver_core::ErrorKind;
use conserver_core::queue::{Queue, Settled};
use conserver_testkit::queue_suite::*;

use crate::support::Bench;

async fn assert_waits_for(bench: &Bench, deny: &str, allow: &str, says: &str) {
    bench.run::<()>("FLUSHALL").await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["done", "retry", "dead", "back", "dead", "waits"]).await;
    let leases = claim(&queue, &worker, &["in"], 5).await;
    let mut batches = Vec::new();
    for lease in leases {
        batches.push(match lease.entry.id.as_str() {
            "done" => crate::settle::expiring(lease, "out"),
            "retry" => retried_at_once(lease),
            "dead" => dead(lease, "DLQ:in", "invalid"),
            _ => given_back(lease),
        });
    }
    bench.run::<()>(deny).await;
    let before = bench.snapshot().await;
    for settlement in &batches {
        let error = queue.settle(&worker, std::slice::from_ref(settlement)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.chain().contains(says), "{error:?}");
    }
    let error = queue.settle(&worker, &batches).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    let lists = shares(&["in"]);
    let request = conserver_core::queue::ClaimRequest {
        rooms: &[4],
        lists: &lists,
        lane: conserver_core::queue::Lane::Main,
    };
    let error = bench.redis.claim(&worker, &request).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert_eq!(bench.snapshot().await, before);
    bench.run::<()>(allow).await;
    assert_eq!(settle(&queue, &worker, &batches).await, vec![Settled::Applied; 4]);
    assert_eq!(listed(&queue, "in").await, ["back", "dead", "waits"]);
}

#[tokio::test]
async fn a_full_memory_is_waited_for() {
    let bench = Bench::new().await;
    assert_waits_for(&bench, "CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "out of memory").await;
}

#[tokio::test]
async fn too_few_replicas_are_waited_for() {
    let bench = Bench::new().await;
    let (deny, allow) = ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0");
    assert_waits_for(&bench, deny, allow, "too few replicas").await;
}

#[tokio::test]
async fn a_replica_is_waited_for() {
    let bench = Bench::new().await;
    let (deny, allow) = ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE");
    assert_waits_for(&bench, deny, allow, "replica").await;
}
