//! Cases about [`Storage::get`](conserver_core::storage::Storage::get) and
//! [`Storage::check`](conserver_core::storage::Storage::check).

use conserver_core::ErrorKind;
use conserver_vcon::VconId;

use super::{StorageFixture, assert_kept, assert_unsupported, odd_ids, save};
use crate::vcons::{Vcons, vcon};

/// See [`CASES`](super::CASES).
pub async fn every_shape_of_document_comes_back(fixture: impl StorageFixture) {
    let mut vcons = Vcons::new(20);
    let mut documents = vec![
        ("call", vcons.call()),
        ("chat", vcons.chat()),
        ("mail", vcons.mail()),
        ("legacy", vcons.legacy()),
        ("with a megabyte of audio", vcons.with_audio(1 << 20)),
    ];
    documents.extend(vcons.odd());
    for (name, document) in documents {
        let vcon = vcon(&document);
        let result = fixture.storage().save(std::slice::from_ref(&vcon)).await.pop();
        result.expect("one answer for one vCon").unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_kept(&fixture, &vcon).await;
    }
}

/// See [`CASES`](super::CASES).
pub async fn a_missing_id_is_none(fixture: impl StorageFixture) {
    let storage = fixture.storage();
    let missing = VconId::new(Vcons::new(21).id());
    // Once before anything was saved, once beside something.
    for _ in 0..2 {
        if storage.info().can_get {
            assert!(storage.get(&missing).await.expect("the other side is up").is_none());
        } else {
            assert_unsupported(&storage.get(&missing).await.expect_err("there is no get"));
        }
        save(&storage, &vcon(&Vcons::new(22).chat())).await;
    }
}

/// See [`CASES`](super::CASES).
pub async fn an_outage_is_an_error(mut fixture: impl StorageFixture) {
    let storage = fixture.storage();
    let mut vcons = Vcons::new(23);
    let [saved, other] = [vcon(&vcons.call()), vcon(&vcons.call())];
    save(&storage, &saved).await;
    fixture.outage().await;

    let error = storage
        .save(std::slice::from_ref(&other))
        .await
        .pop()
        .expect("one answer")
        .expect_err("nothing can be kept");
    assert!(error.is_unavailable(), "{error:?}");
    for id in [saved.id(), other.id()] {
        let error = storage.get(id).await.expect_err("nothing can be read");
        if storage.info().can_get {
            assert!(error.is_unavailable(), "{error:?}");
        } else {
            assert_unsupported(&error);
        }
    }
    let error = storage.delete(saved.id()).await.expect_err("nothing can be removed");
    if storage.info().can_delete {
        assert!(error.is_unavailable(), "{error:?}");
    } else {
        assert_unsupported(&error);
    }
}

/// See [`CASES`](super::CASES).
pub async fn what_is_no_vcon_is_invalid(fixture: impl StorageFixture) {
    let storage = fixture.storage();
    let vcon = vcon(&Vcons::new(26).call());
    save(&storage, &vcon).await;
    if storage.info().can_get {
        fixture.spoil(vcon.id()).await;
        let error = storage.get(vcon.id()).await.expect_err("it holds no vCon");
        assert_eq!((error.kind(), error.is_permanent()), (ErrorKind::Invalid, true), "{error:?}");
    } else {
        assert_unsupported(&storage.get(vcon.id()).await.expect_err("there is no get"));
    }
}

/// See [`CASES`](super::CASES).
pub async fn an_id_it_cannot_keep_is_missing(fixture: impl StorageFixture) {
    let storage = fixture.storage();
    for id in odd_ids() {
        match storage.get(&id).await {
            Ok(found) => assert!(storage.info().can_get && found.is_none(), "{id}"),
            Err(error) => assert_unsupported(&error),
        }
    }
}

/// See [`CASES`](super::CASES).
pub async fn getting_needs_the_capability(fixture: impl StorageFixture) {
    let storage = fixture.storage();
    let vcon = vcon(&Vcons::new(24).call());
    save(&storage, &vcon).await;
    let found = storage.get(vcon.id()).await;
    if storage.info().can_get {
        assert_eq!(found.expect("the other side is up").expect("it was saved").id(), vcon.id());
    } else {
        assert_unsupported(&found.expect_err("there is no get"));
    }
    assert_kept(&fixture, &vcon).await;
}

/// See [`CASES`](super::CASES).
pub async fn checking_tells_whether_a_save_could_succeed(mut fixture: impl StorageFixture) {
    let storage = fixture.storage();
    storage.check().await.expect("the other side is up");
    save(&storage, &vcon(&Vcons::new(25).call())).await;
    storage.check().await.expect("the other side is still up");
    fixture.outage().await;
    let error = storage.check().await.expect_err("the other side is away");
    assert!(error.is_unavailable(), "{error:?}");
}
