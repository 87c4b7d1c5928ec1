//! Dead letters.

use conserver_core::queue::Queue;
use conserver_testkit::queue_suite::{claim, dead, push, settle, worker};
use serde_json::json;
use std::sync::Arc;

use crate::site::{Backend, Site, id, on_both, small};

on_both![
    the_oldest_go_back_first,
    letters_are_found_by_reason_counted_replayed_and_discarded,
    an_unreadable_age_moves_and_drops_nothing,
    what_a_storage_does_not_have_is_saved_again,
];

/// Puts ids on `DLQ:in`, each with its reason.
async fn die(site: &Site, letters: &[(&str, &str)]) {
    let queue: Arc<dyn Queue> = site.queue.clone();
    let worker = worker(&queue).await;
    for (id, reason) in letters {
        push(&queue, "in", &[id]).await;
        let lease = claim(&queue, &worker, &["in"], 1).await.pop().unwrap();
        settle(&queue, &worker, &[dead(lease, "DLQ:in", reason)]).await;
    }
}

async fn the_oldest_go_back_first(on: Backend) {
    let site = Site::new(on).await;
    site.push("DLQ:in", &["a", "b", "c"]).await;
    assert_eq!(site.call("GET /dlq?ingress_list=in").await.expect(200).json(), json!(["a", "b", "c"]));
    assert_eq!(site.call("POST /dlq/reprocess?ingress_list=in&count=2").await.expect(200).json(), json!(2));
    assert_eq!(site.list("in").await, ["a", "b"]);
    let wrong = site.call("POST /dlq/reprocess?ingress_list=in&count=0").await.expect(422).json();
    assert_eq!(wrong["detail"][0]["type"], "greater_than_equal");
    assert_eq!(wrong["detail"][0]["ctx"], json!({"ge": 1}));
    site.call("POST /dlq/reprocess?ingress_list=in&count=100001").await.expect(422);
}

async fn letters_are_found_by_reason_counted_replayed_and_discarded(on: Backend) {
    let site = Site::new(on).await;
    die(&site, &[("a", "timeout"), ("b", "invalid"), ("c", "timeout")]).await;
    let page = site.call("GET /dlq/letters?ingress_list=in&reason=timeout&limit=1").await.expect(200).json();
    assert_eq!((&page["letters"][0]["id"], &page["next"]), (&json!("a"), &json!(1)));
    let page = site.call("GET /dlq/letters?ingress_list=in&reason=timeout&limit=9&offset=1").await.json();
    assert_eq!((&page["letters"][0]["id"], &page["next"]), (&json!("c"), &json!(null)));
    let at = page["letters"][0]["why"]["at"].as_str().unwrap();
    assert!(at.ends_with(".000Z"), "{at}");
    for call in ["GET /dlq/letters", "POST /dlq/replay", "POST /dlq/discard"] {
        let wrong = site.call(&format!("{call}?ingress_list=in&reason=timout")).await.expect(422).json();
        assert!(wrong["hint"].as_str().unwrap().contains("did you mean `timeout`?"), "{wrong}");
    }
    let facets = site.call("GET /dlq/facets?ingress_list=in").await.expect(200).json();
    assert_eq!((&facets["reason"], &facets["total"]), (&json!({"invalid": 1, "timeout": 2}), &json!(3)));
    site.call("POST /dlq/discard?ingress_list=in").await.expect(422);
    assert_eq!(
        site.call("POST /dlq/discard?ingress_list=in&reason=invalid").await.json(),
        json!({"discarded": 1})
    );
    assert_eq!(site.call("POST /dlq/replay?ingress_list=in&id=c").await.json(), json!({"replayed": 1}));
    let elsewhere = site.call("POST /dlq/replay?ingress_list=in&target=x").await.expect(200).json();
    assert_eq!(elsewhere["replayed"], 1);
    assert_eq!(site.list("in").await, ["c"]);
    assert_eq!(site.list("x").await, ["a"]);
}

/// An age that cannot be read is no filter: without it every letter would be meant.
async fn an_unreadable_age_moves_and_drops_nothing(on: Backend) {
    let site = Site::new(on).await;
    die(&site, &[("a", "timeout"), ("b", "invalid")]).await;
    for age in ["older_than=7d", "older_than=", "younger_than=-1", "older_than=1.5"] {
        for call in ["discard", "replay"] {
            let wrong =
                site.call(&format!("POST /dlq/{call}?ingress_list=in&{age}")).await.expect(422).json();
            assert_eq!(wrong["detail"][0]["loc"][0], "query", "{wrong}");
        }
    }
    assert_eq!(site.list("DLQ:in").await, ["a", "b"]);
    let dropped = site.call("POST /dlq/discard?ingress_list=in&older_than=3600").await.expect(200).json();
    assert_eq!(dropped, json!({"discarded": 0}));
    let dropped = site.call("POST /dlq/discard?ingress_list=in&younger_than=3600").await.expect(200).json();
    assert_eq!(dropped, json!({"discarded": 2}));
}

async fn what_a_storage_does_not_have_is_saved_again(on: Backend) {
    let site = Site::new(on).await;
    site.post("/vcon", &small(1)).await.expect(201);
    site.push("DLQ:storage:archive", &[&id(1)]).await;
    assert_eq!(site.call("GET /dlq/storage?storage_name=archive").await.expect(200).json(), json!([id(1)]));
    assert_eq!(
        site.call("POST /dlq/storage/reprocess?storage_name=archive").await.expect(200).json(),
        json!(1)
    );
    assert_eq!(site.list("DLQ:storage:archive").await.len(), 0);
    site.forget(1).await;
    site.call(&format!("GET /vcon/{}", id(1))).await.expect(200);
    let error = site.call("GET /dlq/storage?storage_name=nope").await.expect(404).json();
    assert_eq!(error["detail"], "Unknown storage backend: nope");
}
