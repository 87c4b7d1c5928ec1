//! Cases about documents outside of runs: put, load, restore, index, delete.

use std::time::Duration;

use conserver_core::ErrorKind;
use conserver_core::store::IndexKeys;
use conserver_core::vcon::{Limits, Vcon, View};
use serde_json::json;

use super::*;
use crate::json::{parse, same};
use crate::vcons::{Vcons, bytes, vcon};

/// See [`CASES`](super::CASES).
pub async fn what_was_put_comes_back(fixture: impl QueueFixture) {
    let store = fixture.store();
    let mut vcons = Vcons::new(1);
    let mut documents =
        vec![vcons.call(), vcons.chat(), vcons.mail(), vcons.legacy(), vcons.with_audio(200_000)];
    documents.extend(vcons.odd().into_iter().map(|(_, document)| document));
    let all: Vec<Vcon> = documents.iter().map(vcon).collect();
    for vcon in &all {
        store.put(vcon, Some(VCON_EXPIRY)).await.unwrap();
    }
    let ids: Vec<VconId> = all.iter().map(|vcon| vcon.id().clone()).collect();
    let loaded = store.load(&ids).await.unwrap();
    assert_eq!(loaded.len(), all.len());
    for (vcon, loaded) in all.iter().zip(loaded) {
        let Loaded::Found { json, .. } = loaded else { panic!("{loaded:?}") };
        let expected = vcon.render(View::Stored);
        assert!(json == expected || same(&parse(&json), &parse(&expected)), "{}", vcon.id());
    }
}

/// See [`CASES`](super::CASES).
pub async fn missing_and_odd_documents_are_told_apart(fixture: impl QueueFixture) {
    let store = fixture.store();
    let call = vcon(&Vcons::new(2).call());
    store.put(&call, None).await.unwrap();
    let spoilt = VconId::new("spoilt");
    let has_types = fixture.spoil_document(&spoilt).await;
    let ids = [VconId::new("nowhere"), spoilt, call.id().clone(), VconId::new("")];
    let loaded = store.load(&ids).await.unwrap();
    assert!(matches!(loaded[0], Loaded::Missing), "{loaded:?}");
    match &loaded[1] {
        Loaded::Unreadable(error) => {
            assert_eq!(error.kind(), ErrorKind::WrongType);
            assert!(has_types && error.chain().contains("spoilt"), "{error:?}");
        }
        other => assert!(!has_types && matches!(other, Loaded::Missing), "{other:?}"),
    }
    assert!(matches!(loaded[2], Loaded::Found { .. }), "{loaded:?}");
    assert!(matches!(loaded[3], Loaded::Missing), "{loaded:?}");
    assert!(store.load(&[]).await.unwrap().is_empty());
}

/// See [`CASES`](super::CASES).
pub async fn an_outage_of_the_store_is_an_error(mut fixture: impl QueueFixture) {
    let store = fixture.store();
    let call = vcon(&Vcons::new(3).call());
    store.put(&call, None).await.unwrap();
    if fixture.outage().await {
        let error = store.load(&[call.id().clone()]).await.expect_err("nobody answers");
        assert!(error.is_unavailable(), "{error:?}");
        assert!(store.put(&call, None).await.expect_err("nobody answers").is_unavailable());
    } else {
        assert!(text_of(&store, call.id()).await.is_some());
    }
}

/// See [`CASES`](super::CASES).
pub async fn putting_replaces_and_sets_the_time_to_live(fixture: impl QueueFixture) {
    let store = fixture.store();
    let mut call = Vcons::new(4).call();
    store.put(&vcon(&call), Some(Duration::from_secs(600))).await.unwrap();
    call["subject"] = json!("another one");
    let call = vcon(&call);
    store.put(&call, None).await.unwrap();
    assert_eq!(fixture.time_to_live(call.id()).await, None);
    assert_eq!(parse(&text_of(&store, call.id()).await.unwrap())["subject"], "another one");
    store.put(&call, Some(Duration::from_secs(600))).await.unwrap();
    let left = fixture.time_to_live(call.id()).await.expect("it has an end");
    assert!(left <= Duration::from_secs(600) && left > Duration::from_secs(540), "{left:?}");
}

/// See [`CASES`](super::CASES).
pub async fn what_was_put_is_found_by_its_parties(fixture: impl QueueFixture) {
    let mut call = Vcons::new(5).call();
    call["parties"] = json!([
        {"tel": "+1 555 0100", "name": "Zoë: O'Neil"}, {"mailto": "a@example.com", "name": ""}, {"role": "nobody"},
    ]);
    let call = vcon(&call);
    fixture.store().put(&call, None).await.unwrap();
    for (kind, value) in [("tel", "+1 555 0100"), ("name", "Zoë: O'Neil"), ("mailto", "a@example.com")] {
        assert_eq!(fixture.found_under(kind, value).await, [call.id().clone()], "{kind}");
    }
    assert!(fixture.found_under("name", "").await.is_empty());
}

/// See [`CASES`](super::CASES).
pub async fn restoring_does_not_overwrite(fixture: impl QueueFixture) {
    let store = fixture.store();
    let mut call = Vcons::new(6).call();
    let old = vcon(&call);
    store.restore(&old, Some(VCON_EXPIRY)).await.unwrap();
    assert!(fixture.time_to_live(old.id()).await.is_some());
    call["subject"] = json!("changed meanwhile");
    let new = vcon(&call);
    store.put(&new, None).await.unwrap();
    store.restore(&old, Some(VCON_EXPIRY)).await.unwrap();
    assert_eq!(parse(&text_of(&store, old.id()).await.unwrap())["subject"], "changed meanwhile");
    assert_eq!(fixture.time_to_live(old.id()).await, None);
}

/// See [`CASES`](super::CASES).
pub async fn indexed_keys_are_found(fixture: impl QueueFixture) {
    let store = fixture.store();
    let keys = IndexKeys {
        created: Some(1_767_603_600),
        tel: vec!["+1 555 0101".to_owned(), "+1 555 0102".to_owned()],
        mailto: vec!["b@example.com".to_owned()],
        name: vec!["名前".to_owned()],
    };
    for id in ["one", "two words"] {
        store.index(&id.into(), &keys).await.unwrap();
    }
    store.index(&"one".into(), &IndexKeys::default()).await.unwrap();
    for (kind, value) in
        [("tel", "+1 555 0101"), ("tel", "+1 555 0102"), ("mailto", "b@example.com"), ("name", "名前")]
    {
        let mut found = fixture.found_under(kind, value).await;
        found.sort();
        assert_eq!(found, ["one".into(), "two words".into()], "{kind} {value}");
    }
}

/// See [`CASES`](super::CASES).
pub async fn deleting_takes_the_search_keys_along(fixture: impl QueueFixture) {
    let store = fixture.store();
    let mut call = Vcons::new(7).call();
    call["parties"] = json!([{"tel": "+1 555 0103"}]);
    let call = vcon(&call);
    assert!(!store.delete(call.id()).await.unwrap());
    store.put(&call, None).await.unwrap();
    assert!(store.delete(call.id()).await.unwrap());
    assert!(!store.delete(call.id()).await.unwrap());
    assert_eq!(text_of(&store, call.id()).await, None);
    assert!(fixture.found_under("tel", "+1 555 0103").await.is_empty());
    let odd = Vcon::parse("no uuid".into(), bytes(&json!({"vcon": "0.4.0"})), &Limits::default())
        .expect("a document");
    store.put(&odd, None).await.unwrap();
    assert!(store.delete(odd.id()).await.unwrap());
}
