//! Public lists that hold something else: an id that cannot go where it belongs is put where somebody finds it.

use conserver_core::queue::{Paging, Settled};
use conserver_testkit::queue_suite::*;

use crate::support::Bench;

async fn strays(bench: &Bench) -> Vec<String> {
    bench.run("LRANGE cs:stray 0 -1").await
}

#[tokio::test]
async fn ids_of_a_list_that_was_overwritten_become_dead_letters_that_say_so() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a", "b", "b", "c", "d"]).await;
    let mut leases = claim(&queue, &worker, &["in"], 5).await;
    bench.spoil("in").await;
    // Given back, parked, recovered.
    let back = [given_back(leases.remove(0)), finished(leases.remove(0))];
    assert_eq!(settle(&queue, &worker, &back).await, vec![Settled::Applied; 2]);
    queue.recover(&worker, &Default::default()).await.unwrap();
    let letters = queue.dead_letters(&"DLQ:in".into(), Paging { offset: 0, limit: 9 }).await.unwrap();
    let mut found: Vec<_> = letters.iter().map(|letter| letter.id.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, ["a", "b", "c", "d"]);
    for letter in letters {
        let why = letter.why.expect("the reason is known");
        assert_eq!(
            (why.reason.as_str(), why.error.as_str()),
            ("wrong-type", "`in` holds a string, not a list")
        );
    }
    assert!(strays(&bench).await.is_empty());
}

#[tokio::test]
async fn a_dead_letter_list_that_is_none_is_replaced_by_the_usual_one() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a"]).await;
    let batch: Vec<_> = claim(&queue, &worker, &["in"], 1)
        .await
        .into_iter()
        .map(|lease| dead(lease, "mine", "invalid"))
        .collect();
    bench.spoil("mine").await;
    assert_eq!(settle(&queue, &worker, &batch).await, [Settled::Applied]);
    let letters = queue.dead_letters(&"DLQ:in".into(), Paging { offset: 0, limit: 9 }).await.unwrap();
    let why = letters[0].why.clone().expect("the reason is known");
    assert_eq!(why.reason, "invalid");
    assert!(why.error.contains("`mine` holds a string") && why.error.contains("went wrong"), "{}", why.error);
}

#[tokio::test]
async fn where_no_dead_letter_list_is_one_ids_are_kept_aside() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a", "b", "c"]).await;
    let mut leases = claim(&queue, &worker, &["in"], 3).await;
    bench.spoil("in").await;
    bench.spoil("DLQ:in").await;
    let batch = [dead(leases.remove(0), "DLQ:in", "invalid"), given_back(leases.remove(0))];
    assert_eq!(settle(&queue, &worker, &batch).await, vec![Settled::Applied; 2]);
    queue.recover(&worker, &Default::default()).await.unwrap();
    let strays = strays(&bench).await;
    assert_eq!(strays.len(), 3);
    for (stray, id) in strays.iter().zip(["a", "b", "c"]) {
        let stray: serde_json::Value = serde_json::from_str(stray).unwrap();
        assert_eq!((stray["id"].as_str(), stray["list"].as_str()), (Some(id), Some("in")));
        assert!(stray["error"].as_str().unwrap().contains("`DLQ:in` holds a string"), "{stray}");
    }
    let seen = bench.redis.strays().await.unwrap();
    assert!(seen.iter().any(|stray| stray.key == "cs:stray" && stray.entries == 3), "{seen:?}");
}

#[tokio::test]
async fn where_nothing_takes_an_id_it_stays_in_flight() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a"]).await;
    let batch: Vec<_> = claim(&queue, &worker, &["in"], 1)
        .await
        .into_iter()
        .map(|lease| dead(lease, "DLQ:in", "invalid"))
        .collect();
    bench.spoil("DLQ:in").await;
    bench.spoil("cs:stray").await;
    let error = queue.settle(&worker, &batch).await.unwrap_err();
    assert!(error.is_unavailable() && error.chain().contains("`cs:stray`"), "{error:?}");
    assert_eq!(queue.holdings(&worker).await.unwrap().len(), 1);
    bench.run::<i64>("DEL cs:stray DLQ:in").await;
    assert_eq!(settle(&queue, &worker, &batch).await, [Settled::Applied]);
    assert_eq!(listed(&queue, "DLQ:in").await, ["a"]);
}

#[tokio::test]
async fn contexts_of_another_type_are_no_obstacle() {
    for bench in Bench::both().await {
        let queue = bench.queue();
        let worker = worker(&queue).await;
        push(&queue, "in", &["a"]).await;
        bench.spoil("context:in:a").await;
        bench.spoil("context:out:a").await;
        let lease = claim(&queue, &worker, &["in"], 1).await.pop().unwrap();
        assert_eq!(lease.context, None);
        let batch = [crate::settle::expiring(lease, "out")];
        assert_eq!(settle(&queue, &worker, &batch).await, [Settled::Applied]);
        assert_eq!(listed(&queue, "out").await, ["a"]);
    }
}

#[tokio::test]
async fn a_replay_to_no_list_names_it_and_moves_nothing() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    push(&queue, "DLQ:in", &["a"]).await;
    bench.spoil("in").await;
    let error = queue.replay(&"DLQ:in".into(), &["a".into()], &"in".into()).await.unwrap_err();
    assert!(error.chain().contains("`in` holds a string, not a list"), "{error:?}");
    assert_eq!(listed(&queue, "DLQ:in").await, ["a"]);
}
