//! Cases about [`Queue::claim`](conserver_core::queue::Queue::claim): who gets what, and when.

use std::time::{Duration, Instant};

use conserver_core::queue::{ClaimRequest, Lane};

use super::keeper::renew;
use super::*;

/// See [`CASES`](super::CASES).
pub async fn an_unregistered_worker_gets_nothing(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    push(&queue, "in", &["a"]).await;
    let stranger = info(false, "here").id;
    let lists = shares(&["in"]);
    let request = ClaimRequest { rooms: &[1], lists: &lists, lane: Lane::Main };
    let claimed = claim_as(&queue, &stranger, &request).await;
    assert!(claimed.unregistered && claimed.leases.is_empty());
    assert_eq!(listed(&queue, "in").await, ["a"]);
}

/// See [`CASES`](super::CASES).
pub async fn the_oldest_comes_first(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    let odd = ["b", "a", "with spaces", "new\nline", "bar|bar", "{brace}", "naïve 名前", "", "%41"];
    push(&queue, "in", &odd).await;
    let first = claim(&queue, &worker, &["in"], 4).await;
    let second = claim(&queue, &worker, &["in"], 100).await;
    assert_eq!(ids(&first), odd[..4]);
    assert_eq!(ids(&second), odd[4..]);
    let tokens: std::collections::BTreeSet<u64> =
        first.iter().chain(&second).map(|lease| lease.entry.token).collect();
    assert_eq!(tokens.len(), odd.len(), "a token is never used twice");
    finish_all(&queue, &worker, first).await;
    finish_all(&queue, &worker, second).await;
    assert!(queue.holdings(&worker).await.unwrap().is_empty());
}

/// See [`CASES`](super::CASES).
pub async fn due_retries_come_first_with_half_the_room(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["r1", "r2", "r3", "r4", "r5", "r6"]).await;
    let failed: Vec<_> = claim(&queue, &worker, &["in"], 6).await.into_iter().map(retried_at_once).collect();
    settle(&queue, &worker, &failed).await;
    push(&queue, "in", &["n1", "n2", "n3", "n4"]).await;

    let mixed = claim(&queue, &worker, &["in"], 4).await;
    assert_eq!(ids(&mixed), ["r1", "r2", "n1", "n2"]);
    // Where there is one place only, each kind gets its turn.
    let mut seen = std::collections::BTreeSet::new();
    until("a retry and a new id", async || {
        let one = claim(&queue, &worker, &["in"], 1).await;
        assert_eq!(one.len(), 1);
        seen.insert(one[0].tries.attempt);
        let back: Vec<_> = one.into_iter().map(given_back).collect();
        settle(&queue, &worker, &back).await;
        (seen.len() == 2).then_some(())
    })
    .await;
    // Where nothing is new, retries have all the room.
    let rest = claim(&queue, &worker, &["in"], 6).await;
    assert_eq!(rest.len(), 6);
    assert_eq!(rest.iter().filter(|lease| lease.tries.attempt == 1).count(), 4);
}

/// See [`CASES`](super::CASES).
pub async fn another_occurrence_waits_for_the_first(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let (one, two) = (worker(&queue).await, worker(&queue).await);
    push(&queue, "in", &["a", "b"]).await;
    push(&queue, "other", &["a", "c"]).await;
    let first = claim(&queue, &one, &["in"], 1).await;
    assert_eq!(ids(&first), ["a"]);
    let others = claim(&queue, &two, &["other"], 5).await;
    assert_eq!(ids(&others), ["c"]);
    assert_eq!(listed(&queue, "other").await, Vec::<String>::new());
    finish_all(&queue, &one, first).await;
    assert_eq!(listed(&queue, "other").await, ["a"]);
    assert_eq!(ids(&claim(&queue, &two, &["other"], 5).await), ["a"]);
}

/// See [`CASES`](super::CASES).
pub async fn five_occurrences_run_one_after_the_other(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a", "a", "x", "a", "a"]).await;
    push(&queue, "other", &["a"]).await;
    let mut runs = 0;
    let mut order = Vec::new();
    while runs < 5 {
        let leases = claim(&queue, &worker, &["in", "other"], 8).await;
        let running = leases.iter().filter(|lease| lease.entry.id.as_str() == "a").count();
        assert_eq!(running, 1, "one run at a time, and none is forgotten");
        runs += running;
        order.extend(leases.iter().map(|lease| lease.entry.id.as_str().to_owned()));
        assert!(claim(&queue, &worker, &["in", "other"], 8).await.is_empty());
        finish_all(&queue, &worker, leases).await;
    }
    assert_eq!(order.iter().filter(|id| *id == "x").count(), 1);
    assert!(claim(&queue, &worker, &["in", "other"], 8).await.is_empty());
}

