//! Cases about documents in the middle of a run: [`VconStore::checkpoint`].

use std::time::Duration;

use conserver_core::ErrorKind;
use conserver_core::queue::Strikes;
use conserver_core::store::{DocumentWrite, Encoding};

use super::*;
use crate::queue_suite::{claim, finish_all, push, worker};
use crate::vcons::{Vcons, vcon};

fn write(id: &VconId, size: usize) -> DocumentWrite {
    let json = format!(r#"{{"filler":"{}"}}"#, "x".repeat(size)).into();
    DocumentWrite { id: id.clone(), json, encoding: Encoding::Text }
}

/// See [`CASES`](super::CASES).
pub async fn a_checkpoint_of_another_worker_writes_nothing(fixture: impl QueueFixture) {
    let (queue, store) = (fixture.queue(), fixture.store());
    let (one, two) = (worker(&queue).await, worker(&queue).await);
    let call = vcon(&Vcons::new(1).call());
    store.put(&call, None).await.unwrap();
    let before = text_of(&store, call.id()).await;
    push(&queue, "in", &[call.id().as_str()]).await;
    let first = claim(&queue, &one, &["in"], 1).await;
    for size in [10, 200_000] {
        assert!(!store.checkpoint(&two, &first[0].entry, &write(call.id(), size)).await.unwrap());
    }
    queue.recover(&one, &Strikes::none()).await.unwrap();
    let second = claim(&queue, &two, &["in"], 1).await;
    for size in [10, 200_000] {
        assert!(!store.checkpoint(&one, &first[0].entry, &write(call.id(), size)).await.unwrap());
        assert!(!store.checkpoint(&two, &first[0].entry, &write(call.id(), size)).await.unwrap());
    }
    assert_eq!(text_of(&store, call.id()).await, before);
    let entry = second[0].entry.clone();
    finish_all(&queue, &two, second).await;
    assert!(!store.checkpoint(&two, &entry, &write(call.id(), 10)).await.unwrap());
    assert_eq!(text_of(&store, call.id()).await, before);
}

/// See [`CASES`](super::CASES).
pub async fn a_checkpoint_keeps_the_time_to_live(fixture: impl QueueFixture) {
    let (queue, store) = (fixture.queue(), fixture.store());
    let worker = worker(&queue).await;
    let mut vcons = Vcons::new(2);
    for ttl in [None, Some(Duration::from_secs(600))] {
        let call = vcon(&vcons.call());
        store.put(&call, ttl).await.unwrap();
        push(&queue, "in", &[call.id().as_str()]).await;
        let lease = claim(&queue, &worker, &["in"], 1).await;
        for size in [10, 200_000, 10] {
            let document = write(call.id(), size);
            assert!(store.checkpoint(&worker, &lease[0].entry, &document).await.unwrap());
            assert_eq!(text_of(&store, call.id()).await, Some(document.json));
            let left = fixture.time_to_live(call.id()).await;
            assert_eq!(left.is_some(), ttl.is_some());
            assert!(
                left.is_none_or(|left| left > Duration::from_secs(540) && left <= Duration::from_secs(600))
            );
        }
    }
}

/// See [`CASES`](super::CASES).
pub async fn a_checkpoint_over_no_document_is_a_wrong_type(fixture: impl QueueFixture) {
    let (queue, store) = (fixture.queue(), fixture.store());
    let worker = worker(&queue).await;
    let has_types = fixture.spoil_document(&"spoilt".into()).await;
    push(&queue, "in", &["spoilt"]).await;
    let lease = claim(&queue, &worker, &["in"], 1).await;
    for size in [10, 200_000] {
        let result = store.checkpoint(&worker, &lease[0].entry, &write(&"spoilt".into(), size)).await;
        if has_types {
            let error = result.expect_err("it is no document");
            assert_eq!(error.kind(), ErrorKind::WrongType);
            assert!(error.chain().contains("spoilt"), "{error:?}");
            assert!(matches!(load(&store, &"spoilt".into()).await, Loaded::Unreadable(_)));
        } else {
            assert!(result.unwrap());
        }
    }
}
