//! The same id many times: in one list, in two, beside a consumer that knows nothing of us.

use std::collections::BTreeMap;
use std::time::Duration;

use conserver_core::queue::{ClaimRequest, Lane, Queue};
use conserver_testkit::queue_suite::*;

use crate::support::{Bench, ask, connect};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_python_worker_beside_us_takes_some_and_none_is_lost() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let (one, two) = (worker(&queue).await, worker(&queue).await);
    let names = ["a", "b", "c", "d", "e"];
    for round in 0..60 {
        push(&queue, ["in", "other"][round % 2], &names).await;
    }
    let url = bench.server.url();
    let python = tokio::spawn(async move {
        let raw = connect(&url).await;
        let mut popped = Vec::new();
        // It ends when both lists stay empty, with what we parked back on them.
        while let Some((_, id)) =
            ask::<Option<(String, String)>>(&raw, &["BLPOP", "other", "in", "0.3"]).await
        {
            popped.push(id);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        popped
    });
    let mut ran: BTreeMap<String, usize> = BTreeMap::new();
    let mut idle = 0;
    while idle < 100 || !python.is_finished() {
        let mut running = Vec::new();
        for worker in [&one, &two] {
            running.push((worker, claim(&queue, worker, &["in", "other"], 3).await));
        }
        let mut now: Vec<&str> = running.iter().flat_map(|(_, leases)| ids(leases)).collect();
        let count = now.len();
        now.sort_unstable();
        now.dedup();
        assert_eq!(now.len(), count, "an id runs once at a time");
        for id in now {
            *ran.entry(id.to_owned()).or_default() += 1;
        }
        idle = if count == 0 { idle + 1 } else { 0 };
        for (worker, leases) in running {
            finish_all(&queue, worker, leases).await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let popped = python.await.unwrap();
    assert!(!popped.is_empty() && !ran.is_empty());
    for id in popped {
        *ran.entry(id).or_default() += 1;
    }
    assert_eq!(ran, names.iter().map(|name| ((*name).to_owned(), 60)).collect());
    assert_eq!(bench.run::<i64>("EXISTS cs:parked cs:busy").await, 0);
}

#[tokio::test]
async fn thousands_of_one_id_do_not_hide_what_is_behind_them() {
    // Without hints: the list is named like the beginning of documents.
    let bench = Bench::with(&[], |options| options.poll = Duration::from_secs(60)).await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    push(&queue, "vcon", &vec!["hot"; 5000]).await;
    push(&queue, "vcon", &["cold"]).await;
    let first = claim(&queue, &worker, &["vcon"], 8).await;
    assert_eq!(ids(&first), ["hot"]);
    let lists = shares(&["vcon"]);
    let request = ClaimRequest { rooms: &[8], lists: &lists, lane: Lane::Main };
    let second = tokio::time::timeout(Duration::from_secs(20), claim_as(&queue, &worker, &request)).await;
    let second = second.expect("what is parked is passed over at once").leases;
    assert_eq!(ids(&second), ["cold"]);
    assert_eq!(queue.status(&["vcon".into()]).await.unwrap()[0].parked, 4999);
    finish_all(&queue, &worker, first).await;
    assert_eq!(listed(&queue, "vcon").await.len(), 4999);
    assert_eq!(bench.redis.holdings(&worker).await.unwrap().len(), 1);
}
