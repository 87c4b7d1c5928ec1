//! Cases about [`Queue::settle`](conserver_core::queue::Queue::settle): what a run leaves behind.

use bytes::Bytes;
use conserver_core::link::Effect;
use conserver_core::queue::{Paging, StorageLetter};
use conserver_core::store::{DocumentWrite, Encoding, Loaded, VconStore};
use conserver_core::vcon::Vcon;

use super::*;
use crate::vcons::{Vcons, vcon};

/// Stores a call, pushes its id and claims it.
async fn running(fixture: &impl QueueFixture, seed: u64, ttl: Option<Duration>) -> (WorkerId, Vcon, Lease) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    let call = vcon(&Vcons::new(seed).call());
    fixture.store().put(&call, ttl).await.expect("a vCon can be stored");
    push(&queue, "in", &[call.id().as_str()]).await;
    let mut leases = claim(&queue, &worker, &["in"], 1).await;
    (worker, call, leases.pop().expect("the id is there"))
}

fn text(id: &VconId, json: impl Into<Bytes>) -> DocumentWrite {
    DocumentWrite { id: id.clone(), json: json.into(), encoding: Encoding::Text }
}

/// The text of a document.
pub(super) async fn stored(store: &Arc<dyn VconStore>, id: &VconId) -> Option<Bytes> {
    match store.load(std::slice::from_ref(id)).await.expect("the store answers").pop().expect("one answer") {
        Loaded::Found { json, .. } => Some(json),
        Loaded::Missing => None,
        Loaded::Unreadable(error) => panic!("{error:?}"),
    }
}

/// See [`CASES`](super::CASES).
pub async fn a_finish_writes_applies_and_pushes(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let (worker, call, lease) = running(&fixture, 1, Some(VCON_EXPIRY)).await;
    assert_eq!(lease.document_bytes, Some(stored(&fixture.store(), call.id()).await.unwrap().len()));
    assert_eq!(lease.context, None);
    let switched = VconId::new("switched to another\nid");
    let context = r#"{"trace_id":"5"}"#.to_owned();
    let finish = Finish {
        halted: false,
        documents: vec![text(call.id(), r#"{"changed":1}"#), text(&switched, r#"{"made":2}"#)],
        effects: vec![
            Effect::Enqueue { queue: "routed".into(), id: switched.clone() },
            Effect::ExpireAfter(Duration::from_secs(5)),
        ],
        expires: Some(call.id().clone()),
        egress: vec![("out".into(), switched.clone()), ("out".into(), call.id().clone())],
        context: Some(context.clone()),
        storage_letters: Vec::new(),
    };
    settle(&queue, &worker, &[Settlement::new(lease, End::Finish(Box::new(finish)))]).await;

    assert_eq!(stored(&fixture.store(), call.id()).await.unwrap(), r#"{"changed":1}"#);
    assert_eq!(stored(&fixture.store(), &switched).await.unwrap(), r#"{"made":2}"#);
    assert!(fixture.time_to_live(call.id()).await.unwrap() <= Duration::from_secs(5));
    // A document that was not there before lives as long as one that was taken in.
    assert!(fixture.time_to_live(&switched).await.unwrap() > VCON_EXPIRY - Duration::from_secs(60));
    assert_eq!(listed(&queue, "routed").await, [switched.as_str()]);
    assert_eq!(listed(&queue, "out").await, [switched.as_str(), call.id().as_str()]);
    let next = claim(&queue, &worker, &["out"], 8).await;
    assert!(next.iter().all(|lease| lease.context.as_ref() == Some(&context)), "{next:?}");
    // The context belongs to one occurrence: it is gone with that one.
    finish_all(&queue, &worker, next).await;
    push(&queue, "out", &[switched.as_str()]).await;
    assert_eq!(claim(&queue, &worker, &["out"], 8).await[0].context, None);
}

/// See [`CASES`](super::CASES).
pub async fn a_storage_letter_leaves_the_rest_alone(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let (worker, call, lease) = running(&fixture, 2, Some(VCON_EXPIRY)).await;
    let letter = DeadLetter {
        reason: "invalid".to_owned(),
        error: "no such column".to_owned(),
        ..DeadLetter::default()
    };
    let refused = StorageLetter { storage: "archive".into(), id: call.id().clone(), letter };
    let finish = Finish {
        egress: vec![("out".into(), call.id().clone())],
        storage_letters: vec![refused],
        ..Finish::default()
    };
    settle(&queue, &worker, &[Settlement::new(lease, End::Finish(Box::new(finish)))]).await;
    assert_eq!(listed(&queue, "out").await, [call.id().as_str()]);
    let letters =
        queue.dead_letters(&"DLQ:storage:archive".into(), Paging { offset: 0, limit: 10 }).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(&letters[0].id, call.id());
    assert_eq!(letters[0].why.as_ref().unwrap().error, "no such column");
}

/// See [`CASES`](super::CASES).
pub async fn a_dead_letter_keeps_its_reason_and_document(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let (worker, call, lease) = running(&fixture, 3, Some(VCON_EXPIRY)).await;
    let letter = DeadLetter {
        reason: "timeout".to_owned(),
        error: "link `ask`: no answer within 30 s".to_owned(),
        list: Some("in".into()),
        chain: Some("main".into()),
        link: Some("ask".into()),
        storage: None,
        attempt: 3,
        may_have_happened: true,
        signal: None,
        trace_id: Some("0af7".to_owned()),
        worker: Some(worker.clone()),
        at: 0,
    };
    let documents = vec![text(call.id(), r#"{"as after":"the last link"}"#)];
    let end = End::Dead { documents, dlq: "my dead".into(), letter: Box::new(letter.clone()) };
    settle(&queue, &worker, &[Settlement::new(lease, end)]).await;

    let found = queue.dead_letters(&"my dead".into(), Paging { offset: 0, limit: 10 }).await.unwrap();
    let why = found[0].why.clone().expect("the reason is known");
    assert!(why.at > 1_700_000_000, "the backend says when");
    assert_eq!(DeadLetter { at: 0, ..why }, letter);
    assert_eq!(stored(&fixture.store(), call.id()).await.unwrap(), r#"{"as after":"the last link"}"#);
    assert!(fixture.time_to_live(call.id()).await.unwrap() > DLQ_EXPIRY - Duration::from_secs(60));
    assert!(listed(&queue, "in").await.is_empty());
    assert!(queue.holdings(&worker).await.unwrap().is_empty());
}

/// See [`CASES`](super::CASES).
pub async fn a_settled_document_keeps_its_time_to_live(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    for (seed, size) in [(4, 10), (5, 300_000)] {
        for ttl in [None, Some(Duration::from_secs(600))] {
            let (worker, call, lease) = running(&fixture, seed, ttl).await;
            let json = format!(r#"{{"filler":"{}"}}"#, "x".repeat(size));
            let finish = Finish { documents: vec![text(call.id(), json.clone())], ..Finish::default() };
            let batch = [Settlement::new(lease, End::Finish(Box::new(finish)))];
            assert_eq!(settle(&queue, &worker, &batch).await, [Settled::Applied]);
            // The answer may have been lost: again, with the same document.
            assert_eq!(settle(&queue, &worker, &batch).await, [Settled::Gone]);
            assert_eq!(stored(&fixture.store(), call.id()).await.unwrap(), json);
            let left = fixture.time_to_live(call.id()).await;
            assert_eq!(left.is_some(), ttl.is_some());
            assert!(
                left.is_none_or(|left| left > Duration::from_secs(540) && left <= Duration::from_secs(600))
            );
        }
    }
}
