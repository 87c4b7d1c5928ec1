//! Cases about plain list work: push, peek, status, pause, drain.

use conserver_core::ErrorKind;
use conserver_core::queue::{ListStatus, Oldest, Since, Strikes};

use super::*;
use crate::vcons::{Vcons, vcon};

/// See [`CASES`](super::CASES).
pub async fn pushed_ids_keep_their_order(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    assert_eq!(push(&queue, "in", &["a", "b", "a"]).await, 3);
    assert_eq!(push(&queue, "in", &["a"]).await, 4);
    assert_eq!(push(&queue, "in", &[]).await, 4);
    assert_eq!(listed(&fixture.reopen(), "in").await, ["a", "b", "a", "a"]);
}

/// See [`CASES`](super::CASES).
pub async fn pushing_to_no_list_is_a_wrong_type(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let pushed = |ids: &[&str]| ids.iter().map(VconId::new).collect::<Vec<_>>();
    if fixture.spoil_list(&"in".into()).await {
        let error = queue.push(&"in".into(), &pushed(&["a"])).await.expect_err("it is no list");
        assert_eq!(error.kind(), ErrorKind::WrongType);
        assert!(error.chain().contains("`in`"), "{error:?}");
    } else {
        assert_eq!(queue.push(&"in".into(), &pushed(&["a"])).await.unwrap(), 1);
    }
}

/// See [`CASES`](super::CASES).
pub async fn peeking_takes_nothing(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    push(&queue, "in", &["a", "b", "c"]).await;
    assert!(queue.peek(&"in".into(), 0).await.unwrap().is_empty());
    assert_eq!(queue.peek(&"in".into(), 2).await.unwrap(), ["a".into(), "b".into()]);
    assert_eq!(listed(&queue, "in").await, ["a", "b", "c"]);
    assert!(queue.peek(&"no such list".into(), 2).await.unwrap().is_empty());
}

/// See [`CASES`](super::CASES).
pub async fn pausing_tells_whether_it_changed_anything(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let list = "in".into();
    for (paused, changed) in [(false, false), (true, true), (true, false), (false, true), (false, false)] {
        assert_eq!(queue.set_paused(&list, paused).await.unwrap(), changed);
    }
}

/// See [`CASES`](super::CASES).
pub async fn every_place_is_counted(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = everywhere(&queue).await;
    queue.set_paused(&"in".into(), true).await.unwrap();
    let status = queue.status(&["in".into(), "empty".into()]).await.unwrap();
    let overdue = status[0].overdue_ms.expect("one retry is due");
    assert!(overdue < 60_000);
    let expected = ListStatus {
        queued: 1,
        in_flight: 1,
        delayed: 2,
        parked: 2,
        suspects: 1,
        dead: 1,
        paused: true,
        overdue_ms: Some(overdue),
        oldest: status[0].oldest.clone(),
    };
    assert_eq!(status, [expected, ListStatus::default()]);
    assert_eq!(queue.holdings(&worker).await.unwrap().len(), 1);
}

/// See [`CASES`](super::CASES).
pub async fn the_head_of_a_list_is_its_oldest(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    push(&queue, "in", &["first", "second"]).await;
    let look = async || queue.status(&["in".into(), "empty".into()]).await.unwrap();
    let head = async || look().await[0].oldest.clone().expect("ids wait");
    assert_eq!(head().await.id.as_str(), "first");
    assert!(head().await.age_ms.is_none_or(|age| age < 60_000));
    assert_eq!(look().await[1].oldest, None);
    let worker = worker(&queue).await;
    let leases = claim(&queue, &worker, &["in"], 1).await;
    assert_eq!(head().await.id.as_str(), "second");
    // What returns is as old as it was.
    let back = leases.into_iter().map(|lease| Settlement::new(lease, End::GiveBack)).collect::<Vec<_>>();
    settle(&queue, &worker, &back).await;
    assert_eq!(head().await.id.as_str(), "first");
    let created = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let created = i64::try_from(created).unwrap() - 7200;
    if fixture.list_bare_id(&"first".into(), created).await {
        let Oldest { age_ms, since, .. } = head().await;
        assert_eq!(since, Since::Created);
        assert!(age_ms.is_some_and(|age| (7_000_000..7_300_000).contains(&age)), "{age_ms:?}");
    } else {
        assert_eq!(head().await.since, Since::Put);
        assert!(head().await.age_ms.is_some());
    }
}

