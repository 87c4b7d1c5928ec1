//! Documents of the JSON module: read by their type, written in kind.

use std::sync::Arc;
use std::time::Duration;

use conserver_core::queue::{End, Finish, Queue, Settled, Settlement, Tries};
use conserver_core::store::{DocumentWrite, Encoding, Loaded, VconStore};
use conserver_core::vcon::VconId;
use conserver_testkit::queue_suite::*;
use serde_json::{Value, json};

use crate::fake::{FakeRedis, document};
use crate::support::ask;

fn in_kind(id: &str, json: &Value) -> DocumentWrite {
    DocumentWrite { id: id.into(), json: json.to_string().into(), encoding: Encoding::Json }
}

#[tokio::test]
async fn a_json_document_is_read_by_its_type() {
    let fake = FakeRedis::start().await;
    let call = document("a", 5000);
    fake.put("a", &call, 600_000).await;
    ask::<()>(&fake.raw, &["SET", "vcon:b", r#"{"plain": "text"}"#]).await;
    let ids: Vec<VconId> = ["a", "missing", "b"].map(VconId::new).to_vec();
    let loaded = fake.redis.load(&ids).await.unwrap();
    let Loaded::Found { json, encoding: Encoding::Json } = &loaded[0] else { panic!("{loaded:?}") };
    assert_eq!(serde_json::from_slice::<Value>(json).unwrap(), call);
    assert!(matches!(loaded[1], Loaded::Missing), "{loaded:?}");
    assert!(matches!(loaded[2], Loaded::Found { encoding: Encoding::Text, .. }), "{loaded:?}");
}

#[tokio::test]
async fn a_json_document_is_written_in_kind_and_keeps_its_time_to_live() {
    let fake = FakeRedis::start().await;
    let queue: Arc<dyn Queue> = fake.redis.clone();
    let worker = worker(&queue).await;
    for (id, size) in [("small", 10), ("large", 200_000)] {
        fake.put(id, &document(id, size), 600_000).await;
        push(&queue, "in", &[id]).await;
        let lease = claim(&queue, &worker, &["in"], 1).await.pop().unwrap();
        assert_eq!(lease.document_bytes, None);

        let mut changed = document(id, size);
        changed["checkpoint"] = json!(1);
        let write = in_kind(id, &changed);
        assert!(fake.redis.checkpoint(&worker, &lease.entry, &write).await.unwrap());
        assert_json(&fake, id, &changed).await;

        changed["retry"] = json!(2);
        let tries = Tries { attempt: 1, ..Tries::default() };
        let end = End::Retry { documents: vec![in_kind(id, &changed)], after: Duration::ZERO, tries };
        assert_eq!(settle(&queue, &worker, &[Settlement::new(lease, end)]).await, [Settled::Applied]);
        assert_json(&fake, id, &changed).await;

        let lease = claim(&queue, &worker, &["in"], 1).await.pop().unwrap();
        assert_eq!(lease.tries.attempt, 1);
        changed["finish"] = json!(3);
        let finish = Finish {
            documents: vec![in_kind(id, &changed)],
            egress: vec![("out".into(), id.into())],
            ..Finish::default()
        };
        let batch = [Settlement::new(lease, End::Finish(Box::new(finish)))];
        assert_eq!(settle(&queue, &worker, &batch).await, [Settled::Applied]);
        assert_eq!(settle(&queue, &worker, &batch).await, [Settled::Gone]);
        assert_json(&fake, id, &changed).await;
    }
    assert_eq!(listed(&queue, "out").await, ["small", "large"]);
    assert!(ask::<Vec<String>>(&fake.raw, &["KEYS", "cs:new:*"]).await.is_empty());
}

#[tokio::test]
async fn text_is_never_written_over_a_json_document() {
    let fake = FakeRedis::start().await;
    let queue: Arc<dyn Queue> = fake.redis.clone();
    let worker = worker(&queue).await;
    let call = document("a", 10);
    fake.put("a", &call, 600_000).await;
    push(&queue, "in", &["a"]).await;
    let lease = claim(&queue, &worker, &["in"], 1).await.pop().unwrap();
    let text = DocumentWrite { encoding: Encoding::Text, ..in_kind("a", &json!({"other": 1})) };
    let finish = Finish { documents: vec![text], ..Finish::default() };
    let settled = settle(&queue, &worker, &[Settlement::new(lease, End::Finish(Box::new(finish)))]).await;
    assert!(matches!(&settled[0], Settled::Refused(says) if says.contains("ReJSON-RL")), "{settled:?}");
    assert_eq!(fake.stored("a").await.1, call);
    assert!(fake.redis.delete(&"a".into()).await.unwrap());
}

async fn assert_json(fake: &FakeRedis, id: &str, expected: &Value) {
    let (kind, found, left) = fake.stored(id).await;
    assert_eq!((kind.as_str(), &found), ("ReJSON-RL", expected));
    assert!(left > 540_000 && left <= 600_000, "{left}");
}