/// See [`CASES`](super::CASES).
pub async fn a_paused_list_keeps_its_ids(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["r", "a"]).await;
    push(&queue, "other", &["b"]).await;
    let failed: Vec<_> = claim(&queue, &worker, &["in"], 1).await.into_iter().map(retried_at_once).collect();
    settle(&queue, &worker, &failed).await;
    queue.set_paused(&"in".into(), true).await.unwrap();
    let open = claim(&queue, &worker, &["in", "other"], 8).await;
    assert_eq!(ids(&open), ["b"]);
    assert!(fixture.reopen().status(&["in".into()]).await.unwrap()[0].paused);
    queue.set_paused(&"in".into(), false).await.unwrap();
    let mut rest = claim(&queue, &worker, &["in", "other"], 8).await;
    rest.sort_by_key(|lease| lease.entry.id.clone());
    assert_eq!(ids(&rest), ["a", "r"]);
}

/// See [`CASES`](super::CASES).
pub async fn an_empty_claim_writes_nothing(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "paused", &["a"]).await;
    queue.set_paused(&"paused".into(), true).await.unwrap();
    let before = fixture.writes().await;
    for _ in 0..10 {
        assert!(claim(&queue, &worker, &["in", "other", "paused"], 8).await.is_empty());
        assert!(claim_suspect(&queue, &worker, &["in"]).await.is_empty());
        assert!(claim(&queue, &worker, &["in"], 0).await.is_empty());
    }
    assert_eq!(fixture.writes().await, before);
}

/// See [`CASES`](super::CASES).
pub async fn a_push_ends_the_wait(fixture: impl QueueFixture) {
    let (queue, producer) = (fixture.queue(), fixture.reopen());
    let worker = worker(&queue).await;
    let names: Vec<String> = (0..50).map(|n| format!("list-{n}")).collect();
    let lists = shares(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for round in 0..20 {
        let list = &names[round * 7 % names.len()];
        let request = ClaimRequest { rooms: &[4], lists: &lists, lane: Lane::Main };
        let long = Duration::from_secs(60);
        let (claimed, _) =
            tokio::join!(claim_within(&queue, &worker, &request, long), push(&producer, list, &["a"]));
        assert_eq!(ids(&claimed.leases), ["a"]);
        finish_all(&queue, &worker, claimed.leases).await;
    }
}

/// See [`CASES`](super::CASES).
pub async fn an_idle_wait_ends_by_itself(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    let lists = shares(&["in"]);
    let request = ClaimRequest { rooms: &[4], lists: &lists, lane: Lane::Main };
    let wait = Duration::from_millis(300);
    let start = Instant::now();
    let claimed = claim_within(&queue, &worker, &request, wait).await;
    assert!(start.elapsed() >= wait, "{:?}", start.elapsed());
    assert!(claimed.leases.is_empty() && !claimed.unregistered);
    assert_eq!(claimed.lengths, [0]);
    // Whoever asks for an hour is asked to look again long before that.
    let hour = queue.arrival(Duration::from_secs(3600));
    tokio::time::timeout(Duration::from_secs(60), hour).await.expect("the wait ends");
}

/// See [`CASES`](super::CASES).
pub async fn an_ended_lease_gets_nothing(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a", "b"]).await;
    let held = claim(&queue, &worker, &["in"], 1).await;
    fixture.end_lease(&worker).await;
    let lists = shares(&["in"]);
    let request = ClaimRequest { rooms: &[4], lists: &lists, lane: Lane::Main };
    let claimed = claim_as(&queue, &worker, &request).await;
    assert!(claimed.leases.is_empty() && !claimed.unregistered);
    // What it holds is still its own: only recovery takes that.
    finish_all(&queue, &worker, held).await;
    assert!(renew(&queue, &worker).await);
    assert_eq!(ids(&claim(&queue, &worker, &["in"], 4).await), ["b"]);
}
