//! Cases about [`LeaseKeeper`](conserver_core::queue::LeaseKeeper) and [`Queue::holdings`].

use std::time::Duration;

use conserver_core::queue::{ClaimRequest, Lane, LeaseKeeper, Paging};

use super::*;

/// Runs something with a keeper on a thread of its own, where it belongs.
async fn kept<T: Send + 'static>(
    queue: &Arc<dyn Queue>,
    worker: &WorkerId,
    work: impl FnOnce(&mut dyn LeaseKeeper) -> T + Send + 'static,
) -> T {
    let mut keeper = queue.keeper(worker).expect("there is a keeper for every worker");
    tokio::task::spawn_blocking(move || work(&mut *keeper)).await.expect("the keeper does not panic")
}

/// Renews a lease once.
pub(super) async fn renew(queue: &Arc<dyn Queue>, worker: &WorkerId) -> bool {
    kept(queue, worker, |keeper| keeper.renew(Duration::from_millis(7)).expect("the backend answers")).await
}

/// See [`CASES`](super::CASES).
pub async fn a_renewal_revives_an_ended_lease(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    fixture.end_lease(&worker).await;
    assert!(queue.workers().await.unwrap()[0].lease_ms < 0);
    assert!(renew(&queue, &worker).await);
    let status = queue.workers().await.unwrap().remove(0);
    assert!(status.lease_ms > 0 && status.lease_ms <= 6000, "{}", status.lease_ms);
    assert_eq!(status.progress_ms, 7);
    fixture.end_lease(&worker).await;
    queue.recover(&worker, &Default::default()).await.unwrap();
    assert!(!renew(&queue, &worker).await);
    assert!(queue.workers().await.unwrap().is_empty());
}

/// See [`CASES`](super::CASES).
pub async fn abandoning_buries_one_and_returns_the_rest(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a", "stuck", "b", "stuck"]).await;
    let leases = claim(&queue, &worker, &["in"], 4).await;
    let stuck = leases[1].entry.clone();
    let letter =
        DeadLetter { reason: "timeout".to_owned(), error: "link `loop`".to_owned(), ..DeadLetter::default() };
    kept(&queue, &worker, move |keeper| keeper.abandon(&stuck, &"dead".into(), &letter)).await.unwrap();
    let letters = queue.dead_letters(&"dead".into(), Paging { offset: 0, limit: 9 }).await.unwrap();
    assert_eq!((letters.len(), letters[0].why.as_ref().unwrap().reason.as_str()), (1, "timeout"));
    assert_eq!(listed(&queue, "in").await, ["a", "b", "stuck"]);
    assert!(queue.workers().await.unwrap().is_empty());
}

/// See [`CASES`](super::CASES).
pub async fn releasing_returns_everything(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a", "b", "c"]).await;
    push(&queue, "other", &["x"]).await;
    let leases = claim(&queue, &worker, &["in", "other"], 3).await;
    assert_eq!(leases.len(), 3);
    let released = kept(&queue, &worker, |keeper| keeper.release()).await.unwrap();
    assert_eq!(released.returned, 3);
    assert_eq!(
        (listed(&queue, "in").await.join(" "), listed(&queue, "other").await.join(" ")),
        ("a b c".to_owned(), "x".to_owned())
    );
    assert!(queue.workers().await.unwrap().is_empty());
    assert!(claim(&queue, &worker, &["in"], 1).await.is_empty());
}

/// See [`CASES`](super::CASES).
pub async fn a_dropped_claim_is_found_in_the_holdings(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    let all: Vec<String> = (0..200).map(|n| format!("id {n:03}")).collect();
    push(&queue, "in", &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let lists = shares(&["in"]);
    for micros in 0..100 {
        let request = ClaimRequest { rooms: &[2], lists: &lists, lane: Lane::Main };
        // Whether it ends in time does not matter: its answer is thrown away.
        let _ = tokio::time::timeout(Duration::from_micros(micros * 5), queue.claim(&worker, &request)).await;
    }
    // What was sent may still be on its way.
    claim(&queue, &worker, &["nothing"], 1).await;
    let held = queue.holdings(&worker).await.unwrap();
    let rest = listed(&queue, "in").await;
    let mut found: Vec<String> =
        held.iter().map(|lease| lease.entry.id.as_str().to_owned()).chain(rest).collect();
    found.sort();
    assert_eq!(found, all);
    assert!(!held.is_empty());
    finish_all(&queue, &worker, held).await;
    assert!(queue.holdings(&worker).await.unwrap().is_empty());
}
