//! Cases about dead letters.

use conserver_core::queue::{Letter, Paging};

use super::*;

async fn letters(queue: &Arc<dyn Queue>, offset: usize, limit: usize) -> Vec<Letter> {
    queue.dead_letters(&"DLQ:in".into(), Paging { offset, limit }).await.expect("letters can be read")
}

/// Fails these ids for good, in order.
async fn bury(queue: &Arc<dyn Queue>, which: &[&str]) {
    let worker = worker(queue).await;
    push(queue, "in", which).await;
    let leases = claim(queue, &worker, &["in"], which.len()).await;
    let batch: Vec<_> = leases.into_iter().map(|lease| dead(lease, "DLQ:in", "invalid")).collect();
    assert_eq!(settle(queue, &worker, &batch).await.len(), which.len());
}

fn named(which: &[&str]) -> Vec<VconId> {
    which.iter().map(VconId::new).collect()
}

/// See [`CASES`](super::CASES).
pub async fn letters_come_by_page_and_may_be_unknown(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    bury(&queue, &["a", "b"]).await;
    push(&queue, "DLQ:in", &["stranger"]).await;
    bury(&queue, &["c"]).await;
    let all = letters(&queue, 0, 100).await;
    let known: Vec<_> = all.iter().map(|letter| (letter.id.as_str(), letter.why.is_some())).collect();
    assert_eq!(known, [("a", true), ("b", true), ("stranger", false), ("c", true)]);
    let page = letters(&queue, 1, 2).await;
    assert_eq!(page, all[1..3]);
    assert!(letters(&queue, 4, 2).await.is_empty());
}

/// See [`CASES`](super::CASES).
pub async fn a_replay_moves_each_letter_once(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    bury(&queue, &["a", "b", "c"]).await;
    let moved =
        queue.replay(&"DLQ:in".into(), &named(&["b", "missing", "a"]), &"again".into()).await.unwrap();
    assert_eq!(moved, 2);
    assert_eq!(listed(&queue, "again").await, ["b", "a"]);
    assert_eq!(listed(&queue, "DLQ:in").await, ["c"]);
    // The answer may have been lost: again.
    assert_eq!(queue.replay(&"DLQ:in".into(), &named(&["b", "a"]), &"again".into()).await.unwrap(), 0);
    assert_eq!(listed(&queue, "again").await, ["b", "a"]);
    // What was known is not known of a later letter of the same id.
    push(&queue, "DLQ:in", &["a"]).await;
    assert!(letters(&queue, 1, 1).await[0].why.is_none());
}

/// See [`CASES`](super::CASES).
pub async fn a_dropped_replay_loses_and_doubles_nothing(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let all: Vec<String> = (0..100).map(|n| format!("id {n:03}")).collect();
    push(&queue, "DLQ:in", &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for (n, id) in all.iter().enumerate() {
        let limit = Duration::from_micros(n as u64 * 3);
        let (id, target) = ([VconId::new(id)], "again".into());
        let _ = tokio::time::timeout(limit, queue.replay(&"DLQ:in".into(), &id, &target)).await;
    }
    assert_eq!(queue.replay(&"DLQ:in".into(), &named(&["missing"]), &"again".into()).await.unwrap(), 0);
    let mut found = listed(&queue, "again").await;
    found.extend(listed(&queue, "DLQ:in").await);
    found.sort();
    assert_eq!(found, all);
}

/// See [`CASES`](super::CASES).
pub async fn discarding_drops_only_what_is_named(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    bury(&queue, &["a", "b"]).await;
    bury(&queue, &["a"]).await;
    let discard = async |which: &[&str]| queue.discard(&"DLQ:in".into(), &named(which)).await.unwrap();
    assert_eq!(discard(&["a", "missing"]).await, 1);
    let left = letters(&queue, 0, 10).await;
    let known: Vec<_> = left.iter().map(|letter| (letter.id.as_str(), letter.why.is_some())).collect();
    assert_eq!(known, [("b", true), ("a", true)]);
    assert_eq!(discard(&["a", "b"]).await, 2);
    push(&queue, "DLQ:in", &["a"]).await;
    assert!(letters(&queue, 0, 10).await[0].why.is_none());
}
