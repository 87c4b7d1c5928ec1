//! The way back: what lost workers hold, and marks without an owner.

use conserver_core::queue::Strikes;
use conserver_testkit::queue_suite::*;

use crate::support::Bench;

#[tokio::test]
async fn what_an_unregistered_worker_holds_returns() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let (lost, live) = (worker(&queue).await, worker(&queue).await);
    push(&queue, "in", &["a", "b", "a", "c"]).await;
    claim(&queue, &lost, &["in"], 3).await;
    claim(&queue, &live, &["in"], 1).await;
    bench.words::<i64>(&["ZREM", "cs:workers", lost.as_str()]).await;
    // A mark whose in-flight list is gone as well.
    bench.words::<i64>(&["HSET", "cs:busy", "x", "a worker of long ago"]).await;
    push(&queue, "in", &["x"]).await;
    assert_eq!(bench.redis.strays().await.unwrap().len(), 2);
    let drained = queue.drain(&["in".into()]).await.unwrap();
    assert_eq!((drained.abandoned, drained.parked), (2, 0));
    assert_eq!(listed(&queue, "in").await, ["a", "b", "a", "x"]);
    assert_eq!(bench.redis.strays().await.unwrap().len(), 0);
    assert_eq!(ids(&queue.holdings(&live).await.unwrap()), ["c"]);
}

#[tokio::test]
async fn a_lease_that_ended_long_ago_is_abandoned_once_redis_has_been_up_for_as_long() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let lost = worker(&queue).await;
    push(&queue, "in", &["a"]).await;
    claim(&queue, &lost, &["in"], 1).await;
    bench.words::<i64>(&["ZADD", "cs:workers", "1000", lost.as_str()]).await;
    // Redis has just started: perhaps it was away, and the worker could not renew.
    assert_eq!(queue.drain(&["in".into()]).await.unwrap().abandoned, 0);
    let drained = until("Redis has been up for two leases", async || {
        let drained = queue.drain(&["in".into()]).await.unwrap();
        (drained.abandoned > 0).then_some(drained)
    })
    .await;
    assert_eq!(drained.abandoned, 1);
    assert_eq!(listed(&queue, "in").await, ["a"]);
}

#[tokio::test]
async fn many_ids_return_page_by_page_in_order() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    let all: Vec<String> = (0..2500).map(|n| format!("id {n:04}")).collect();
    push(&queue, "in", &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for round in 0.. {
        let leases = claim(&queue, &worker, &["in"], 256).await;
        if leases.is_empty() {
            break;
        }
        let after = std::time::Duration::from_secs(3600 + round);
        let batch: Vec<_> =
            leases.into_iter().map(|lease| retried(lease, after, Default::default())).collect();
        settle(&queue, &worker, &batch).await;
    }
    let drained = queue.drain(&["in".into()]).await.unwrap();
    assert_eq!(drained.delayed, 2500);
    let left = listed(&queue, "in").await;
    assert_eq!(left.len(), 2500);
    // The one due first stands first; those of one instant in the order of their tokens as texts.
    assert_eq!(left[0][..5], all[0][..5]);
    let mut sorted = left.clone();
    sorted.sort();
    assert_eq!(sorted, all);
    assert_eq!(queue.recover(&worker, &Strikes::none()).await.unwrap().returned, 0);
}
