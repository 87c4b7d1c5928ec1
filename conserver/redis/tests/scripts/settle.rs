//! The settle script: contexts, staged documents, order within a batch.

use std::time::Duration;

use conserver_core::link::Effect;
use conserver_core::queue::{End, Finish, Lease, Settled, Settlement};
use conserver_core::store::{DocumentWrite, Encoding, VconStore};
use conserver_testkit::queue_suite::*;

use crate::support::Bench;

/// An end that uses everything a script can: a document, a push with context, and an expiry.
pub(crate) fn expiring(lease: Lease, list: &str) -> Settlement {
    let id = lease.entry.id.clone();
    let document = DocumentWrite { id: id.clone(), json: "{}".into(), encoding: Encoding::Text };
    let finish = Finish {
        documents: vec![document],
        effects: vec![Effect::ExpireAfter(Duration::from_secs(100))],
        expires: Some(id.clone()),
        egress: vec![(list.into(), id)],
        context: Some("{}".to_owned()),
        ..Finish::default()
    };
    Settlement::new(lease, End::Finish(Box::new(finish)))
}

pub(crate) fn writing(lease: Lease, json: &str) -> Settlement {
    let document =
        DocumentWrite { id: lease.entry.id.clone(), json: json.to_owned().into(), encoding: Encoding::Text };
    Settlement::new(lease, End::Finish(Box::new(Finish { documents: vec![document], ..Finish::default() })))
}

#[tokio::test]
async fn each_occurrence_takes_one_context_with_it() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    for n in 1..=3 {
        bench.words::<i64>(&["RPUSH", "context:in:a", &format!("context {n}")]).await;
        push(&queue, "in", &["a"]).await;
    }
    for n in 1..=3 {
        let lease = claim(&queue, &worker, &["in"], 4).await.pop().unwrap();
        assert_eq!(lease.context, Some(format!("context {n}")));
        // Neither a retry nor a give-back uses it up.
        settle(&queue, &worker, &[given_back(lease)]).await;
        let lease = claim(&queue, &worker, &["in"], 4).await.pop().unwrap();
        assert_eq!(lease.context, Some(format!("context {n}")));
        let batch = [finished(lease)];
        settle(&queue, &worker, &batch).await;
        assert_eq!(settle(&queue, &worker, &batch).await, [Settled::Gone]);
        assert_eq!(bench.run::<i64>("LLEN context:in:a").await, 3 - n);
    }
}

#[tokio::test]
async fn a_context_stays_with_its_id_through_a_retry() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    bench.words::<i64>(&["RPUSH", "context:in:a", "the context"]).await;
    push(&queue, "in", &["a"]).await;
    let lease = claim(&queue, &worker, &["in"], 1).await.pop().unwrap();
    settle(&queue, &worker, &[retried_at_once(lease)]).await;
    let lease = claim(&queue, &worker, &["in"], 1).await.pop().unwrap();
    assert_eq!((lease.context.as_deref(), lease.tries.attempt), (Some("the context"), 1));
    finish_all(&queue, &worker, vec![lease]).await;
    assert_eq!(bench.run::<i64>("EXISTS context:in:a cs:tries:{in} cs:retry:{in}").await, 0);
}

#[tokio::test]
async fn nothing_of_ours_is_left_when_all_is_done() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    let lists = ["in", "{x}y", "a}b{", "per%cent", "naïve 名前", "new\nline"];
    for list in lists {
        push(&queue, list, &["a", "b", "a", "bar|bar", "line\nline"]).await;
    }
    let mut runs = 0;
    until("all is done", async || {
        let leases = claim(&queue, &worker, &lists, 16).await;
        runs += leases.len();
        let mut batch = Vec::new();
        for (n, lease) in leases.into_iter().enumerate() {
            let again = n % 3 == 0 && lease.tries.is_fresh();
            runs -= usize::from(again);
            batch.push(if again { retried_at_once(lease) } else { finished(lease) });
        }
        settle(&queue, &worker, &batch).await;
        (runs == 5 * lists.len()).then_some(())
    })
    .await;
    queue.recover(&worker, &Default::default()).await.unwrap();
    let left: Vec<String> = bench.snapshot().await.into_keys().collect();
    assert_eq!(left, ["cs:seq"]);
}

