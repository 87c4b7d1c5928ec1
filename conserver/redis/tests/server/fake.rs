//! A server with documents of the JSON module: fakeredis, a Redis in Python with the JSON commands and Lua.
//!
//! Two of its gaps are closed here: it closes a connection after an error reply, and it cannot name the type of a JSON
//! document. It is no proof of how the JSON module itself keeps a time to live over `RENAME`, which is the server's part
//! and not the module's.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use conserver_core::Secret;
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

pub struct FakeRedis {
    python: Child,
    pub redis: Arc<RedisQueue>,
    pub raw: MultiplexedConnection,
}

impl FakeRedis {
    pub async fn start() -> Self {
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
    pub async fn put(&self, id: &str, document: &Value, ttl: u64) {
        let key = format!("vcon:{id}");
        ask::<()>(&self.raw, &["JSON.SET", &key, "$", &document.to_string()]).await;
        ask::<i64>(&self.raw, &["PEXPIRE", &key, &ttl.to_string()]).await;
    }

    pub async fn stored(&self, id: &str) -> (String, Value, i64) {
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

/// A vCon of about this size.
pub fn document(id: &str, size: usize) -> Value {
    json!({"uuid": id, "vcon": "0.0.1", "parties": [{"tel": "+1 555 0100", "name": "Zoë"}],
        "analysis": [{"type": "transcript", "body": {"n": 1.5, "text": "x".repeat(size)}}], "none": null})
}
