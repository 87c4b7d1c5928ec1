//! An instance of the API on either backend: a private Redis with a plain connection beside it, or a file.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use conserver_api::{ConfigFile, Feed, Parts, State, app};
use conserver_core::directory::Directory;
use conserver_core::guarded::GuardedStorage;
use conserver_core::intake::Intake;
use conserver_core::queue::Queue;
use conserver_core::registry::Registry;
use conserver_core::store::{Loaded, VconStore};
use conserver_core::story::Chronicle;
use conserver_core::{QueueName, Secret};
use conserver_redis::{RedisOptions, RedisQueue};
use conserver_sqlite::{SqliteOptions, SqliteQueue};
use conserver_testkit::redis::{AppendOnly, RedisOptions as ServerOptions, RedisServer};
use http_body_util::BodyExt;
use redis::FromRedisValue;
use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};
use tower::ServiceExt;

/// Where lists and working copies are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Redis,
    Embedded,
}

/// Runs cases on both backends, each as a test of its own, and counts them.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        pub const ON_BOTH: &[&str] = &[$(stringify!($case)),*];
        $(mod $case {
            #[tokio::test]
            async fn redis() {
                super::$case(crate::site::Backend::Redis).await;
            }

            #[tokio::test]
            async fn embedded() {
                super::$case(crate::site::Backend::Embedded).await;
            }
        })*
    };
}
pub(crate) use on_both;

pub struct Site {
    server: Option<(RedisServer, MultiplexedConnection)>,
    pub queue: Arc<dyn Queue>,
    store: Arc<dyn VconStore>,
    pub chronicle: Arc<dyn Chronicle>,
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
    pub async fn new(on: Backend) -> Self {
        Self::with(on, CHAINS, &[]).await
    }

    pub async fn with(on: Backend, config: &str, vars: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = config.replace("$DIR", &folder.path().display().to_string());
        let path = folder.path().join("chains.yaml");
        std::fs::write(&path, text).unwrap();
        let mut registry = Registry::default();
        conserver_storages::register(&mut registry);
        let vars: HashMap<String, String> =
            vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let file = ConfigFile { path, given: None, vars: Arc::new(vars), registry: Arc::new(registry) };
        let loaded = file.load().unwrap();
        let plan = loaded.plan.unwrap_or_else(|| panic!("{:?}", loaded.problems));
        let (parts, server) = match on {
            Backend::Redis => {
                let options = ServerOptions { append_only: AppendOnly::No, tls: false, args: Vec::new() };
                let redis = RedisServer::start_with(options);
                let client = redis::Client::open(redis.url()).unwrap();
                let raw = client.get_multiplexed_async_connection().await.unwrap();
                let options = RedisOptions::new(Secret::new(redis.url()));
                (Contracts::of(Arc::new(RedisQueue::new(options).unwrap())), Some((redis, raw)))
            }
            Backend::Embedded => {
                (Contracts::of(Arc::new(SqliteQueue::new(SqliteOptions::new(folder.path())))), None)
            }
        };
        let feed = Feed::default();
        let state = State::new(Parts {
            queue: parts.queue.clone(),
            store: parts.store.clone(),
            intake: parts.intake,
            directory: parts.directory,
            chronicle: parts.chronicle.clone(),
            storages: GuardedStorage::all_of(&plan, &file.registry).unwrap(),
            plan,
            file: Some(file.clone()),
            realm: "here".to_owned(),
            stale_after: Duration::from_secs(10),
            figures: Arc::new(String::new),
            feed: feed.clone(),
        });
        let router = app(state.clone());
        Self {
            server,
            queue: parts.queue,
            store: parts.store,
            chronicle: parts.chronicle,
            state,
            router,
            feed,
            file,
            folder,
        }
    }

    /// Takes up what the file says now.
    pub fn renew(&self) {
        let plan = self.file.load().unwrap().plan.unwrap();
        self.state.renew(plan, &self.file.registry).unwrap();
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        crate::described::hold(method.as_str(), &path, parts.status.as_u16(), &body);
        Answer { status: parts.status, headers: parts.headers, body }
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

    /// The ids on a list, the oldest first.
    pub async fn list(&self, name: &str) -> Vec<String> {
        let ids = self.queue.peek(&QueueName::new(name), 1000).await.unwrap();
        ids.iter().map(|id| id.as_str().to_owned()).collect()
    }

    /// All that the backend holds, as far as it tells.
    pub async fn everything(&self) -> String {
        if self.server.is_none() {
            return format!(
                "{:?}",
                (self.list("in").await, self.list("out").await, self.list("DLQ:in").await)
            );
        }
        let mut keys: Vec<String> = self.redis("KEYS *").await;
        keys.sort();
        let mut all = String::new();
        for key in keys {
            let dump: Vec<u8> = self.redis(&format!("DUMP {key}")).await;
            all += &format!("{key} {dump:?}\n");
        }
        all
    }

    /// Puts ids on a list.
    pub async fn push(&self, name: &str, ids: &[&str]) {
        let ids: Vec<_> = ids.iter().map(|id| (*id).into()).collect();
        self.queue.push(&QueueName::new(name), &ids).await.unwrap();
    }

    /// Whether there is a working copy.
    pub async fn has(&self, n: u32) -> bool {
        let loaded = self.store.load(&[id(n).as_str().into()]).await.unwrap();
        matches!(loaded[..], [Loaded::Found { .. }])
    }

    /// Drops the working copy alone.
    pub async fn forget(&self, n: u32) {
        self.store.delete(&id(n).as_str().into()).await.unwrap();
    }

    /// The Redis of this instance.
    pub fn server(&mut self) -> &mut RedisServer {
        &mut self.server.as_mut().expect("an instance on Redis").0
    }

    /// One command to Redis, its parts separated by spaces.
    pub async fn redis<T: FromRedisValue>(&self, line: &str) -> T {
        let mut raw = self.server.as_ref().expect("an instance on Redis").1.clone();
        let mut words = line.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        command.query_async(&mut raw).await.unwrap_or_else(|e| panic!("{line}: {e}"))
    }
}

/// What a backend does for the API.
struct Contracts {
    queue: Arc<dyn Queue>,
    store: Arc<dyn VconStore>,
    intake: Arc<dyn Intake>,
    directory: Arc<dyn Directory>,
    chronicle: Arc<dyn Chronicle>,
}

impl Contracts {
    fn of(backend: Arc<impl Queue + VconStore + Intake + Directory + Chronicle + 'static>) -> Self {
        Self {
            queue: backend.clone(),
            store: backend.clone(),
            intake: backend.clone(),
            directory: backend.clone(),
            chronicle: backend,
        }
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
