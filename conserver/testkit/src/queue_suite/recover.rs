//! Cases about [`Queue::recover`](conserver_core::queue::Queue::recover) and the suspect lane.

use conserver_core::queue::{Paging, Recovered, Strikes};

use super::keeper::renew;
use super::*;

fn struck(leases: &[Lease]) -> Strikes {
    let tokens = leases.iter().map(|lease| lease.entry.token).collect();
    Strikes { tokens, signal: "SIGSEGV".to_owned(), ..Strikes::default() }
}

/// See [`CASES`](super::CASES).
pub async fn recovered_ids_return_in_order(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a", "b", "a", "c", "d"]).await;
    push(&queue, "other", &["x", "a", "y"]).await;
    let leases = claim(&queue, &worker, &["in"], 4).await;
    assert_eq!(ids(&leases), ["a", "b", "c"]);
    assert_eq!(ids(&claim(&queue, &worker, &["other"], 2).await), ["x"]);
    let recovered = fixture.reopen().recover(&worker, &Strikes::none()).await.unwrap();
    assert_eq!(recovered, Recovered { returned: 4, ..Recovered::default() });
    assert_eq!(listed(&queue, "in").await, ["a", "b", "c", "a", "d"]);
    assert_eq!(listed(&queue, "other").await, ["x", "a", "y"]);
}

/// See [`CASES`](super::CASES).
pub async fn a_recovered_worker_can_do_nothing(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a", "b"]).await;
    let leases = claim(&queue, &worker, &["in"], 1).await;
    queue.recover(&worker, &Strikes::none()).await.unwrap();
    assert!(!renew(&queue, &worker).await);
    assert!(claim(&queue, &worker, &["in"], 4).await.is_empty());
    let late: Vec<_> = leases.into_iter().map(|lease| dead(lease, "DLQ:in", "invalid")).collect();
    assert_eq!(settle(&queue, &worker, &late).await, [Settled::Gone]);
    assert_eq!(listed(&queue, "in").await, ["a", "b"]);
    assert!(listed(&queue, "DLQ:in").await.is_empty());
    assert!(queue.holdings(&worker).await.unwrap().is_empty());
}

/// See [`CASES`](super::CASES).
pub async fn a_second_recovery_finds_nothing(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a", "b"]).await;
    let leases = claim(&queue, &worker, &["in"], 2).await;
    let strikes = struck(&leases[..1]);
    let first = queue.recover(&worker, &strikes).await.unwrap();
    assert_eq!((first.returned, first.suspects.len()), (1, 1));
    assert_eq!(queue.recover(&worker, &strikes).await.unwrap(), Recovered::default());
    assert_eq!(listed(&queue, "in").await, ["b"]);
    let status = queue.status(&["in".into()]).await.unwrap();
    assert_eq!((status[0].suspects, status[0].in_flight), (1, 0));
}

/// See [`CASES`](super::CASES).
pub async fn two_deaths_alone_are_poison(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let dlqs = vec![("in".into(), "my dead".into())];
    push(&queue, "in", &["good", "bad", "fine"]).await;
    let first = worker(&queue).await;
    let leases = claim(&queue, &first, &["in"], 3).await;
    let recovered = queue.recover(&first, &struck(&leases[..2])).await.unwrap();
    assert_eq!(recovered.suspects, ["good".into(), "bad".into()]);
    assert_eq!(listed(&queue, "in").await, ["fine"]);
    let main = worker(&queue).await;
    assert_eq!(ids(&claim(&queue, &main, &["in"], 3).await), ["fine"]);

    // The good one finishes alone and is cleared.
    let lane = lane_worker(&queue, "here").await;
    let alone = claim_suspect(&queue, &lane, &["in"]).await;
    assert_eq!((ids(&alone), alone[0].tries.strikes, alone[0].tries.alone), (vec!["good"], 1, 0));
    finish_all(&queue, &lane, alone).await;
    // The bad one dies alone, twice.
    let alone = claim_suspect(&queue, &lane, &["in"]).await;
    let recovered = queue.recover(&lane, &struck(&alone)).await.unwrap();
    assert_eq!((recovered.suspects, recovered.poison), (vec!["bad".into()], vec![]));
    let lane = lane_worker(&queue, "here").await;
    let alone = claim_suspect(&queue, &lane, &["in"]).await;
    assert_eq!((alone[0].tries.strikes, alone[0].tries.alone), (2, 1));
    let recovered = queue.recover(&lane, &Strikes { dlqs, ..struck(&alone) }).await.unwrap();
    assert_eq!((recovered.suspects, recovered.poison), (vec![], vec!["bad".into()]));
    let letters = queue.dead_letters(&"my dead".into(), Paging { offset: 0, limit: 9 }).await.unwrap();
    let why = letters[0].why.clone().expect("the reason is known");
    assert_eq!((letters.len(), why.reason.as_str(), why.signal.as_deref()), (1, "poison", Some("SIGSEGV")));
    let status = queue.status(&["in".into()]).await.unwrap();
    assert_eq!((status[0].queued, status[0].suspects, status[0].delayed, status[0].in_flight), (0, 0, 0, 1));
}

