//! Servers that refuse, stop, freeze, or are full; and keys that are somebody else's.

use std::time::Duration;

use conserver_core::{Applied, ErrorKind, Secret};
use conserver_testkit::free_port;
use conserver_testkit::redis::{RedisOptions, RedisServer};
use conserver_testkit::vcons::{Vcons, vcon};

use crate::fixture::{Fixture, key, save, try_save};

#[tokio::test]
async fn a_key_of_another_type_is_left_alone() {
    let fixture = Fixture::new();
    let mut vcons = Vcons::new(70);
    let [first, theirs, last] = [vcon(&vcons.call()), vcon(&vcons.call()), vcon(&vcons.chat())];
    let taken = key(theirs.id());
    fixture.ask::<i64>(&["RPUSH", &taken, "not", "ours"]);

    let results = fixture.storage.save(&[first.clone(), theirs.clone(), last.clone()]).await;
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    let errors = [
        results.into_iter().nth(1).unwrap().unwrap_err(),
        fixture.storage.get(theirs.id()).await.unwrap_err(),
        fixture.storage.delete(theirs.id()).await.unwrap_err(),
    ];
    for error in errors {
        assert!(error.kind() == ErrorKind::WrongType && error.is_permanent(), "{error:?}");
    }
    assert_eq!(fixture.ask::<Vec<String>>(&["LRANGE", &taken, "0", "-1"]), ["not", "ours"]);
    assert!(fixture.storage.get(first.id()).await.unwrap().is_some());
    assert!(fixture.storage.get(last.id()).await.unwrap().is_some());
}

/// Puts a server into a state in which it takes no writes, and takes it out again.
async fn no_write_is_taken(fixture: &Fixture, into: &[&str], out: &[&str]) {
    let mut vcons = Vcons::new(71);
    let [kept, other] = [vcon(&vcons.call()), vcon(&vcons.call())];
    save(&fixture.storage, &kept).await;
    fixture.ask::<()>(into);
    for error in
        [try_save(&fixture.storage, &other).await.unwrap_err(), fixture.storage.check().await.unwrap_err()]
    {
        assert!(error.is_unavailable(), "{into:?}: {error:?}");
    }
    assert!(fixture.storage.get(kept.id()).await.unwrap().is_some(), "{into:?}: what is there is read");
    fixture.ask::<()>(out);
    fixture.storage.check().await.unwrap();
    save(&fixture.storage, &other).await;
    assert_eq!(fixture.ask::<i64>(&["EXISTS", &key(other.id())]), 1);
}

#[tokio::test]
async fn a_full_server_is_away_and_the_vcon_is_not_at_fault() {
    let (into, out) = (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]);
    no_write_is_taken(&Fixture::new(), &into, &out).await;
}

#[tokio::test]
async fn a_replica_is_away_and_the_vcon_is_not_at_fault() {
    let port = free_port().to_string();
    no_write_is_taken(&Fixture::new(), &["REPLICAOF", "127.0.0.1", &port], &["REPLICAOF", "NO", "ONE"]).await;
}

#[tokio::test]
async fn a_server_without_its_replicas_is_away() {
    let set = |number| ["CONFIG", "SET", "min-replicas-to-write", number];
    no_write_is_taken(&Fixture::new(), &set("1"), &set("0")).await;
}

#[tokio::test]
async fn what_was_saved_survives_kill_minus_nine_and_the_storage_recovers() {
    let mut fixture = Fixture::on(RedisServer::start(), |_| ());
    let mut vcons = Vcons::new(72);
    let [kept, later] = [vcon(&vcons.call()), vcon(&vcons.call())];
    save(&fixture.storage, &kept).await;

    fixture.server.kill();
    assert!(try_save(&fixture.storage, &later).await.unwrap_err().is_unavailable());
    assert!(fixture.storage.get(kept.id()).await.unwrap_err().is_unavailable());
    fixture.server.restart();
    assert!(fixture.storage.get(kept.id()).await.unwrap().is_some());
    save(&fixture.storage, &later).await;
}

#[tokio::test]
async fn a_frozen_server_ends_the_wait() {
    let fixture = Fixture::with(&[], |options| options.response_timeout = Duration::from_millis(300));
    let call = vcon(&Vcons::new(73).call());
    save(&fixture.storage, &call).await;
    fixture.server.pause();
    let error = try_save(&fixture.storage, &call).await.unwrap_err();
    assert!(error.is_unavailable() && error.get_applied() == Applied::Unknown, "{error:?}");
    assert!(fixture.storage.get(call.id()).await.unwrap_err().is_unavailable());
    fixture.server.resume();
    save(&fixture.storage, &call).await;
}

#[tokio::test]
async fn wrong_settings_concern_the_server_and_not_the_vcon() {
    let args = vec!["--requirepass".to_owned(), "sesame".to_owned()];
    let mut server = RedisServer::start_with(RedisOptions { args, ..RedisOptions::default() });
    let call = vcon(&Vcons::new(74).call());
    let wrong_password = server.url().replace("redis://", "redis://:hunter2@");
    for (url, kind) in [
        (server.url(), ErrorKind::Unauthorized),
        (wrong_password, ErrorKind::Unauthorized),
        (format!("redis://:hunter2@127.0.0.1:{}", free_port()), ErrorKind::Unavailable),
        ("redis://:hunter2@host.invalid".to_owned(), ErrorKind::Unavailable),
    ] {
        let fixture = Fixture::on(server, |options| options.url = Some(Secret::new(url)));
        let errors = [
            try_save(&fixture.storage, &call).await.unwrap_err(),
            fixture.storage.get(call.id()).await.unwrap_err(),
            fixture.storage.check().await.unwrap_err(),
        ];
        for error in errors {
            assert!(error.kind() == kind && error.is_unavailable(), "{error:?}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        server = fixture.server;
    }
}

#[tokio::test]
async fn a_user_without_the_right_to_write_is_told_by_the_check() {
    let fixture = Fixture::new();
    fixture.ask::<()>(&["ACL", "SETUSER", "reader", "on", ">pw", "~vcon_storage:*", "+get", "+info"]);
    let reading = fixture.server.url().replace("redis://", "redis://reader:pw@");
    let reader = Fixture::on(fixture.server, |options| options.url = Some(Secret::new(reading)));
    let error = reader.storage.check().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unauthorized && error.is_unavailable(), "{error:?}");
    // These are all the rights that it needs.
    reader.ask::<()>(&["ACL", "SETUSER", "reader", "+set", "+getdel"]);
    reader.storage.check().await.unwrap();
    let call = vcon(&Vcons::new(75).call());
    save(&reader.storage, &call).await;
    assert!(reader.storage.delete(call.id()).await.unwrap());
}
