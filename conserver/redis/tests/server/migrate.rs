//! What a Python server left becomes what the conserver writes, and nothing is lost on the way.

use std::sync::atomic::{AtomicU64, Ordering};

use conserver_core::vcon::VconId;
use conserver_core::{Error, ErrorKind};
use conserver_redis::Migration;
use serde_json::{Value, json};

use crate::fake::{FakeRedis, document};
use crate::support::{Bench, ask};

/// A vCon that the sorted set can take.
fn dated(id: &str, size: usize) -> Value {
    let mut document = document(id, size);
    document["created_at"] = json!("2026-01-02T03:04:05Z");
    document
}

/// Its kind, its text and its time to live.
async fn plain(fake: &FakeRedis, id: &str) -> (String, Value, i64) {
    let key = format!("vcon:{id}");
    let kind: String = ask(&fake.raw, &["TYPE", &key]).await;
    let text: String = ask(
        &fake.raw,
        if kind == "string" { vec!["GET", &key] } else { vec!["JSON.GET", &key, "."] }.as_slice(),
    )
    .await;
    (kind, serde_json::from_str(&text).unwrap(), ask(&fake.raw, &["PTTL", &key]).await)
}

#[tokio::test]
async fn json_documents_become_text_and_keep_content_and_time_to_live() {
    let fake = FakeRedis::start().await;
    for (id, size) in [("small", 10), ("large", 300_000)] {
        fake.put(id, &dated(id, size), 600_000).await;
    }
    fake.put("forever", &dated("forever", 10), 600_000).await;
    ask::<i64>(&fake.raw, &["PERSIST", "vcon:forever"]).await;
    ask::<()>(&fake.raw, &["SET", "vcon:text", &dated("text", 10).to_string(), "PX", "600000"]).await;

    let found = fake.redis.migrate(false, |_| ()).await.unwrap();
    let expected = Migration {
        documents: 4,
        json_documents: 3,
        missing_members: 4,
        missing_search_entries: 8,
        ..Migration::default()
    };
    assert_eq!(found, expected);
    assert_eq!(plain(&fake, "small").await.0, "ReJSON-RL", "a look writes nothing");
    assert_eq!(ask::<i64>(&fake.raw, &["ZCARD", "vcons"]).await, 0, "a look writes nothing");

    assert_eq!(fake.redis.migrate(true, |_| ()).await.unwrap(), expected);
    for (id, size) in [("small", 10), ("large", 300_000), ("text", 10)] {
        let (kind, stored, left) = plain(&fake, id).await;
        assert_eq!((kind.as_str(), &stored), ("string", &dated(id, size)));
        assert!(left > 540_000 && left <= 600_000, "{left}");
    }
    let (kind, stored, left) = plain(&fake, "forever").await;
    assert_eq!((kind.as_str(), stored, left), ("string", dated("forever", 10), -1));

    let again = fake.redis.migrate(true, |_| ()).await.unwrap();
    assert_eq!(again, Migration { documents: 4, ..Migration::default() });
}

#[tokio::test]
async fn a_migration_that_is_cut_off_leaves_every_document_whole_and_goes_on() {
    let fake = FakeRedis::start().await;
    let ids: Vec<String> = (0..150).map(|n| format!("call-{n}")).collect();
    for id in &ids {
        fake.put(id, &dated(id, 500), 600_000).await;
    }
    // Dropped where it waits for the server, after the first documents were converted.
    let (converted, stop) = (AtomicU64::new(0), tokio::sync::Notify::new());
    let migration = fake.redis.migrate(true, |so_far| {
        converted.store(so_far.json_documents, Ordering::Relaxed);
        if so_far.json_documents > 0 {
            stop.notify_one();
        }
    });
    tokio::select! {
        biased;
        () = stop.notified() => (),
        done = migration => panic!("it came to its end: {done:?}"),
    }
    let before = converted.load(Ordering::Relaxed);
    assert!(before > 0 && before < 150, "{before}");
    for id in &ids {
        assert_eq!(plain(&fake, id).await.1, dated(id, 500));
    }
    let rest = fake.redis.migrate(true, |_| ()).await.unwrap();
    assert!(rest.json_documents > 0 && rest.json_documents <= 150 - before, "{rest:?} after {before}");
    for id in &ids {
        let (kind, stored, _) = plain(&fake, id).await;
        assert_eq!((kind.as_str(), stored), ("string", dated(id, 500)));
    }
    assert_eq!(ask::<i64>(&fake.raw, &["ZCARD", "vcons"]).await, 150);
}

