//! Keys of ours that hold something else: the place is named, nothing is lost, the rest goes on.

use conserver_core::ErrorKind;
use conserver_core::queue::{ClaimRequest, Claimed, Lane, Queue, Settled, Strikes};
use conserver_testkit::queue_suite::*;

use crate::support::Bench;

async fn claim_all(
    bench: &Bench,
    worker: &conserver_core::WorkerId,
    lane: Lane,
) -> conserver_core::Result<Claimed> {
    let lists = shares(&["in", "other"]);
    let request = ClaimRequest { rooms: &[8], lists: &lists, lane };
    bench.redis.claim(worker, &request).await
}

fn assert_names(error: &conserver_core::Error, key: &str) {
    assert_eq!(error.kind(), ErrorKind::WrongType, "{error:?}");
    // No vCon is to blame: whoever holds one waits until somebody mended the key.
    assert!(error.is_unavailable(), "{error:?}");
    assert!(error.chain().contains(&format!("`{key}`")), "{error:?} does not name `{key}`");
}

#[tokio::test]
async fn a_claim_that_cannot_read_a_shared_key_changes_nothing() {
    let bench = Bench::new().await;
    for key in ["cs:workers", "cs:paused", "cs:busy"] {
        bench.run::<()>("FLUSHALL").await;
        let worker = worker(&bench.queue()).await;
        push(&bench.queue(), "in", &["a", "b"]).await;
        push(&bench.queue(), "other", &["c"]).await;
        bench.spoil(key).await;
        let before = bench.snapshot().await;
        match claim_all(&bench, &worker, Lane::Main).await {
            Err(error) => assert_names(&error, key),
            Ok(claimed) => {
                assert!(claimed.leases.is_empty());
                assert!(
                    claimed.problems.iter().all(|(_, says)| says.contains(&format!("`{key}`"))),
                    "{claimed:?}"
                );
                assert_eq!(claimed.problems.len(), 2, "{key}");
            }
        }
        assert_eq!(bench.snapshot().await, before, "{key}");
    }
}

#[tokio::test]
async fn a_claim_passes_over_a_list_whose_keys_are_spoilt() {
    let bench = Bench::new().await;
    for spoilt in ["cs:retry:{in}", "cs:infl:{in}:WORKER", "cs:tries:{in}"] {
        bench.run::<()>("FLUSHALL").await;
        let queue = bench.queue();
        let worker = worker(&queue).await;
        let key = spoilt.replace("WORKER", worker.as_str());
        // One due retry and one new id on each list.
        push(&queue, "in", &["r1"]).await;
        push(&queue, "other", &["r2"]).await;
        let failed: Vec<_> =
            claim(&queue, &worker, &["in", "other"], 8).await.into_iter().map(retried_at_once).collect();
        settle(&queue, &worker, &failed).await;
        push(&queue, "in", &["n1"]).await;
        push(&queue, "other", &["n2"]).await;
        bench.spoil(&key).await;

        let claimed = claim_all(&bench, &worker, Lane::Main).await.unwrap();
        let named: Vec<_> = claimed.problems.iter().map(|(list, _)| list.as_str()).collect();
        assert_eq!(named, ["in"], "{key}");
        assert!(claimed.problems[0].1.contains(&format!("`{key}`")), "{claimed:?}");
        let mut taken = ids(&claimed.leases);
        taken.sort_unstable();
        // A list whose delayed ids cannot be read still hands out new ones.
        let expected: &[&str] = if key.contains("infl") { &["n2", "r2"] } else { &["n1", "n2", "r2"] };
        assert_eq!(taken, expected, "{key}");
        if key.contains("infl") {
            assert_eq!(listed(&queue, "in").await, ["n1"]);
        }
        let held = queue.holdings(&worker).await.unwrap();
        assert_eq!(held.len(), expected.len());
        finish_all(&queue, &worker, held).await;
    }
}

