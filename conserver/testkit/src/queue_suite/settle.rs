//! Cases about [`Queue::settle`](conserver_core::queue::Queue::settle): which leases end, and where ids go.

use conserver_core::queue::Paging;
use conserver_core::store::{DocumentWrite, Encoding};

use super::finish::stored;
use super::*;

fn with_egress(lease: Lease, list: &str) -> Settlement {
    let id = lease.entry.id.clone();
    let document = DocumentWrite { id: id.clone(), json: r#"{"run":1}"#.into(), encoding: Encoding::Text };
    let finish = Finish { documents: vec![document], egress: vec![(list.into(), id)], ..Finish::default() };
    Settlement::new(lease, End::Finish(Box::new(finish)))
}

/// See [`CASES`](super::CASES).
pub async fn settling_again_does_nothing(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["done", "retry", "dead", "back"]).await;
    let mut leases = claim(&queue, &worker, &["in"], 4).await.into_iter();
    let mut next = || leases.next().expect("four ids");
    let batch = [
        with_egress(next(), "out"),
        retried_at_once(next()),
        dead(next(), "DLQ:in", "invalid"),
        given_back(next()),
    ];
    let all = async || {
        let status = queue.status(&["in".into(), "out".into()]).await.unwrap();
        (listed(&queue, "in").await, listed(&queue, "out").await, listed(&queue, "DLQ:in").await, status)
    };
    assert_eq!(settle(&queue, &worker, &batch).await, vec![Settled::Applied; 4]);
    let after = all().await;
    assert_eq!((after.0.len(), after.1.len(), after.2.len(), after.3[0].delayed), (1, 1, 1, 1));
    for _ in 0..3 {
        assert_eq!(settle(&queue, &worker, &batch).await, vec![Settled::Gone; 4]);
    }
    let repeated = all().await;
    assert_eq!((&after.0, &after.1, &after.2), (&repeated.0, &repeated.1, &repeated.2));
    assert_eq!((repeated.3[0].delayed, repeated.3[0].in_flight), (1, 0));
}

/// See [`CASES`](super::CASES).
pub async fn what_is_no_longer_held_is_gone(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let (dead_worker, other) = (worker(&queue).await, worker(&queue).await);
    push(&queue, "in", &["a"]).await;
    let lease = claim(&queue, &dead_worker, &["in"], 1).await.pop().unwrap();
    queue.recover(&dead_worker, &Default::default()).await.unwrap();
    // The id runs again, with somebody else.
    let second = claim(&queue, &other, &["in"], 1).await;
    assert_eq!(ids(&second), ["a"]);
    let late = [with_egress(lease, "out")];
    assert_eq!(settle(&queue, &dead_worker, &late).await, [Settled::Gone]);
    assert_eq!(settle(&queue, &other, &late).await, [Settled::Gone]);
    assert!(listed(&queue, "out").await.is_empty());
    assert_eq!(stored(&fixture.store(), &"a".into()).await, None);
    assert_eq!(queue.holdings(&other).await.unwrap().len(), 1);
}

/// See [`CASES`](super::CASES).
pub async fn a_target_of_the_wrong_type_refuses_its_item_only(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    let has_types = fixture.spoil_list(&"out 2".into()).await;
    push(&queue, "in", &["a", "b", "c"]).await;
    let leases = claim(&queue, &worker, &["in"], 3).await;
    let batch: Vec<_> = (1..).zip(leases).map(|(n, lease)| with_egress(lease, &format!("out {n}"))).collect();
    let settled = settle(&queue, &worker, &batch).await;
    assert_eq!((&settled[0], &settled[2]), (&Settled::Applied, &Settled::Applied));
    assert_eq!(
        (listed(&queue, "out 1").await, listed(&queue, "out 3").await),
        (vec!["a".to_owned()], vec!["c".to_owned()])
    );
    if has_types {
        let Settled::Refused(why) = &settled[1] else { panic!("{settled:?}") };
        assert!(why.contains("out 2"), "{why}");
        assert_refused(&queue, "b", "out 2").await;
        assert_eq!(stored(&fixture.store(), &"b".into()).await, None);
    } else {
        assert_eq!(settled[1], Settled::Applied);
    }
    assert_eq!(settle(&queue, &worker, &batch).await, vec![Settled::Gone; 3]);
}

/// See [`CASES`](super::CASES).
pub async fn a_document_of_the_wrong_type_refuses_its_item_only(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    let has_types = fixture.spoil_document(&"b".into()).await;
    push(&queue, "in", &["a", "b", "c"]).await;
    let leases = claim(&queue, &worker, &["in"], 3).await;
    assert_eq!(leases[1].document_bytes, None);
    let batch: Vec<_> = leases.into_iter().map(|lease| with_egress(lease, "out")).collect();
    let settled = settle(&queue, &worker, &batch).await;
    assert_eq!((&settled[0], &settled[2]), (&Settled::Applied, &Settled::Applied));
    if has_types {
        assert!(matches!(&settled[1], Settled::Refused(why) if why.contains("vcon:b")), "{settled:?}");
        assert_refused(&queue, "b", "vcon:b").await;
        assert_eq!(listed(&queue, "out").await, ["a", "c"]);
    } else {
        assert_eq!(listed(&queue, "out").await, ["a", "b", "c"]);
    }
}

