//! `delivery: at-most-once`: the Python server's `BLPOP`.

use std::time::{Duration, Instant};

use conserver_core::queue::{ClaimRequest, Lane, Settled};
use conserver_redis::Delivery;
use conserver_testkit::queue_suite::*;

use crate::support::Bench;

async fn bench() -> Bench {
    Bench::with(&[], |options| options.delivery = Delivery::AtMostOnce).await
}

#[tokio::test]
async fn what_is_popped_is_gone_from_redis() {
    let bench = bench().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    bench.words::<i64>(&["RPUSH", "context:in:a", "the context"]).await;
    bench.run::<()>("SET vcon:a {}").await;
    push(&queue, "in", &["a", "a"]).await;
    let mut leases = claim(&queue, &worker, &["other", "in"], 4).await;
    leases.extend(claim(&queue, &worker, &["other", "in"], 4).await);
    assert_eq!(ids(&leases), ["a", "a"]);
    assert_eq!((leases[0].context.as_deref(), leases[0].document_bytes), (Some("the context"), Some(2)));
    assert!(leases.iter().all(|lease| lease.entry.is_popped()));
    assert_ne!(leases[0].entry.token, leases[1].entry.token);
    assert!(queue.holdings(&worker).await.unwrap().is_empty());
    assert_eq!(bench.run::<i64>("EXISTS in cs:busy").await, 0);
    // Its end is as of any other.
    let batch =
        [crate::settle::expiring(leases.remove(0), "out"), dead(leases.remove(0), "DLQ:in", "invalid")];
    assert_eq!(settle(&queue, &worker, &batch).await, vec![Settled::Applied; 2]);
    assert_eq!(
        (listed(&queue, "out").await, listed(&queue, "DLQ:in").await),
        (vec!["a".into()], vec!["a".into()])
    );
    assert_eq!(bench.run::<i64>("EXISTS context:in:a").await, 0);
}

#[tokio::test]
async fn what_failed_is_tried_again_all_the_same() {
    let bench = bench().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a", "b"]).await;
    let mut batch = Vec::new();
    for _ in 0..2 {
        batch.push(retried_at_once(claim(&queue, &worker, &["in"], 4).await.pop().unwrap()));
    }
    settle(&queue, &worker, &batch).await;
    assert_eq!(queue.status(&["in".into()]).await.unwrap()[0].delayed, 2);
    let again = claim(&queue, &worker, &["in"], 4).await;
    let mut found = ids(&again);
    found.sort_unstable();
    assert_eq!(found, ["a", "b"]);
    assert!(again.iter().all(|lease| lease.tries.attempt == 1 && !lease.entry.is_popped()));
    finish_all(&queue, &worker, again).await;
}

#[tokio::test]
async fn given_back_ids_stand_at_the_head_again() {
    let bench = bench().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a", "b", "c"]).await;
    let mut batch = Vec::new();
    for _ in 0..2 {
        batch.push(given_back(claim(&queue, &worker, &["in"], 1).await.pop().unwrap()));
    }
    settle(&queue, &worker, &batch).await;
    assert_eq!(listed(&queue, "in").await, ["a", "b", "c"]);
}

#[tokio::test]
async fn paused_lists_full_rooms_and_strangers_pop_nothing() {
    let bench = bench().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a"]).await;
    assert!(claim(&queue, &worker, &["in"], 0).await.is_empty());
    queue.set_paused(&"in".into(), true).await.unwrap();
    assert!(claim(&queue, &worker, &["in"], 1).await.is_empty());
    queue.set_paused(&"in".into(), false).await.unwrap();
    assert!(claim(&queue, &info(false, "here").id, &["in"], 1).await.is_empty());
    assert_eq!(listed(&queue, "in").await, ["a"]);
    assert_eq!(ids(&claim(&queue, &worker, &["in"], 1).await), ["a"]);
}

#[tokio::test]
async fn an_idle_pop_waits_to_its_end_and_a_push_ends_it() {
    let bench = bench().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    let lists = shares(&["in"]);
    let request = ClaimRequest { rooms: &[1], lists: &lists, lane: Lane::Main };
    let start = Instant::now();
    let short = Duration::from_millis(300);
    assert!(claim_within(&queue, &worker, &request, short).await.leases.is_empty());
    assert!(start.elapsed() >= short);
    let long = claim_within(&queue, &worker, &request, Duration::from_secs(60));
    let (claimed, _) = tokio::join!(long, push(&queue, "in", &["a"]));
    assert_eq!(ids(&claimed.leases), ["a"]);
}