/// See [`CASES`](super::CASES).
pub async fn a_list_of_vcons_is_there(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let stored = vcon(&Vcons::new(1).call());
    fixture.store().put(&stored, None).await.unwrap();
    let known = stored.id().as_str();
    push(&queue, "nobody takes", &[known, "unknown"]).await;
    push(&queue, "DLQ:in", &[known]).await;
    push(&queue, "of strangers", &["unknown", known]).await;
    push(&queue, "taken", &[known]).await;
    let worker = worker(&queue).await;
    let _leases = claim(&queue, &worker, &["taken"], 1).await;
    let lists = queue.lists().await.unwrap();
    assert_eq!(lists, [("DLQ:in".into(), 1), ("nobody takes".into(), 2)]);
}

/// See [`CASES`](super::CASES).
pub async fn the_last_error_tells_why_ids_are_delayed(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["later", "soon"]).await;
    assert_eq!(queue.why_delayed(&"in".into()).await.unwrap(), None);
    let delays = [("no \"room\"", 7200), ("no answer", 3600)];
    let leases = claim(&queue, &worker, &["in"], 2).await;
    let batch: Vec<_> = leases
        .into_iter()
        .zip(delays)
        .map(|(lease, (error, seconds))| {
            let tries = Tries { last_error: Some(error.to_owned()), ..Tries::default() };
            retried(lease, Duration::from_secs(seconds), tries)
        })
        .collect();
    settle(&queue, &worker, &batch).await;
    assert_eq!(queue.why_delayed(&"in".into()).await.unwrap().as_deref(), Some("no answer"));
    assert_eq!(queue.why_delayed(&"no such list".into()).await.unwrap(), None);
}

/// See [`CASES`](super::CASES).
pub async fn a_drain_leaves_everything_on_plain_lists(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = everywhere(&queue).await;
    // Its worker is gone for good: what it held comes back with the rest.
    queue.recover(&worker, &Strikes::none()).await.unwrap();
    let drained = fixture.reopen().drain(&["in".into()]).await.unwrap();
    assert_eq!((drained.delayed, drained.suspects, drained.parked), (2, 1, 0));
    let mut left = listed(&queue, "in").await;
    left.sort();
    assert_eq!(left, ["running", "running", "running", "soon", "suspect", "waits", "whenever"]);
    assert_eq!(listed(&queue, "DLQ:in").await, ["dead"]);
    let status = queue.status(&["in".into()]).await.unwrap().remove(0);
    let oldest = status.oldest.clone();
    assert_eq!(status, ListStatus { queued: 7, dead: 1, oldest, ..ListStatus::default() });
    // What earlier runs left is forgotten with it.
    let other = super::worker(&queue).await;
    let leases = claim(&queue, &other, &["in"], 10).await;
    assert!(leases.iter().all(|lease| lease.tries.is_fresh()));
}

/// See [`CASES`](super::CASES).
pub async fn a_drain_leaves_live_workers_alone(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = everywhere(&queue).await;
    // An ended lease alone is no proof of death.
    fixture.end_lease(&worker).await;
    let drained = queue.drain(&["in".into()]).await.unwrap();
    assert_eq!((drained.delayed, drained.suspects, drained.parked, drained.abandoned), (2, 1, 0, 0));
    let status = queue.status(&["in".into()]).await.unwrap().remove(0);
    assert_eq!((status.queued, status.in_flight, status.parked), (4, 1, 2));
    let held = queue.holdings(&worker).await.unwrap();
    finish_all(&queue, &worker, held).await;
    assert_eq!(listed(&queue, "in").await[..2], ["running", "running"]);
    assert_eq!(queue.status(&["in".into()]).await.unwrap()[0].parked, 0);
}

/// Puts one id into each place that there is; answers the worker that holds `running`.
async fn everywhere(queue: &Arc<dyn Queue>) -> WorkerId {
    let crashed = worker(queue).await;
    push(queue, "in", &["suspect"]).await;
    let leases = claim(queue, &crashed, &["in"], 1).await;
    let tokens = vec![leases[0].entry.token];
    queue
        .recover(&crashed, &Strikes { tokens, signal: "SIGABRT".to_owned(), ..Strikes::default() })
        .await
        .unwrap();

    let worker = worker(queue).await;
    push(queue, "in", &["soon", "whenever", "dead", "running", "running", "running"]).await;
    let mut leases = claim(queue, &worker, &["in"], 6).await.into_iter();
    let mut next = || leases.next().expect("four ids are free");
    let batch = [
        retried_at_once(next()),
        retried(next(), Duration::from_secs(3600), Tries { attempt: 2, ..Tries::default() }),
        dead(next(), "DLQ:in", "invalid"),
    ];
    settle(queue, &worker, &batch).await;
    assert_eq!(next().entry.id.as_str(), "running");
    push(queue, "in", &["waits"]).await;
    worker
}
