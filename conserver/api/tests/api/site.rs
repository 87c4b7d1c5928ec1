//! An instance of the API: a private Redis, a configuration in a folder, and a plain connection beside it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use conserver_api::{ConfigFile, Feed, Parts, State, app};
use conserver_core::Secret;
use conserver_core::guarded::GuardedStorage;
use conserver_core::registry::{BuildContext, Registry};
use conserver_redis::{RedisOptions, RedisQueue};
use conserver_testkit::redis::{AppendOnly, RedisOptions as ServerOptions, RedisServer};
use http_body_util::BodyExt;
use redis::FromRedisValue;
use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};
use tower::ServiceExt;

pub struct Site {
    pub redis: RedisServer,
    pub raw: MultiplexedConnection,
    pub queue: Arc<RedisQueue>,
    pub state: State,
    pub router: Router,
    pub feed: Feed,
    pub file: ConfigFile,
    pub folder: tempfile::TempDir,
}

/// Chains that most tests have. `$DIR` is the site's folder.
pub const CHAINS: &str = "
chains:
  main: {ingress_lists: [in], egress_lists: [out], storages: [archive]}
storages:
  archive: {module: storage.file, options: {path: $DIR/archive}}
";

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.body))
    }

    /// The status, for a one-line assertion that shows the body where it fails.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:?}", self.body);
        if self.status.is_client_error() || self.status.is_server_error() {
            assert!(self.json()["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{:?}", self.body);
        }
        self
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

impl Site {
    pub async fn new() -> Self {
        Self::with(CHAINS, &[]).await
    }

    pub async fn with(config: &str, vars: &[(&str, &str)]) -> Self {
        let options = ServerOptions { append_only: AppendOnly::No, tls: false, args: Vec::new() };
        let redis = RedisServer::start_with(options);
        let folder = tempfile::tempdir().unwrap();
        let text = config.replace("$DIR", &folder.path().display().to_string());
        let path = folder.path().join("chains.yaml");
        std::fs::write(&path, text).unwrap();
        let mut registry = Registry::default();
        conserver_storages::register(&mut registry);
        let vars: HashMap<String, String> =
            vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let file = ConfigFile { path, vars: Arc::new(vars), registry: Arc::new(registry) };
        let loaded = file.load().unwrap();
        let plan = loaded.plan.unwrap_or_else(|| panic!("{:?}", loaded.problems));
        let queue = Arc::new(RedisQueue::new(RedisOptions::new(Secret::new(redis.url()))).unwrap());
        let storages = plan.storages.iter().map(|storage| {
            let name = storage.adapter.name.clone();
            let built =
                file.registry.build_storage(&storage.adapter, &BuildContext::new(name.as_str())).unwrap();
            Arc::new(GuardedStorage::new(name, built, &storage.adapter.policy, storage.required))
        });
        let feed = Feed::default();
        let state = State::new(Parts {
            queue: queue.clone(),
            store: queue.clone(),
            intake: queue.clone(),
            directory: queue.clone(),
            chronicle: queue.clone(),
            storages: storages.collect(),
            plan,
            file: Some(file.clone()),
            realm: "here".to_owned(),
            stale_after: Duration::from_secs(10),
            figures: Arc::new(String::new),
            feed: feed.clone(),
        });
        let client = redis::Client::open(redis.url()).unwrap();
        let raw = client.get_multiplexed_async_connection().await.unwrap();
        let router = app(state.clone());
        Self { redis, raw, queue, state, router, feed, file, folder }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// A request without a body; `call` is `GET /path`.
    pub async fn call(&self, call: &str) -> Answer {
        self.call_with(call, &[], Bytes::new()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call_with(&format!("POST {path}"), &[("content-type", "application/json")], body.to_string())
            .await
    }

    pub async fn call_with(&self, call: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let (method, path) = call.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    /// One command to Redis, its parts separated by spaces.
    pub async fn redis<T: FromRedisValue>(&self, line: &str) -> T {
        let mut words = line.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command.query_async(&mut self.raw.clone()).await.unwrap_or_else(|e| panic!("{line}: {e}"))
    }
}

/// A small vCon with this number in its id.
pub fn small(n: u32) -> Value {
    json!({
        "vcon": "0.4.0", "uuid": id(n), "created_at": format!("2026-01-02T03:04:{:02}Z", n % 60),
        "parties": [{"tel": format!("+1555010{n:02}"), "name": "Ann"}],
    })
}

pub fn id(n: u32) -> String {
    format!("018f2a4b-0000-8000-9dd8-{n:012}")
}