#[tokio::test]
async fn members_get_the_names_of_their_keys_and_keep_their_scores() {
    let bench = Bench::new().await;
    ask::<i64>(
        &bench.raw,
        &["ZADD", "vcons", "7.5", "bare", "8", "vcon:named", "9", "both", "10", "vcon:both"],
    )
    .await;
    let found = bench.redis.migrate(false, |_| ()).await.unwrap();
    assert_eq!(found, Migration { bare_members: 2, ..Migration::default() });
    assert_eq!(bench.redis.migrate(true, |_| ()).await.unwrap(), found);
    let members: Vec<String> = ask(&bench.raw, &["ZRANGE", "vcons", "0", "-1", "WITHSCORES"]).await;
    assert_eq!(members, ["vcon:bare", "7.5", "vcon:named", "8", "vcon:both", "10"]);
    assert!(bench.redis.migrate(true, |_| ()).await.unwrap().is_nothing());
}

#[tokio::test]
async fn indices_are_completed_and_nothing_is_taken_out_of_them() {
    let bench = Bench::new().await;
    let raw = &bench.raw;
    ask::<()>(raw, &["SET", "vcon:a", &dated("a", 10).to_string()]).await;
    ask::<()>(raw, &["SET", "vcon:b", &dated("b", 10).to_string()]).await;
    ask::<i64>(raw, &["ZADD", "vcons", "5", "vcon:b", "6", "vcon:expired"]).await;
    ask::<i64>(raw, &["SADD", "name:Zoë", "b", "expired"]).await;
    let found = bench.redis.migrate(true, |_| ()).await.unwrap();
    let expected =
        Migration { documents: 2, missing_members: 1, missing_search_entries: 3, ..Migration::default() };
    assert_eq!(found, expected);
    let members: Vec<String> = ask(raw, &["ZRANGE", "vcons", "0", "-1", "WITHSCORES"]).await;
    assert_eq!(members, ["vcon:b", "5", "vcon:expired", "6", "vcon:a", "1767323045"]);
    let mut named: Vec<String> = ask(raw, &["SMEMBERS", "name:Zoë"]).await;
    named.sort();
    assert_eq!(named, ["a", "b", "expired"]);
    let left: i64 = ask(raw, &["TTL", "tel:+1 555 0100"]).await;
    assert!(left > 86_000 && left <= 86_400, "{left}");
}

#[tokio::test]
async fn a_key_that_cannot_be_mended_is_told_and_holds_up_no_other() {
    let bench = Bench::new().await;
    let raw = &bench.raw;
    ask::<i64>(raw, &["HSET", "vcon:hash", "a", "b"]).await;
    ask::<()>(raw, &["SET", "vcon:list", "[1]"]).await;
    ask::<()>(raw, &["SET", "tel:+1 555 0100", "somebody else's"]).await;
    ask::<()>(raw, &["SET", "vcon:good", &dated("good", 10).to_string()]).await;
    let found = bench.redis.migrate(true, |_| ()).await.unwrap();
    assert_eq!((found.documents, found.missing_members, found.missing_search_entries), (3, 1, 1));
    let mut keys: Vec<&str> = found.problems.iter().map(|problem| problem.key.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["tel:+1 555 0100", "vcon:hash", "vcon:list"]);
    assert_eq!(ask::<String>(raw, &["GET", "tel:+1 555 0100"]).await, "somebody else's");
    assert_eq!(ask::<String>(raw, &["GET", "vcon:list"]).await, "[1]");
}

