//! The claim script: retries that wait for a running occurrence, large batches, keys and their ends.

use std::time::Duration;

use conserver_core::queue::{ClaimRequest, Lane};
use conserver_testkit::queue_suite::*;

use crate::support::Bench;

#[tokio::test]
async fn a_due_retry_waits_while_another_occurrence_runs() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a"]).await;
    let lease = claim(&queue, &worker, &["in"], 1).await.pop().unwrap();
    settle(&queue, &worker, &[retried(lease, Duration::from_millis(50), Default::default())]).await;
    // It is free while it waits, so another occurrence runs.
    push(&queue, "in", &["a"]).await;
    let running = claim(&queue, &worker, &["in"], 4).await;
    assert_eq!(ids(&running), ["a"]);
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert!(claim(&queue, &worker, &["in"], 4).await.is_empty());
    assert_eq!(bench.run::<i64>("ZCARD cs:retry:{in}").await, 1);
    finish_all(&queue, &worker, running).await;
    let again = until("its turn comes", async || claim(&queue, &worker, &["in"], 4).await.pop()).await;
    assert_eq!(again.entry.id.as_str(), "a");
}

#[tokio::test]
async fn a_claim_of_any_size_is_served_in_parts() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    let all: Vec<String> = (0..1000).map(|n| format!("id {n}")).collect();
    push(&queue, "in", &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut taken = Vec::new();
    while taken.len() < all.len() {
        let leases = claim(&queue, &worker, &["in"], 100_000).await;
        assert!(!leases.is_empty() && leases.len() <= 256, "{}", leases.len());
        taken.extend(leases);
    }
    assert_eq!(ids(&taken), all);
    let recovered = queue.recover(&worker, &Default::default()).await.unwrap();
    assert_eq!(recovered.returned, 1000);
    assert_eq!(listed(&queue, "in").await, all);
}

#[tokio::test]
async fn an_id_that_is_no_text_is_a_dead_letter_at_once() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a"]).await;
    let garbage = b"no \xff text";
    redis::cmd("RPUSH").arg("in").arg(garbage).exec_async(&mut bench.raw.clone()).await.unwrap();
    push(&queue, "in", &["b"]).await;
    assert_eq!(ids(&claim(&queue, &worker, &["in"], 8).await), ["a", "b"]);
    let dead: Vec<Vec<u8>> = bench.run("LRANGE DLQ:in 0 -1").await;
    assert_eq!(dead, [garbage]);
    // The same where the claim's answer was lost.
    let entry = b"99|\xfe";
    let key = format!("cs:infl:{{in}}:{worker}");
    redis::cmd("RPUSH").arg(&key).arg(entry).exec_async(&mut bench.raw.clone()).await.unwrap();
    assert_eq!(ids(&queue.holdings(&worker).await.unwrap()), ["a", "b"]);
    assert_eq!(bench.run::<i64>("LLEN DLQ:in").await, 2);
    let letters: Vec<Vec<u8>> = bench.run("KEYS cs:dlq:*").await;
    assert_eq!(letters.len(), 2);
}

#[tokio::test]
async fn lengths_tell_what_is_left_and_what_is_no_list() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a", "b", "c"]).await;
    bench.spoil("odd").await;
    let lists = shares(&["in", "odd", "none"]);
    let request = ClaimRequest { rooms: &[2], lists: &lists, lane: Lane::Main };
    let claimed = claim_as(&queue, &worker, &request).await;
    assert_eq!((ids(&claimed.leases), claimed.lengths), (vec!["a", "b"], vec![1, 0, 0]));
}

#[tokio::test]
async fn an_unreadable_record_of_earlier_runs_counts_as_none() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a"]).await;
    let lease = claim(&queue, &worker, &["in"], 1).await.pop().unwrap();
    let token = lease.entry.token.to_string();
    settle(&queue, &worker, &[retried_at_once(lease)]).await;
    bench.words::<i64>(&["HSET", "cs:tries:{in}", &token, "no JSON"]).await;
    let lease = claim(&queue, &worker, &["in"], 1).await.pop().unwrap();
    assert!(lease.tries.is_fresh());
    // Recovery reads it too, and must not fail on it.
    queue
        .recover(&worker, &conserver_core::queue::Strikes { all: true, ..Default::default() })
        .await
        .unwrap();
    assert_eq!(queue.status(&["in".into()]).await.unwrap()[0].suspects, 1);
}
