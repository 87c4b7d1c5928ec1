//! The storage on a real Redis.
#![allow(clippy::unwrap_used, reason = "tests")]

mod failures;
mod fixture;

use std::time::Duration;

use conserver_core::registry::{BuildContext, StorageKind};
use conserver_core::vcon::{Limits, Vcon, VconId};
use conserver_core::{ErrorKind, Secret};
use conserver_storage_redis::{RedisStorage, RedisStorageOptions};
use conserver_testkit::json::{read_view, same};
use conserver_testkit::redis::{AppendOnly, RedisOptions, RedisServer};
use conserver_testkit::vcons::{Vcons, bytes, vcon};
use fixture::{Fixture, key, save};
use serde_json::Value;

mod suite {
    conserver_testkit::storage_suite!(super::Fixture::new());
}

const WEEK: i64 = 604_800;

#[tokio::test]
async fn a_copy_is_json_text_under_the_prefix_for_a_week() {
    let fixture = Fixture::new();
    let legacy = vcon(&Vcons::new(60).legacy());
    save(&fixture.storage, &legacy).await;
    let key = key(legacy.id());
    assert_eq!(fixture.ask::<Vec<String>>(&["KEYS", "*"]), std::slice::from_ref(&key));
    let kept: Value = serde_json::from_str(&fixture.ask::<String>(&["GET", &key])).unwrap();
    assert!(same(&kept, &read_view(&legacy)), "names of today: {kept}");
    let left: i64 = fixture.ask(&["TTL", &key]);
    assert!((WEEK - 60..=WEEK).contains(&left), "{left}");
}

#[tokio::test]
async fn what_the_python_server_wrote_is_read() {
    let fixture = Fixture::new();
    // Python's spelling: spaces, and escapes for all that is not ASCII.
    let text = r#"{"uuid": "a", "vcon": "0.0.1", "subject": "\u540d\u524d", "parties": [{"tel": "+1"}], "dialog": [], "analysis": [], "attachments": [{"type": "tags", "body": "[\"a:b\"]", "encoding": "json"}]}"#;
    fixture.ask::<()>(&["SET", "vcon_storage:a", text, "EX", "60"]);
    let found = fixture.storage.get(&VconId::new("a")).await.unwrap().unwrap();
    assert_eq!(found.text("subject").unwrap(), "名前");
    assert_eq!(read_view(&found)["attachments"][0]["purpose"], "tags");
    assert!(fixture.storage.delete(&VconId::new("a")).await.unwrap());
    assert_eq!(fixture.ask::<i64>(&["DBSIZE"]), 0);
}

#[tokio::test]
async fn every_save_begins_the_lifetime_anew() {
    let fixture = Fixture::new();
    let call = vcon(&Vcons::new(61).call());
    save(&fixture.storage, &call).await;
    fixture.ask::<()>(&["EXPIRE", &key(call.id()), "5"]);
    save(&fixture.storage, &call).await;
    assert!(fixture.ask::<i64>(&["TTL", &key(call.id())]) > 5);

    let for_ever = Fixture::on(fixture.server, |options| options.expires = None);
    save(&for_ever.storage, &call).await;
    assert_eq!(for_ever.ask::<i64>(&["TTL", &key(call.id())]), -1);
}

#[tokio::test]
async fn a_copy_ends_with_its_lifetime() {
    let fixture = Fixture::with(&[], |options| options.expires = Some(Duration::from_millis(50)));
    let call = vcon(&Vcons::new(62).call());
    save(&fixture.storage, &call).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(fixture.storage.get(call.id()).await.unwrap().is_none());
    assert!(!fixture.storage.delete(call.id()).await.unwrap());
}

#[tokio::test]
async fn a_full_batch_is_kept_whole() {
    let fixture = Fixture::new();
    let mut vcons = Vcons::new(63);
    let batch: Vec<Vcon> = (0..256).map(|_| vcon(&vcons.with_audio(20_000))).collect();
    assert!(fixture.storage.save(&batch).await.into_iter().all(|result| result.is_ok()));
    assert_eq!(fixture.ask::<i64>(&["DBSIZE"]), 256);
    let found = fixture.storage.get(batch[200].id()).await.unwrap().unwrap();
    assert!(same(&read_view(&found), &read_view(&batch[200])));
}

#[tokio::test]
async fn two_prefixes_are_two_storages() {
    let one = Fixture::new();
    let call = vcon(&Vcons::new(64).call());
    save(&one.storage, &call).await;
    let other = Fixture::on(one.server, |options| options.prefix = "archive: 2026".to_owned());
    assert!(other.storage.get(call.id()).await.unwrap().is_none());
    save(&other.storage, &call).await;
    assert!(other.storage.delete(call.id()).await.unwrap());
    assert_eq!(other.ask::<Vec<String>>(&["KEYS", "*"]), [key(call.id())]);
}

#[tokio::test]
async fn a_url_leads_elsewhere_and_over_tls() {
    let lists = RedisServer::start();
    let tls = RedisOptions { append_only: AppendOnly::No, tls: true, args: Vec::new() };
    let server = RedisServer::start_with(tls);
    let ca = server.certificate().unwrap().ca.display().to_string();
    let url = Secret::new(format!("{}/1?ssl_ca_certs={ca}", server.url()));
    let elsewhere = Fixture::on(lists, |options| options.url = Some(url));
    elsewhere.storage.check().await.unwrap();
    let call = vcon(&Vcons::new(65).call());
    save(&elsewhere.storage, &call).await;
    assert!(elsewhere.storage.get(call.id()).await.unwrap().is_some());
    assert_eq!(elsewhere.ask::<i64>(&["DBSIZE"]), 0, "the Redis with the lists has none");
}

#[test]
fn without_any_redis_there_is_no_storage() {
    let built = RedisStorage::build(RedisStorageOptions::default(), &BuildContext::new("cache"));
    let error = built.err().unwrap();
    assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("`url`"), "{error:?}");
}

#[tokio::test]
async fn a_key_that_holds_no_vcon_is_invalid() {
    let fixture = Fixture::new();
    fixture.ask::<()>(&["SET", "vcon_storage:a", "[1, 2"]);
    let error = fixture.storage.get(&VconId::new("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("`vcon_storage:a`"), "{error:?}");
    // A save puts it right.
    let call = Vcon::parse(VconId::new("a"), bytes(&Vcons::new(66).call()), &Limits::default()).unwrap();
    save(&fixture.storage, &call).await;
    assert!(fixture.storage.get(call.id()).await.unwrap().is_some());
}