/// A document that is here, one in a storage, and two that are nowhere, with entries of all in the indices.
async fn half_expired() -> Bench {
    let bench = Bench::new().await;
    let raw = &bench.raw;
    ask::<()>(raw, &["SET", "vcon:here", &dated("here", 10).to_string()]).await;
    ask::<i64>(raw, &["ZADD", "vcons", "1", "vcon:here", "2", "vcon:gone", "3", "bare", "4", "vcon:stored"])
        .await;
    ask::<i64>(raw, &["SADD", "name:Zoë", "here", "gone", "stored"]).await;
    ask::<i64>(raw, &["SADD", "tel:+1 555 0100", "gone", "bare"]).await;
    ask::<()>(raw, &["SET", "mailto:theirs", "somebody else's"]).await;
    bench
}

async fn stored(id: &VconId) -> conserver_core::Result<bool> {
    Ok(id.as_str() == "stored")
}

#[tokio::test]
async fn entries_of_documents_that_are_nowhere_are_told_and_taken_out_when_wished() {
    let bench = half_expired().await;
    let raw = &bench.raw;
    let before = bench.snapshot().await;
    let expected =
        Migration { stale_members: 2, stale_search_entries: 3, stored_elsewhere: 1, ..Migration::default() };
    let mut found = Migration::default();
    bench.redis.prune(false, &mut found, stored, |_| ()).await.unwrap();
    assert_eq!((&found, bench.snapshot().await), (&expected, before), "a look writes nothing");

    let mut done = Migration::default();
    bench.redis.prune(true, &mut done, stored, |_| ()).await.unwrap();
    assert_eq!(done, expected);
    let members: Vec<String> = ask(raw, &["ZRANGE", "vcons", "0", "-1"]).await;
    assert_eq!(members, ["vcon:here", "vcon:stored"]);
    let mut named: Vec<String> = ask(raw, &["SMEMBERS", "name:Zoë"]).await;
    named.sort();
    assert_eq!(named, ["here", "stored"]);
    assert_eq!(ask::<i64>(raw, &["EXISTS", "tel:+1 555 0100"]).await, 0, "a set that is empty is gone");
    assert_eq!(ask::<String>(raw, &["GET", "mailto:theirs"]).await, "somebody else's");

    let mut again = Migration::default();
    bench.redis.prune(true, &mut again, stored, |_| ()).await.unwrap();
    assert!(again.is_nothing() && again.stored_elsewhere == 1, "{again:?}");
}

#[tokio::test]
async fn a_storage_that_cannot_be_asked_ends_the_pruning_and_the_next_goes_on() {
    let bench = half_expired().await;
    let away = async |id: &VconId| match id.as_str() {
        "stored" => Err(Error::new(ErrorKind::Unavailable, "the storage is away")),
        _ => Ok(false),
    };
    let error = bench.redis.prune(true, &mut Migration::default(), away, |_| ()).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    let score: Option<i64> = ask(&bench.raw, &["ZSCORE", "vcons", "vcon:stored"]).await;
    assert_eq!(score, Some(4), "an outage is no proof that a document is gone");
    bench.redis.prune(true, &mut Migration::default(), stored, |_| ()).await.unwrap();
    assert_eq!(ask::<i64>(&bench.raw, &["ZCARD", "vcons"]).await, 2);
}

#[tokio::test]
async fn a_document_that_comes_back_meanwhile_keeps_its_entries() {
    let bench = half_expired().await;
    let raw = &bench.raw;
    // It arrives between the look and the removal.
    let late = async |id: &VconId| {
        if id.as_str() == "gone" {
            ask::<()>(raw, &["SET", "vcon:gone", &dated("gone", 10).to_string()]).await;
        }
        stored(id).await
    };
    let mut done = Migration::default();
    bench.redis.prune(true, &mut done, late, |_| ()).await.unwrap();
    assert_eq!((done.stale_members, done.stale_search_entries), (1, 1));
    let members: Vec<String> = ask(raw, &["ZRANGE", "vcons", "0", "-1"]).await;
    assert_eq!(members, ["vcon:here", "vcon:gone", "vcon:stored"]);
}