async fn assert_refused(queue: &Arc<dyn Queue>, id: &str, place: &str) {
    let letters = queue.dead_letters(&"DLQ:in".into(), Paging { offset: 0, limit: 10 }).await.unwrap();
    assert_eq!(letters.len(), 1);
    let why = letters[0].why.clone().expect("the reason is known");
    assert_eq!((letters[0].id.as_str(), why.reason.as_str()), (id, "wrong-type"));
    assert!(why.error.contains(place), "{}", why.error);
}

/// See [`CASES`](super::CASES).
pub async fn what_was_parked_returns_to_the_head(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    for end in [finished, retried_at_once, given_back, |lease| dead(lease, "DLQ:in", "invalid")] {
        push(&queue, "in", &["a", "a", "b", "a"]).await;
        let mut leases = claim(&queue, &worker, &["in"], 4).await;
        assert_eq!(ids(&leases), ["a", "b"]);
        push(&queue, "in", &["last"]).await;
        let b = leases.pop().unwrap();
        let first = [end(leases.pop().unwrap())];
        settle(&queue, &worker, &first).await;
        let given_back = matches!(first[0].end, End::GiveBack);
        let expected: &[&str] = if given_back { &["a", "a", "a", "last"] } else { &["a", "a", "last"] };
        assert_eq!(listed(&queue, "in").await, expected);
        finish_all(&queue, &worker, vec![b]).await;
        until("all are done", async || {
            let leases = claim(&queue, &worker, &["in"], 8).await;
            let none = leases.is_empty();
            finish_all(&queue, &worker, leases).await;
            none.then_some(())
        })
        .await;
    }
}

/// See [`CASES`](super::CASES).
pub async fn given_back_ids_keep_their_order(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a", "b", "c", "b", "d"]).await;
    push(&queue, "other", &["x", "y", "z"]).await;
    let mut leases = claim(&queue, &worker, &["in"], 4).await;
    leases.extend(claim(&queue, &worker, &["other"], 2).await);
    // A list that is paused meanwhile takes them back all the same.
    queue.set_paused(&"other".into(), true).await.unwrap();
    let batch: Vec<_> = leases.into_iter().map(given_back).collect();
    settle(&queue, &worker, &batch).await;
    assert_eq!(listed(&queue, "in").await, ["a", "b", "c", "b", "d"]);
    assert_eq!(listed(&queue, "other").await, ["x", "y", "z"]);
}

/// See [`CASES`](super::CASES).
pub async fn a_retry_given_back_keeps_its_tries(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a"]).await;
    let failed: Vec<_> = claim(&queue, &worker, &["in"], 1).await.into_iter().map(retried_at_once).collect();
    settle(&queue, &worker, &failed).await;
    let again: Vec<_> = claim(&queue, &worker, &["in"], 1).await.into_iter().map(given_back).collect();
    assert_eq!(again.len(), 1);
    settle(&queue, &worker, &again).await;
    assert_eq!(queue.status(&["in".into()]).await.unwrap()[0].delayed, 1);
    assert_eq!(claim(&queue, &worker, &["in"], 1).await[0].tries.attempt, 1);
}

/// See [`CASES`](super::CASES).
pub async fn a_retry_comes_back_with_its_tries(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["later", "soon"]).await;
    let tries = Tries {
        attempt: 2,
        unavailable_since: Some(1_700_000_000),
        alone: 0,
        strikes: 1,
        saved: vec!["archive".into()],
        saved_digest: Some(u64::MAX - 1),
        last_error: Some("no \"answer\"\nwithin 30 s".to_owned()),
    };
    let delays = [Duration::from_secs(3600), Duration::from_millis(200)];
    let leases = claim(&queue, &worker, &["in"], 2).await;
    let batch: Vec<_> =
        leases.into_iter().zip(delays).map(|(lease, after)| retried(lease, after, tries.clone())).collect();
    let start = std::time::Instant::now();
    settle(&queue, &worker, &batch).await;
    assert_eq!(queue.status(&["in".into()]).await.unwrap()[0].delayed, 2);
    let again = until("the retry is due", async || claim(&queue, &worker, &["in"], 8).await.pop()).await;
    assert!(start.elapsed() >= delays[1]);
    assert_eq!((again.entry.id.as_str(), &again.tries), ("soon", &tries));
    // It is free while it waits: another occurrence may run meanwhile.
    push(&queue, "in", &["later"]).await;
    assert_eq!(ids(&claim(&queue, &worker, &["in"], 8).await), ["later"]);
}
