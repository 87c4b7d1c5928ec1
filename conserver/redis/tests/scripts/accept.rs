//! The script that takes documents in: what it refuses leaves everything as it was.

use conserver_core::ErrorKind;
use conserver_core::intake::{Arrival, Arrived, Intake, Target};
use conserver_core::store::IndexKeys;

use crate::support::Bench;

fn arrival(json: &str) -> Arrival {
    let lists = ["in", "other", "in"].map(|list| Target { list: list.into(), bound: None });
    Arrival {
        id: "a".into(),
        json: json.to_owned().into(),
        keys: IndexKeys {
            created: Some(7),
            tel: vec!["+1".into()],
            mailto: vec!["a@b".into(), "c@d".into()],
            name: vec!["Ada".into()],
        },
        lists: lists.into(),
        context: Some("{}".to_owned()),
        once: Some("request".to_owned()),
        ttl: None,
    }
}

async fn accept(bench: &Bench, arrival: Arrival) -> conserver_core::Result<Arrived> {
    bench.redis.accept(&[arrival]).await.pop().unwrap()
}

#[tokio::test]
async fn a_key_of_another_type_refuses_the_document_and_undoes_what_was_begun() {
    let bench = Bench::new().await;
    let keys = ["tel:+1", "mailto:a@b", "mailto:c@d", "name:Ada", "in", "other", "vcons"];
    for (key, large) in
        keys.into_iter().chain(["context:in:a", "context:other:a"]).flat_map(|k| [(k, false), (k, true)])
    {
        bench.run::<()>("FLUSHALL").await;
        // An earlier version is there, with an id before and behind it.
        for id in ["before", "a", "behind"] {
            bench.words::<i64>(&["RPUSH", "in", id]).await;
        }
        bench.words::<i64>(&["SADD", "mailto:a@b", "a", "another"]).await;
        bench.words::<i64>(&["ZADD", "vcons", "3", "vcon:a"]).await;
        bench.words::<()>(&["SET", "vcon:a", "old"]).await;
        bench.spoil(key).await;
        let before = bench.snapshot().await;
        let json = if large { "x".repeat(100_000) } else { "new".to_owned() };
        let error = accept(&bench, arrival(&json)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongType, "{error:?}");
        assert!(error.chain().contains(&format!("`{key}`")), "{error:?} does not name `{key}`");
        assert_eq!(bench.snapshot().await, before, "{key}");

        bench.run::<i64>(&format!("DEL {key}")).await;
        assert_eq!(accept(&bench, arrival(&json)).await.unwrap(), Arrived::Stored);
        assert_eq!(accept(&bench, arrival(&json)).await.unwrap(), Arrived::Repeated);
        assert_eq!(bench.run::<String>("GET vcon:a").await, json);
        assert_eq!(bench.run::<i64>("ZSCORE vcons vcon:a").await, 7);
        let places: Vec<String> = bench.run("LRANGE in -2 -1").await;
        assert_eq!(places, ["a", "a"]);
    }
}

#[tokio::test]
async fn a_server_without_memory_is_waited_for_and_has_taken_nothing() {
    let bench = Bench::new().await;
    for json in ["new".to_owned(), "x".repeat(100_000), "x".repeat(1_000_000)] {
        bench.run::<()>("FLUSHALL").await;
        bench.run::<()>("CONFIG SET maxmemory 1").await;
        let before = bench.snapshot().await;
        let error = accept(&bench, arrival(&json)).await.unwrap_err();
        assert!(error.is_unavailable() && error.chain().contains("out of memory"), "{error:?}");
        assert_eq!(bench.snapshot().await, before);
        bench.run::<()>("CONFIG SET maxmemory 0").await;
        // And one that has forgotten the script.
        bench.run::<()>("SCRIPT FLUSH").await;
        assert_eq!(accept(&bench, arrival(&json)).await.unwrap(), Arrived::Stored);
        assert_eq!(bench.run::<String>("GET vcon:a").await, json);
        assert!(bench.run::<Vec<String>>("KEYS cs:new:*").await.is_empty());
    }
}

#[tokio::test]
async fn many_documents_of_all_sizes_go_in_one_call() {
    let bench = Bench::new().await;
    let sizes = [10, 70_000, 10, 500_000, 500_000, 500_000, 600_000, 80_000, 10];
    let arrivals: Vec<Arrival> = sizes
        .iter()
        .enumerate()
        .map(|(n, size)| Arrival {
            id: format!("id {n}").as_str().into(),
            once: None,
            ..arrival(&"x".repeat(*size))
        })
        .collect();
    for answer in bench.redis.accept(&arrivals).await {
        assert_eq!(answer.unwrap(), Arrived::Stored);
    }
    for (n, size) in sizes.into_iter().enumerate() {
        assert_eq!(bench.words::<usize>(&["STRLEN", &format!("vcon:id {n}")]).await, size);
    }
}
