//! Documents of the JSON module: read by their type, written in kind.
//!
//! The server is fakeredis, a Redis in Python with the JSON commands and Lua. Two of its gaps are closed here: it
//! closes a connection after an error reply, and it cannot name the type of a JSON document. It is no proof of how
//! the JSON module itself keeps a time to live over `RENAME`, which is the server's part and not the module's.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use conserver_core::Secret;
use conserver_core::queue::{End, Finish, Queue, Settled, Settlement, Tries};
use conserver_core::store::{DocumentWrite, Encoding, Loaded, VconStore};
use conserver_core::vcon::VconId;
use conserver_redis::{RedisOptions, RedisQueue};
use conserver_testkit::free_port;
use conserver_testkit::queue_suite::*;
use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};

use crate::support::{ask, connect};

/// Ends with the test: it stops at the end of its standard input.
const SERVER: &str = r#"
import os, sys, threading
try:
    import fakeredis, lupa, jsonpath_ng, redis
except ImportError:
    sys.exit(7)
# It closes the connection after an error reply, which no Redis does.
connection = sys.modules[fakeredis.TcpFakeServer.__module__].FakeRedisConnection
read = connection.read_response
def read_or_error(self, *args, **named):
    try:
        return read(self, *args, **named)
    except redis.exceptions.ResponseError as error:
        return error
connection.read_response = read_or_error
# It has no word for the type of a JSON document; the JSON module's is `ReJSON-RL`.
from fakeredis.commands_mixins import _mixin_base
kind_of = _mixin_base.CommandsMixinBase._key_value_type
def kind_or_json(key):
    is_json = isinstance(key.value, dict) and not hasattr(key.value, "model_type")
    return _mixin_base.SimpleString(b"ReJSON-RL") if is_json else kind_of(key)
_mixin_base.CommandsMixinBase._key_value_type = staticmethod(kind_or_json)
server = fakeredis.TcpFakeServer(("127.0.0.1", int(sys.argv[1])), server_type="redis", server_version=(7, 2))
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
os._exit(0)
"#;

struct FakeRedis {
    python: Child,
    redis: Arc<RedisQueue>,
    raw: MultiplexedConnection,
}

impl FakeRedis {
    async fn start() -> Self {
        let port = free_port();
        let program = std::env::var("CONSERVER_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut python = Command::new(&program)
            .args(["-c", SERVER, &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| {
                panic!("`{program}` cannot be started ({e}): pip install 'fakeredis[lua,json]'")
            });
        until("fakeredis is up", async || {
            let ended = python.try_wait().expect("a child of ours can be waited for");
            assert!(ended.is_none(), "`{program}` has no fakeredis: pip install 'fakeredis[lua,json]'");
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        })
        .await;
        let url = format!("redis://127.0.0.1:{port}");
        let redis =
            Arc::new(RedisQueue::new(RedisOptions::new(Secret::new(&url))).expect("the address is fine"));
        Self { python, redis, raw: connect(&url).await }
    }

    /// Stores a document as the Python server does.
    async fn put(&self, id: &str, document: &Value, ttl: u64) {
        let key = format!("vcon:{id}");
        ask::<()>(&self.raw, &["JSON.SET", &key, "$", &document.to_string()]).await;
        ask::<i64>(&self.raw, &["PEXPIRE", &key, &ttl.to_string()]).await;
    }

    async fn stored(&self, id: &str) -> (String, Value, i64) {
        let key = format!("vcon:{id}");
        let kind = ask(&self.raw, &["TYPE", &key]).await;
        let text: String = ask(&self.raw, &["JSON.GET", &key, "."]).await;
        (kind, serde_json::from_str(&text).expect("it is JSON"), ask(&self.raw, &["PTTL", &key]).await)
    }
}

impl Drop for FakeRedis {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.python.stdin.take() {
            let _ = stdin.flush();
        }
        let _ = self.python.kill();
        let _ = self.python.wait();
    }
}

fn document(id: &str, size: usize) -> Value {
    json!({"uuid": id, "vcon": "0.0.1", "parties": [{"tel": "+1 555 0100", "name": "Zoë"}],
        "analysis": [{"type": "transcript", "body": {"n": 1.5, "text": "x".repeat(size)}}], "none": null})
}

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
