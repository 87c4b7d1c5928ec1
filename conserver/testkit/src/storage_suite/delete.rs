//! Cases about [`Storage::delete`](conserver_core::storage::Storage::delete).

use conserver_vcon::VconId;

use super::{StorageFixture, assert_kept, assert_unsupported, odd_ids, save};
use crate::vcons::{Vcons, vcon};

/// See [`CASES`](super::CASES).
pub async fn deleting_tells_whether_something_was_there(fixture: impl StorageFixture) {
    let storage = fixture.storage();
    let mut vcons = Vcons::new(30);
    let vcon = vcon(&vcons.call());
    save(&storage, &vcon).await;
    if storage.info().can_delete {
        assert!(!storage.delete(&VconId::new(vcons.id())).await.expect("the other side is up"));
        assert!(storage.delete(vcon.id()).await.expect("the other side is up"));
        assert!(!storage.delete(vcon.id()).await.expect("the other side is up"));
    } else {
        assert_unsupported(&storage.delete(vcon.id()).await.expect_err("there is no delete"));
    }
}

/// See [`CASES`](super::CASES).
pub async fn what_was_deleted_is_missing(fixture: impl StorageFixture) {
    let storage = fixture.storage();
    let mut vcons = Vcons::new(31);
    let [gone, stays] = [vcon(&vcons.call()), vcon(&vcons.call())];
    assert!(storage.save(&[gone.clone(), stays.clone()]).await.into_iter().all(|result| result.is_ok()));
    if storage.info().can_delete {
        storage.delete(gone.id()).await.expect("the other side is up");
        assert_eq!(fixture.kept(gone.id()).await, None);
    } else {
        assert_unsupported(&storage.delete(gone.id()).await.expect_err("there is no delete"));
        assert_kept(&fixture, &gone).await;
    }
    assert_kept(&fixture, &stays).await;
}

/// See [`CASES`](super::CASES).
pub async fn an_id_it_cannot_keep_was_not_there(fixture: impl StorageFixture) {
    let storage = fixture.storage();
    for id in odd_ids() {
        match storage.delete(&id).await {
            Ok(was_there) => assert!(storage.info().can_delete && !was_there, "{id}"),
            Err(error) => assert_unsupported(&error),
        }
    }
}

/// See [`CASES`](super::CASES).
pub async fn deleting_needs_the_capability(fixture: impl StorageFixture) {
    let storage = fixture.storage();
    let vcon = vcon(&Vcons::new(32).call());
    save(&storage, &vcon).await;
    match storage.delete(vcon.id()).await {
        Ok(was_there) => assert!(storage.info().can_delete && was_there),
        Err(error) => {
            assert!(!storage.info().can_delete, "{error:?}");
            assert_unsupported(&error);
        }
    }
}