#[tokio::test]
async fn a_counter_that_is_none_stops_claims_and_loses_nothing() {
    let bench = Bench::new().await;
    let worker = worker(&bench.queue()).await;
    push(&bench.queue(), "in", &["a", "b"]).await;
    bench.spoil("cs:seq").await;
    let before = bench.snapshot().await;
    let claimed = claim_all(&bench, &worker, Lane::Main).await.unwrap();
    assert!(claimed.leases.is_empty());
    assert!(claimed.problems[0].1.contains("`cs:seq`"), "{claimed:?}");
    assert_eq!(bench.snapshot().await, before);
    bench.run::<i64>("DEL cs:seq").await;
    assert_eq!(claim_all(&bench, &worker, Lane::Main).await.unwrap().leases.len(), 2);
}

#[tokio::test]
async fn parked_ids_that_cannot_be_noted_stay_on_their_list() {
    let bench = Bench::new().await;
    let worker = worker(&bench.queue()).await;
    push(&bench.queue(), "in", &["a", "a"]).await;
    push(&bench.queue(), "other", &["c"]).await;
    bench.spoil("cs:parked").await;
    let claimed = claim_all(&bench, &worker, Lane::Main).await.unwrap();
    assert_eq!(ids(&claimed.leases), ["c"]);
    assert!(claimed.problems[0].1.contains("`cs:parked`"), "{claimed:?}");
    assert_eq!(listed(&bench.queue(), "in").await, ["a", "a"]);
}

#[tokio::test]
async fn a_settlement_that_cannot_read_a_shared_key_changes_nothing_and_is_repeated() {
    for bench in Bench::both().await {
        for key in ["cs:busy", "cs:parked", "cs:expiring"] {
            bench.run::<()>("FLUSHALL").await;
            let queue = bench.queue();
            let worker = worker(&queue).await;
            push(&queue, "in", &["a", "b"]).await;
            let leases = claim(&queue, &worker, &["in"], 2).await;
            let batch: Vec<_> =
                leases.into_iter().map(|lease| crate::settle::expiring(lease, "out")).collect();
            let kept = bench.snapshot().await;
            bench.spoil(key).await;
            let before = bench.snapshot().await;
            let error = queue.settle(&worker, &batch).await.unwrap_err();
            assert_names(&error, key);
            assert_eq!(bench.snapshot().await, before, "{key}");
            // Mended: what was in the key is back, and the same call goes through.
            bench.run::<i64>(&format!("DEL {key}")).await;
            if kept.contains_key(key) {
                for id in ["a", "b"] {
                    bench.words::<i64>(&["HSET", key, id, worker.as_str()]).await;
                }
            }
            assert_eq!(settle(&queue, &worker, &batch).await, vec![Settled::Applied; 2]);
            assert_eq!(listed(&queue, "out").await, ["a", "b"]);
        }
    }
}

#[tokio::test]
async fn a_retry_that_cannot_be_noted_is_a_dead_letter_and_the_rest_goes_on() {
    let bench = Bench::new().await;
    for key in ["cs:retry:{in}", "cs:tries:{in}"] {
        bench.run::<()>("FLUSHALL").await;
        let queue = bench.queue();
        let worker = worker(&queue).await;
        push(&queue, "in", &["a"]).await;
        push(&queue, "other", &["b"]).await;
        let batch: Vec<_> =
            claim(&queue, &worker, &["in", "other"], 2).await.into_iter().map(retried_at_once).collect();
        bench.spoil(key).await;
        let settled = settle(&queue, &worker, &batch).await;
        assert!(matches!(&settled[0], Settled::Refused(says) if says.contains(key)), "{settled:?}");
        assert_eq!(settled[1], Settled::Applied);
        assert_eq!(listed(&queue, "DLQ:in").await, ["a"]);
        assert_eq!(queue.holdings(&worker).await.unwrap().len(), 0);
    }
}

