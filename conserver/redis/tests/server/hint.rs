//! How soon a push is noticed.

use std::time::{Duration, Instant};

use conserver_core::queue::{ClaimRequest, Lane};
use conserver_testkit::queue_suite::*;

use crate::support::{Bench, ask};

/// Longer than every bound.
const HOUR: Duration = Duration::from_secs(3600);

/// A poll that would break every bound: what wakes the claim is the hint.
async fn without_poll() -> Bench {
    Bench::with(&[], |options| options.poll = HOUR).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_to_any_of_fifty_idle_lists_wakes_the_claim() {
    let bench = without_poll().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    let names: Vec<String> = (0..50).map(|n| format!("list {n}")).collect();
    let lists = shares(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let request = ClaimRequest { rooms: &[4], lists: &lists, lane: Lane::Main };
    let mut waits = Vec::new();
    for round in 0..100 {
        let list = &names[round * 7 % names.len()];
        let producer = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let start = Instant::now();
            ask::<i64>(&bench.raw, &["RPUSH", list, "a"]).await;
            start
        };
        let both = async { tokio::join!(claim_within(&queue, &worker, &request, HOUR), producer) };
        let (claimed, start) =
            tokio::time::timeout(Duration::from_secs(60), both).await.expect("the hint comes");
        waits.push(start.elapsed());
        finish_all(&queue, &worker, claimed.leases).await;
    }
    waits.sort();
    report(&format!("from push to claim over 50 lists: median {:?}, 99th of 100 {:?}", waits[50], waits[98]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_new_to_the_worker_is_watched_too() {
    let bench = without_poll().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    for list in ["a", "ab", "b", "a b"] {
        let lists = shares(&[list]);
        let request = ClaimRequest { rooms: &[4], lists: &lists, lane: Lane::Main };
        let producer = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            push(&queue, list, &["x"]).await
        };
        let both = async { tokio::join!(claim_within(&queue, &worker, &request, HOUR), producer) };
        let (claimed, _) = tokio::time::timeout(Duration::from_secs(60), both).await.expect("the hint comes");
        finish_all(&queue, &worker, claimed.leases).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hints_come_back_after_the_connection_was_cut() {
    let bench = without_poll().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    let lists = shares(&["in"]);
    let request = ClaimRequest { rooms: &[4], lists: &lists, lane: Lane::Main };
    for _ in 0..2 {
        let producer = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            bench.run::<i64>("CLIENT KILL TYPE normal SKIPME yes").await;
            bench.run::<i64>("RPUSH in x").await
        };
        // The claims' own connection is cut as well: then one is an error, and the next one works.
        let consumer = async {
            loop {
                match queue.claim(&worker, &request).await {
                    Ok(claimed) if claimed.leases.is_empty() => queue.arrival(HOUR).await,
                    Ok(claimed) => break claimed.leases,
                    Err(error) => assert!(error.is_unavailable(), "{error:?}"),
                }
            }
        };
        let both = async { tokio::join!(consumer, producer) };
        let (leases, _) = tokio::time::timeout(Duration::from_secs(60), both).await.expect("the hint comes");
        finish_all(&queue, &worker, leases).await;
    }
}

#[tokio::test]
async fn without_hints_the_poll_finds_what_came() {
    // A list that is named like the beginning of documents gets no hints.
    let bench = Bench::new().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    let lists = shares(&["vcon"]);
    let request = ClaimRequest { rooms: &[4], lists: &lists, lane: Lane::Main };
    let producer = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        push(&queue, "vcon", &["x"]).await
    };
    let (claimed, _) = tokio::join!(claim_within(&queue, &worker, &request, HOUR), producer);
    assert_eq!(ids(&claimed.leases), ["x"]);
}

/// Figures are told, not asserted: a busy machine proves nothing.
#[expect(clippy::print_stderr, reason = "shown with --nocapture")]
fn report(figures: &str) {
    eprintln!("{figures}");
}
