//! Documents in, out, found and deleted, as the Python server's clients know it.

use serde_json::json;

use crate::site::{Backend, CHAINS, Site, id, on_both, small};

on_both![
    a_story_is_told_run_by_run_or_why_there_is_none,
    ids_are_listed_by_date_in_pages_and_by_cursor,
    many_are_read_at_once_and_null_stands_for_those_that_are_nowhere,
    a_search_narrows_with_every_term,
    what_only_a_storage_has_is_brought_back,
    a_storage_that_the_file_names_later_is_read_and_deleted_from,
    a_delete_takes_documents_keys_and_copies_along,
    the_older_format_leaves_where_it_is_wanted,
    an_object_without_members_is_not_there,
];

async fn an_object_without_members_is_not_there(on: Backend) {
    let site = Site::new(on).await;
    std::fs::create_dir_all(site.folder.path().join("archive")).unwrap();
    let copy = |n: u32, text: &str| {
        std::fs::write(site.folder.path().join(format!("archive/{}.json", id(n))), text).unwrap();
    };
    copy(9, "{}");
    site.call(&format!("GET /vcon/{}", id(9))).await.expect(404);
    assert!(!site.has(9).await);
    if on == Backend::Redis {
        site.redis::<()>(&format!("SET vcon:{} {{}}", id(3))).await;
        site.call(&format!("GET /vcon/{}", id(3))).await.expect(404);
        copy(3, &small(3).to_string());
        site.call(&format!("GET /vcon/{}", id(3))).await.expect(200);
    }
}