#[tokio::test]
async fn a_large_document_survives_the_loss_of_its_staged_copy() {
    for bench in Bench::both().await {
        let queue = bench.queue();
        let worker = worker(&queue).await;
        bench.words::<()>(&["SET", "vcon:a", "{}", "PX", "600000"]).await;
        push(&queue, "in", &["a"]).await;
        let lease = claim(&queue, &worker, &["in"], 1).await.pop().unwrap();
        let large = format!("\"{}\"", "x".repeat(300_000));
        // A checkpoint of it first, and again.
        let document = DocumentWrite { id: "a".into(), json: large.clone().into(), encoding: Encoding::Text };
        for _ in 0..2 {
            assert!(bench.redis.checkpoint(&worker, &lease.entry, &document).await.unwrap());
        }
        let batch = [writing(lease, &large)];
        for expected in [Settled::Applied, Settled::Gone, Settled::Gone] {
            assert_eq!(settle(&queue, &worker, &batch).await, [expected]);
        }
        assert_eq!(bench.run::<String>("GET vcon:a").await, large);
        let left: i64 = bench.run("PTTL vcon:a").await;
        assert!(left > 540_000 && left <= 600_000, "{left}");
        assert!(bench.run::<Vec<String>>("KEYS cs:new:*").await.is_empty());
    }
}

#[tokio::test]
async fn a_large_document_does_not_overwrite_something_else() {
    for bench in Bench::both().await {
        let queue = bench.queue();
        let worker = worker(&queue).await;
        push(&queue, "in", &["a", "b"]).await;
        bench.words::<i64>(&["HSET", "vcon:a", "not", "ours"]).await;
        let large = format!("\"{}\"", "x".repeat(300_000));
        let batch: Vec<_> = claim(&queue, &worker, &["in"], 2)
            .await
            .into_iter()
            .map(|lease| writing(lease, &large))
            .collect();
        let settled = settle(&queue, &worker, &batch).await;
        assert!(
            matches!(&settled[0], Settled::Refused(says) if says.contains("`vcon:a` holds a hash")),
            "{settled:?}"
        );
        assert_eq!(settled[1], Settled::Applied);
        assert_eq!(bench.run::<String>("HGET vcon:a not").await, "ours");
        assert!(bench.run::<Vec<String>>("KEYS cs:new:*").await.is_empty());
    }
}

#[tokio::test]
async fn a_document_that_expired_in_the_middle_of_its_run_does_not_live_for_ever() {
    for bench in Bench::both().await {
        let queue = bench.queue();
        let worker = worker(&queue).await;
        for (id, size) in [("small", 10), ("large", 300_000)] {
            push(&queue, "in", &[id]).await;
            let lease = claim(&queue, &worker, &["in"], 1).await.pop().unwrap();
            settle(&queue, &worker, &[writing(lease, &"x".repeat(size))]).await;
            let left: i64 = bench.words(&["PTTL", &format!("vcon:{id}")]).await;
            assert!(left > 3_500_000 && left <= 3_600_000, "{id}: {left}");
        }
    }
}

#[tokio::test]
async fn scripts_are_loaded_again_after_they_were_lost() {
    for bench in Bench::both().await {
        let queue = bench.queue();
        let worker = worker(&queue).await;
        for size in [10, 300_000] {
            push(&queue, "in", &["a"]).await;
            bench.run::<()>("SCRIPT FLUSH").await;
            let lease = claim(&queue, &worker, &["in"], 1).await.pop().unwrap();
            bench.run::<()>("SCRIPT FLUSH").await;
            let document = DocumentWrite { id: "a".into(), json: "{}".into(), encoding: Encoding::Text };
            assert!(bench.redis.checkpoint(&worker, &lease.entry, &document).await.unwrap());
            bench.run::<()>("SCRIPT FLUSH").await;
            assert_eq!(
                settle(&queue, &worker, &[writing(lease, &"x".repeat(size))]).await,
                [Settled::Applied]
            );
        }
    }
}