/// See [`CASES`](super::CASES).
pub async fn everything_is_struck_when_memory_ran_out(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a", "b", "c", "a"]).await;
    claim(&queue, &worker, &["in"], 4).await;
    let strikes = Strikes { all: true, signal: "out of memory".to_owned(), ..Strikes::default() };
    let recovered = queue.recover(&worker, &strikes).await.unwrap();
    assert_eq!((recovered.suspects.len(), recovered.returned), (3, 0));
    // The second occurrence is no suspect: it did not run.
    assert_eq!(listed(&queue, "in").await, ["a"]);
}

/// See [`CASES`](super::CASES).
pub async fn a_suspect_without_a_strike_stays_in_its_lane(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let (first, second) = make_suspects(&queue, &["a", "b"]).await;
    let lane = lane_worker(&queue, "here").await;
    assert_eq!(ids(&claim_suspect(&queue, &lane, &["in"]).await), [first.as_str()]);
    let recovered = queue.recover(&lane, &Strikes::none()).await.unwrap();
    assert_eq!((recovered.returned, recovered.suspects.len()), (1, 0));
    assert_eq!(queue.status(&["in".into()]).await.unwrap()[0].suspects, 2);
    let lane = lane_worker(&queue, "here").await;
    let again = claim_suspect(&queue, &lane, &["in"]).await;
    assert_eq!((ids(&again), again[0].tries.alone), (vec![first.as_str()], 0));
    finish_all(&queue, &lane, again).await;
    assert_eq!(ids(&claim_suspect(&queue, &lane, &["in"]).await), [second.as_str()]);
}

/// See [`CASES`](super::CASES).
pub async fn a_suspect_given_back_stays_in_its_lane(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let (first, _) = make_suspects(&queue, &["a", "b"]).await;
    let lane = lane_worker(&queue, "here").await;
    let alone: Vec<_> = claim_suspect(&queue, &lane, &["in"]).await.into_iter().map(given_back).collect();
    settle(&queue, &lane, &alone).await;
    let status = queue.status(&["in".into()]).await.unwrap().remove(0);
    assert_eq!((status.suspects, status.delayed, status.queued), (2, 0, 0));
    assert_eq!(ids(&claim_suspect(&queue, &lane, &["in"]).await), [first.as_str()]);
}

/// See [`CASES`](super::CASES).
pub async fn one_suspect_at_a_time_runs_on_a_host(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    make_suspects(&queue, &["a", "b", "c"]).await;
    let (one, two, elsewhere) = (
        lane_worker(&queue, "here").await,
        lane_worker(&queue, "here").await,
        lane_worker(&queue, "there").await,
    );
    let first = claim_suspect(&queue, &one, &["in"]).await;
    assert_eq!(first.len(), 1);
    assert!(claim_suspect(&queue, &two, &["in"]).await.is_empty());
    assert_eq!(claim_suspect(&queue, &elsewhere, &["in"]).await.len(), 1);
    finish_all(&queue, &one, first).await;
    assert_eq!(claim_suspect(&queue, &two, &["in"]).await.len(), 1);
    assert!(claim_suspect(&queue, &one, &["in"]).await.is_empty());
}

/// See [`CASES`](super::CASES).
pub async fn workers_are_listed_until_their_recovery(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let info = info(true, "boot-id/ns");
    queue.register(&info).await.unwrap();
    let other = worker(&queue).await;
    push(&queue, "in", &["a", "b"]).await;
    push(&queue, "two words", &["c"]).await;
    claim(&queue, &info.id, &["in", "two words"], 3).await;
    let mut workers = fixture.reopen().workers().await.unwrap();
    workers.sort_by_key(|status| status.info.id != info.id);
    assert_eq!((&workers[0].info, workers[0].in_flight), (&info, 3));
    assert_eq!((&workers[1].info.id, workers[1].in_flight), (&other, 0));
    assert!(workers.iter().all(|status| status.lease_ms > 0));
    queue.recover(&info.id, &Strikes::none()).await.unwrap();
    let left: Vec<_> = queue.workers().await.unwrap().into_iter().map(|status| status.info.id).collect();
    assert_eq!(left, [other]);
}

/// Strikes all these ids once; answers the first two in the order of the lane.
async fn make_suspects(queue: &Arc<dyn Queue>, which: &[&str]) -> (String, String) {
    let worker = worker(queue).await;
    push(queue, "in", which).await;
    let leases = claim(queue, &worker, &["in"], which.len()).await;
    let recovered = queue.recover(&worker, &struck(&leases)).await.unwrap();
    assert_eq!(recovered.suspects.len(), which.len());
    (which[0].to_owned(), which[1].to_owned())
}