#[tokio::test]
async fn a_post_is_stored_indexed_and_on_its_lists() {
    let site = Site::new(Backend::Redis).await;
    let answer = site.post("/vcon?ingress_lists=in&ingress_lists=other", &small(1)).await.expect(201);
    assert_eq!(answer.json()["created_at"], "2026-01-02T03:04:01+00:00");
    assert_eq!(answer.json()["appended"], json!(null));
    assert_eq!(answer.header("x-vcon-server-version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(answer.header("x-vcon-server-commit"), "unknown");
    for list in ["in", "other"] {
        assert_eq!(site.list(list).await, [id(1)]);
    }
    let stored: Vec<u8> = site.redis(&format!("GET vcon:{}", id(1))).await;
    assert_eq!(stored, answer.body);
    assert!(site.redis::<i64>(&format!("TTL vcon:{}", id(1))).await > 3500);
    assert_eq!(site.redis::<String>(&format!("ZSCORE vcons vcon:{}", id(1))).await, "1767323041");
    assert!(site.redis::<bool>(&format!("SISMEMBER tel:+155501001 {}", id(1))).await);
    let got = site.call(&format!("GET /api/vcon/{}", id(1).to_uppercase())).await.expect(200);
    assert_eq!(got.body, answer.body);
}

async fn ids_are_listed_by_date_in_pages_and_by_cursor(on: Backend) {
    let site = Site::new(on).await;
    for n in 0..5 {
        site.post("/vcon", &small(n)).await.expect(201);
    }
    let newest = |numbers: &[u32]| json!(numbers.iter().map(|n| id(*n)).collect::<Vec<_>>());
    assert_eq!(site.call("GET /vcon").await.json(), newest(&[4, 3, 2, 1, 0]));
    assert_eq!(site.call("GET /vcon?page=2&size=2").await.json(), newest(&[2, 1]));
    assert_eq!(site.call("GET /vcon?page=0").await.json(), json!([]));
    assert_eq!(site.call("GET /vcon?size=-1").await.json(), newest(&[4, 3, 2, 1, 0]));
    let range = "GET /vcon?since=2026-01-02T03:04:01Z&until=2026-01-02T03:04:03%2B00:00";
    assert_eq!(site.call(range).await.json(), newest(&[3, 2, 1]));
    let first = site.call("GET /vcon?cursor=&size=3").await.expect(200);
    assert_eq!(first.json(), newest(&[4, 3, 2]));
    let rest =
        site.call(&format!("GET /vcon?size=3&cursor={}", first.header("x-next-cursor"))).await.expect(200);
    assert_eq!((rest.json(), rest.header("x-next-cursor")), (newest(&[1, 0]), ""));
    let wrong = site.call("GET /vcon?page=x&since=nope&cursor=!").await.expect(422).json();
    assert_eq!(wrong["detail"].as_array().unwrap().len(), 3);
    assert_eq!(wrong["detail"][0]["loc"], json!(["query", "page"]));
    assert_eq!(wrong["detail"][0]["type"], "int_parsing");
}

#[tokio::test]
async fn a_bare_id_in_the_sorted_set_is_listed_like_any_other() {
    let site = Site::new(Backend::Redis).await;
    site.redis::<i64>(&format!("ZADD vcons 5 {}", id(7))).await;
    assert_eq!(site.call("GET /vcon").await.json(), json!([id(7)]));
}

async fn many_are_read_at_once_and_null_stands_for_those_that_are_nowhere(on: Backend) {
    let site = Site::new(on).await;
    site.post("/vcon", &small(1)).await.expect(201);
    let path = format!("GET /vcons?vcon_uuids={}&vcon_uuids={},{}", id(2), id(1), id(2));
    let all = site.call(&path).await.expect(200).json();
    assert_eq!((all[0].is_null(), &all[1]["uuid"], all[2].is_null()), (true, &json!(id(1)), true));
    assert_eq!(site.call("GET /vcons").await.expect(200).json(), json!([]));
    site.call("GET /vcons?vcon_uuids=x").await.expect(422);
}

async fn a_search_narrows_with_every_term(on: Backend) {
    let site = Site::new(on).await;
    for n in [1, 2] {
        site.post("/vcon", &small(n)).await.expect(201);
    }
    assert_eq!(site.call("GET /vcons/search?name=Ann").await.json(), json!([id(1), id(2)]));
    assert_eq!(site.call("GET /vcons/search?name=Ann&tel=%2B155501002").await.json(), json!([id(2)]));
    assert_eq!(site.call("GET /vcons/search?name=Ann&mailto=x").await.json(), json!([]));
    assert_eq!(site.call("GET /vcons/search?name=").await.expect(200).json(), json!([]));
    let error = site.call("GET /vcons/search").await.expect(400).json();
    assert_eq!(error["detail"], "At least one search parameter must be provided");
}

async fn what_only_a_storage_has_is_brought_back(on: Backend) {
    let site = Site::new(on).await;
    let folder = site.folder.path().join("archive");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{}.vcon", id(3))), small(3).to_string()).unwrap();
    std::fs::write(folder.join(format!("{}.json", id(3))), small(3).to_string()).unwrap();
    let many: Vec<_> = (0..20).map(|_| format!("GET /vcon/{}", id(3))).collect();
    let answers = futures::future::join_all(many.iter().map(|call| site.call(call))).await;
    for answer in answers {
        assert_eq!(answer.expect(200).json()["uuid"], id(3));
    }
    assert!(site.has(3).await);
    assert_eq!(site.call("GET /vcon").await.json(), json!([id(3)]));
    let missing = site.call(&format!("GET /vcon/{}", id(4))).await.expect(404).json();
    assert_eq!(missing["detail"], "vCon not found");
}

async fn a_storage_that_the_file_names_later_is_read_and_deleted_from(on: Backend) {
    let site = Site::new(on).await;
    let copy = site.folder.path().join("later").join(format!("{}.json", id(3)));
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    std::fs::write(&copy, small(3).to_string()).unwrap();
    site.call(&format!("GET /vcon/{}", id(3))).await.expect(404);
    let text = std::fs::read_to_string(&site.file.path).unwrap();
    let more =
        format!("  later: {{module: file, options: {{path: {}}}}}\n", copy.parent().unwrap().display());
    std::fs::write(
        &site.file.path,
        text.replace("storages: [archive]", "storages: [archive, later]") + &more,
    )
    .unwrap();
    site.renew();
    site.call(&format!("GET /vcon/{}", id(3))).await.expect(200);
    site.call(&format!("DELETE /vcon/{}", id(3))).await.expect(204);
    assert!(!copy.exists(), "it holds no copy any more");
}

async fn a_delete_takes_documents_keys_and_copies_along(on: Backend) {
    let site = Site::new(on).await;
    site.post("/vcon", &small(1)).await.expect(201);
    site.call(&format!("DELETE /vcon/{}", id(1))).await.expect(204);
    assert!(!site.has(1).await);
    for found in ["GET /vcon", "GET /vcons/search?name=Ann"] {
        assert_eq!(site.call(found).await.json(), json!([]));
    }
    if on == Backend::Redis {
        assert_eq!(site.redis::<Vec<String>>("KEYS *").await, Vec::<String>::new());
    }
    site.call(&format!("DELETE /vcon/{}", id(1))).await.expect(204);
    site.call("DELETE /vcon/x").await.expect(422);
}

#[tokio::test]
async fn documents_are_indexed_anew() {
    let site = Site::new(Backend::Redis).await;
    for n in [1, 2] {
        site.post("/vcon", &small(n)).await.expect(201);
    }
    site.redis::<i64>("DEL vcons name:Ann").await;
    assert_eq!(site.call("GET /index_vcons").await.expect(200).json(), json!(2));
    assert_eq!(site.call("GET /vcons/search?name=Ann").await.json(), json!([id(1), id(2)]));
}

async fn the_older_format_leaves_where_it_is_wanted(on: Backend) {
    let site = Site::with(on, CHAINS, &[("EGRESS_FORMAT_VERSION", "0.0.1")]).await;
    site.post("/vcon", &small(1)).await.expect(201);
    let got = site.call(&format!("GET /vcon/{}", id(1))).await.expect(200).json();
    assert_eq!(got["vcon"], "0.0.1");
}

#[tokio::test]
async fn without_redis_the_answer_says_when_to_come_back() {
    let mut site = Site::new(Backend::Redis).await;
    site.post("/vcon", &small(1)).await.expect(201);
    site.server().kill();
    for call in ["GET /vcon", "GET /queues", "GET /vcon/egress?egress_list=out", "GET /dlq?ingress_list=in"] {
        let answer = site.call(call).await.expect(503);
        assert!(!answer.header("retry-after").is_empty(), "{call}");
    }
    assert_eq!(site.post("/vcon", &small(2)).await.expect(503).json()["detail"], "Failed to store vCon");
    site.call("GET /health").await.expect(200);
    site.server().restart();
    for attempt in 0.. {
        let answer = site.post("/vcon", &small(2)).await;
        if answer.status == 201 {
            break;
        }
        assert!(attempt < 100, "{:?}", answer.body);
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
}

#[tokio::test]
async fn a_redis_out_of_memory_takes_nothing_in_and_has_nothing_half_done() {
    let site = Site::new(Backend::Redis).await;
    // With the script, ahead of it, and in parts.
    let bodies = [20, 100_000, 2_000_000].map(|length| {
        let mut body = small(1);
        body["dialog"] = json!([{"type": "text", "start": "2026-01-02T03:04:05Z", "parties": [0], "body": "x".repeat(length)}]);
        body
    });
    for body in &bodies {
        let _: String = site.redis("CONFIG SET maxmemory 1").await;
        let refused = site.post("/vcon?ingress_lists=in", body).await.expect(503);
        assert_eq!(refused.json()["detail"], "Failed to store vCon");
        assert!(!refused.header("retry-after").is_empty());
        let keys: Vec<String> = site.redis("KEYS *").await;
        assert!(keys.iter().all(|key| key.starts_with("cs:format")), "{keys:?}");
        let _: String = site.redis("CONFIG SET maxmemory 0").await;
        site.post("/vcon?ingress_lists=in", body).await.expect(201);
        assert_eq!(site.list("in").await, [id(1)]);
        let _: String = site.redis("FLUSHALL").await;
    }
}

async fn a_story_is_told_run_by_run_or_why_there_is_none(on: Backend) {
    use conserver_core::story::{Memory, RunStory};
    let site = Site::new(on).await;
    let path = format!("GET /vcon/{}/story", id(1));
    let none = site.call(&path).await.expect(200).json();
    assert_eq!((&none["uuid"], &none["runs"]), (&json!(id(1)), &json!([])));
    assert!(none["hint"].as_str().unwrap().contains("too long ago"), "{none}");
    assert_eq!(none["memory"], json!({"runs": 100_000, "age_seconds": 86_400}));
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let mut told = json!({
        "vcon": id(1), "chain": "main", "list": "in", "worker": "w", "attempt": 1, "at": now, "ms": 3, "end": "done",
        "steps": [{"link": "tag", "result": "ok", "ms": 0.5}, {"storage": "archive", "result": "ok", "ms": 2.0}],
    });
    let run: RunStory = serde_json::from_value(told.clone()).unwrap();
    let memory = Memory { runs: 1000, age: std::time::Duration::from_secs(60) };
    site.chronicle.remember(&[run], memory).await.unwrap();
    let some = site.call(&path).await.expect(200).json();
    told["at"] = conserver_core::clock::rfc3339(i64::try_from(now).unwrap()).into();
    assert_eq!((&some["runs"], &some["hint"]), (&json!([told]), &json!(null)));
}