#[tokio::test]
async fn an_in_flight_list_that_was_overwritten_loses_no_run_that_goes_on() {
    for bench in Bench::both().await {
        let queue = bench.queue();
        let worker = worker(&queue).await;
        push(&queue, "in", &["done", "back"]).await;
        let mut leases = claim(&queue, &worker, &["in"], 2).await;
        bench.spoil(&format!("cs:infl:{{in}}:{worker}")).await;
        let batch =
            [given_back(leases.pop().unwrap()), crate::settle::expiring(leases.pop().unwrap(), "out")];
        assert_eq!(settle(&queue, &worker, &batch).await, vec![Settled::Applied; 2]);
        assert_eq!(
            (listed(&queue, "in").await, listed(&queue, "out").await),
            (vec!["back".into()], vec!["done".into()])
        );
        assert_eq!(settle(&queue, &worker, &batch).await, vec![Settled::Gone; 2]);
    }
}

#[tokio::test]
async fn a_recovery_that_cannot_read_a_shared_key_changes_nothing() {
    let bench = Bench::new().await;
    for key in ["cs:busy", "cs:parked", "cs:workers", "cs:wl:WORKER", "cs:w:WORKER"] {
        bench.run::<()>("FLUSHALL").await;
        let queue = bench.queue();
        let worker = worker(&queue).await;
        push(&queue, "in", &["a", "b", "a"]).await;
        claim(&queue, &worker, &["in"], 3).await;
        let key = key.replace("WORKER", worker.as_str());
        bench.spoil(&key).await;
        let before = bench.snapshot().await;
        let error = queue.recover(&worker, &Strikes::none()).await.unwrap_err();
        assert_names(&error, &key);
        assert_eq!(bench.snapshot().await, before, "{key}");
    }
}

#[tokio::test]
async fn a_suspect_that_cannot_be_noted_is_a_dead_letter() {
    let bench = Bench::new().await;
    for key in ["cs:suspect:{in}", "cs:tries:{in}"] {
        bench.run::<()>("FLUSHALL").await;
        let queue = bench.queue();
        let worker = worker(&queue).await;
        push(&queue, "in", &["a", "b"]).await;
        let leases = claim(&queue, &worker, &["in"], 2).await;
        bench.spoil(key).await;
        let strikes =
            Strikes { tokens: vec![leases[0].entry.token], signal: "SIGSEGV".into(), ..Strikes::default() };
        queue.recover(&worker, &strikes).await.unwrap();
        assert_eq!(
            (listed(&queue, "in").await, listed(&queue, "DLQ:in").await),
            (vec!["b".into()], vec!["a".into()])
        );
        let worker = lane_worker(&queue, "here").await;
        let claimed = claim_all(&bench, &worker, Lane::Suspects).await.unwrap();
        assert_eq!(claimed.problems.len(), usize::from(key.contains("suspect")), "{claimed:?}");
    }
}

#[tokio::test]
async fn a_lane_lock_that_is_none_is_taken() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let (first, lane) = (worker(&queue).await, lane_worker(&queue, "here").await);
    push(&queue, "in", &["a"]).await;
    claim(&queue, &first, &["in"], 1).await;
    queue
        .recover(&first, &Strikes { all: true, signal: "SIGSEGV".into(), ..Strikes::default() })
        .await
        .unwrap();
    bench.spoil("cs:lane:here").await;
    assert_eq!(ids(&claim_suspect(&queue, &lane, &["in"]).await), ["a"]);
}

#[tokio::test]
async fn registering_renewing_draining_and_sweeping_name_the_key() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    for key in ["cs:workers", "cs:busy", "cs:parked", "cs:retry:{in}", "cs:suspect:{in}", "cs:sweeper"] {
        bench.run::<()>("FLUSHALL").await;
        bench.spoil(key).await;
        let errors = [
            queue.register(&info(false, "here")).await.err(),
            queue.drain(&["in".into()]).await.err(),
            queue.sweep(&["in".into()], &[]).await.err(),
        ];
        assert!(errors.iter().any(Option::is_some), "{key}");
        errors.iter().flatten().for_each(|error| assert_names(error, key));
        let advice = bench.redis.advise().await.unwrap();
        let is_named = advice.iter().any(|finding| finding.found.contains(&format!("`{key}`")));
        assert_eq!(is_named, !key.contains('{'), "{advice:?}");
    }
}
