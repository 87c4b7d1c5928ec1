//! Cases about [`Storage::save`](conserver_core::storage::Storage::save).

use std::time::Duration;

use bytes::Bytes;
use conserver_core::ErrorKind;
use conserver_vcon::{Limits, Vcon, VconId};
use serde_json::{Value, json};

use super::{StorageFixture, assert_kept, save};
use crate::json::{read_view, same};
use crate::vcons::{Vcons, bytes, vcon};

/// See [`CASES`](super::CASES).
pub async fn what_was_saved_is_found_by_another_instance(fixture: impl StorageFixture) {
    let mut vcons = Vcons::new(1);
    let batch: Vec<Vcon> = (0..5).map(|_| vcon(&vcons.call())).collect();
    let results = fixture.storage().save(&batch).await;
    assert_eq!(results.len(), batch.len());
    for (result, vcon) in results.into_iter().zip(&batch) {
        result.expect("the vCon is kept");
        assert_kept(&fixture, vcon).await;
    }
}

/// See [`CASES`](super::CASES).
pub async fn saving_again_replaces(fixture: impl StorageFixture) {
    let call = Vcons::new(2).call();
    let [old, new] = [vcon(&call), edition(&call, 2)];
    save(&fixture.storage(), &old).await;
    save(&fixture.storage(), &new).await;
    assert_kept(&fixture, &new).await;
    save(&fixture.storage(), &old).await;
    assert_kept(&fixture, &old).await;
}

/// See [`CASES`](super::CASES).
pub async fn saving_again_with_another_date_replaces(fixture: impl StorageFixture) {
    let mut call = Vcons::new(3).call();
    for created in ["2026-01-05T09:00:00Z", "2025-12-31T23:59:59Z", "2026-03-01T00:00:00+01:00", "no time"] {
        call["created_at"] = json!(created);
        let dated = vcon(&call);
        save(&fixture.storage(), &dated).await;
        assert_kept(&fixture, &dated).await;
    }
}

/// See [`CASES`](super::CASES).
pub async fn a_refused_vcon_does_not_stop_its_batch(fixture: impl StorageFixture) {
    let mut vcons = Vcons::new(4);
    let [first, last] = [vcon(&vcons.call()), vcon(&vcons.chat())];
    let batch = [first.clone(), fixture.refused(), last.clone()];
    let results = fixture.storage().save(&batch).await;
    assert_eq!(results.len(), batch.len());
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    let error = results[1].as_ref().expect_err("the vCon is refused");
    assert!(error.is_permanent(), "{error:?}");
    assert_kept(&fixture, &first).await;
    assert_kept(&fixture, &last).await;
}

/// See [`CASES`](super::CASES).
pub async fn the_later_of_two_in_a_batch_wins(fixture: impl StorageFixture) {
    let mut vcons = Vcons::new(5);
    let call = vcons.call();
    let other = vcon(&vcons.mail());
    let batch = [vcon(&call), other.clone(), edition(&call, 2), edition(&call, 3)];
    for result in fixture.storage().save(&batch).await {
        result.expect("the vCon is kept");
    }
    assert_kept(&fixture, &batch[3]).await;
    assert_kept(&fixture, &other).await;
}

/// See [`CASES`](super::CASES).
pub async fn concurrent_saves_leave_one_whole(fixture: impl StorageFixture) {
    let mut vcons = Vcons::new(6);
    let instances = [fixture.storage(), fixture.reopen().await];
    // A new id each time, for first saves meet in other places than later ones do.
    for _ in 0..5 {
        let call = vcons.with_audio(100_000);
        let editions: Vec<Vcon> = (0..8).map(|number| edition(&call, number)).collect();
        let tasks: Vec<_> = (editions.iter().cloned().zip(instances.iter().cycle().cloned()))
            .map(|(edition, storage)| tokio::spawn(async move { save(&storage, &edition).await }))
            .collect();
        for task in tasks {
            task.await.expect("no save fails");
        }
        assert_is_one_of(&fixture, &editions).await;
    }
}

/// See [`CASES`](super::CASES).
pub async fn a_dropped_save_leaves_old_or_new(fixture: impl StorageFixture) {
    let call = Vcons::new(7).with_audio(200_000);
    let editions: Vec<Vcon> = (0..30).map(|number| edition(&call, number)).collect();
    save(&fixture.storage(), &editions[0]).await;
    for (number, edition) in editions.iter().enumerate() {
        let limit = Duration::from_micros(100 * number as u64);
        // Whether it ends in time does not matter: both is right.
        let _ = tokio::time::timeout(limit, save(&fixture.storage(), edition)).await;
        assert_is_one_of(&fixture, &editions).await;
    }
}

/// See [`CASES`](super::CASES).
pub async fn an_id_that_is_no_uuid_is_kept_or_invalid(fixture: impl StorageFixture) {
    let storage = fixture.storage();
    for id in
        ["order 4711", "../../etc/passwd", "/", "a/b", "..", ".hidden", "名前", "%2e", "x.json", "\u{1}\n"]
    {
        let mut document = Vcons::new(8).call();
        document["subject"] = json!(format!("known as {id}"));
        let vcon = Vcon::parse(VconId::new(id), bytes(&document), &Limits::default()).expect("a document");
        let result = storage.save(std::slice::from_ref(&vcon)).await.pop().expect("one answer for one vCon");
        if storage.info().needs_uuid {
            assert_eq!(result.expect_err("the id is no UUID").kind(), ErrorKind::Invalid, "{id}");
        } else {
            result.expect("the vCon is kept");
            assert_kept(&fixture, &vcon).await;
        }
    }
}

/// The same vCon with another subject, and as many bytes of something else.
fn edition(document: &Value, number: usize) -> Vcon {
    let mut document = document.clone();
    document["subject"] = json!(format!("edition {number}"));
    document["x-filler"] = json!(number.to_string().repeat(1000));
    vcon(&document)
}

async fn assert_is_one_of(fixture: &dyn StorageFixture, editions: &[Vcon]) {
    let kept = fixture.kept(editions[0].id()).await.expect("one of them is there");
    let is_whole = editions.iter().any(|edition| same(&read_view(edition), &kept));
    assert!(is_whole, "kept is none of those saved: {}", Bytes::from(kept.to_string()).len());
}
