//! Redis is killed under load and comes back with its append-only file.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use conserver_core::WorkerId;
use conserver_core::queue::{ClaimRequest, End, Finish, Lane, Lease, Queue, Settlement};
use conserver_testkit::queue_suite::*;
use conserver_testkit::redis::RedisOptions as ServerOptions;

use crate::support::Bench;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_is_doubled() {
    let mut bench = Bench::on(ServerOptions::default(), |_| ()).await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    let (stop, repeated) = (AtomicBool::new(false), AtomicUsize::new(0));
    let faults = async {
        // Four times, and until one of them met a settlement on its way.
        for round in 0..50 {
            if round >= 4 && repeated.load(Ordering::Relaxed) > 0 {
                break;
            }
            passed(&queue, 200).await;
            bench.server.kill();
            bench.server.restart();
        }
        passed(&queue, 200).await;
        stop.store(true, Ordering::Relaxed);
    };
    let (acknowledged, (), ()) =
        tokio::join!(produce(&queue, &stop), run(&queue, &worker, &stop, &repeated), faults);
    assert!(acknowledged.len() > 1000, "{}", acknowledged.len());
    assert!(repeated.load(Ordering::Relaxed) > 0, "no settlement met a dead server");

    let mut out: BTreeMap<String, usize> = BTreeMap::new();
    for id in listed(&queue, "out").await {
        *out.entry(id).or_default() += 1;
    }
    assert!(out.values().all(|count| *count == 1), "an id left twice");
    let lost: Vec<_> = acknowledged.iter().filter(|id| !out.contains_key(*id)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(listed(&queue, "DLQ:in").await.is_empty());
    assert!(queue.holdings(&worker).await.unwrap().is_empty());
}

/// Waits until so many more ids have left.
async fn passed(queue: &Arc<dyn Queue>, more: u64) {
    let left = async || queue.status(&["out".into()]).await.ok().map(|status| status[0].queued);
    let before = until("Redis answers", left).await;
    until("ids pass", async || left().await.filter(|now| *now > before + more)).await;
}

/// Pushes until told to stop; answers the ids whose push was acknowledged.
async fn produce(queue: &Arc<dyn Queue>, stop: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let id = format!("id {n}");
        match queue.push(&"in".into(), &[id.as_str().into()]).await {
            Ok(_) => acknowledged.push(id),
            Err(error) => {
                assert!(error.is_unavailable(), "{error:?}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    acknowledged
}

/// Runs what comes until all is done, and counts how many settlements had to be repeated.
async fn run(queue: &Arc<dyn Queue>, worker: &WorkerId, stop: &AtomicBool, repeated: &AtomicUsize) {
    let lists = shares(&["in"]);
    let request = ClaimRequest { rooms: &[32], lists: &lists, lane: Lane::Main };
    loop {
        renew(queue, worker).await;
        let leases = match queue.claim(worker, &request).await {
            Ok(claimed) if claimed.leases.is_empty() && stop.load(Ordering::Relaxed) => return,
            Ok(claimed) if claimed.leases.is_empty() => {
                queue.arrival(Duration::from_millis(50)).await;
                continue;
            }
            Ok(claimed) => claimed.leases,
            Err(error) => {
                assert!(error.is_unavailable(), "{error:?}");
                held(queue, worker).await
            }
        };
        let batch: Vec<Settlement> = leases.into_iter().map(leaving).collect();
        // Until it is confirmed, whatever happened to the answers.
        while let Err(error) = queue.settle(worker, &batch).await {
            assert!(error.is_unavailable(), "{error:?}");
            repeated.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// What a claim whose answer was lost may have brought.
async fn held(queue: &Arc<dyn Queue>, worker: &WorkerId) -> Vec<Lease> {
    until("Redis answers again", async || queue.holdings(worker).await.ok()).await
}

async fn renew(queue: &Arc<dyn Queue>, worker: &WorkerId) {
    let mut keeper = queue.keeper(worker).expect("there is a keeper");
    // While Redis is away nothing is renewed; the next round tries again.
    let _ = tokio::task::spawn_blocking(move || keeper.renew(Duration::ZERO)).await.expect("no panic");
}

fn leaving(lease: Lease) -> Settlement {
    let egress = vec![("out".into(), lease.entry.id.clone())];
    Settlement::new(lease, End::Finish(Box::new(Finish { egress, ..Finish::default() })))
}
