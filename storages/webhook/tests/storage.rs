//! The contract's suite against a real receiver, and what is peculiar to this storage.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;

use async_trait::async_trait;
use conserver_core::ErrorKind;
use conserver_core::registry::{BuildContext, StorageKind};
use conserver_core::storage::Storage;
use conserver_core::vcon::{Vcon, VconId};
use conserver_http::webhook::idempotency_key;
use conserver_storage_webhook::{Webhook, WebhookOptions};
use conserver_testkit::http::{Answer, HttpServer, Request};
use conserver_testkit::json::read_view;
use conserver_testkit::storage_suite::{StorageFixture, try_save};
use conserver_testkit::vcons::{Vcons, vcon};
use serde_json::{Value, json};

/// A receiver that keeps the last document of each key, and refuses some for good.
struct Fixture {
    server: HttpServer,
    storage: Arc<dyn Storage>,
}

impl Fixture {
    fn new() -> Self {
        let server = HttpServer::start();
        server.rule(|request| Answer::status(if is_refused(request) { 422 } else { 204 }));
        let storage = storage(&server, false);
        Self { server, storage }
    }
}

fn is_refused(request: &Request) -> bool {
    request.json()["x-refuse"] == true
}

fn storage(server: &HttpServer, legacy: bool) -> Arc<dyn Storage> {
    let options = json!({"webhook-urls": server.url("/vcons"), "headers": {"x-key": "k"}, "timeout": "60s"});
    let options: WebhookOptions = serde_json::from_value(options).unwrap();
    let mut cx = BuildContext::new("partner");
    cx.legacy_egress = legacy;
    Webhook::build(options, &cx).unwrap()
}

#[async_trait]
impl StorageFixture for Fixture {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.storage)
    }

    async fn reopen(&self) -> Arc<dyn Storage> {
        storage(&self.server, false)
    }

    fn refused(&self) -> Vcon {
        let mut call = Vcons::new(99).call();
        call["x-refuse"] = json!(true);
        vcon(&call)
    }

    async fn spoil(&self, _id: &VconId) {
        unreachable!("a webhook gives no vCon back");
    }

    async fn outage(&mut self) {
        self.server.stop();
    }

    async fn kept(&self, id: &VconId) -> Option<Value> {
        let key = idempotency_key(id);
        let taken = |request: &Request| request.method == "POST" && !is_refused(request);
        let mut of_id = self
            .server
            .requests()
            .into_iter()
            .rev()
            .filter(|request| taken(request) && key == *request.headers["idempotency-key"]);
        of_id.next().map(|request| request.json())
    }
}

mod suite {
    conserver_testkit::storage_suite!(super::Fixture::new());
}

#[tokio::test]
async fn the_receiver_gets_the_names_of_today_whatever_the_egress_format() {
    let server = HttpServer::start();
    let vcon = vcon(&Vcons::new(1).legacy());
    try_save(&storage(&server, true), &vcon).await.unwrap();
    let request = server.requests().pop().unwrap();
    assert_eq!(
        (request.json(), &*request.target, &*request.headers["x-key"]),
        (read_view(&vcon), "/vcons", "k")
    );
}

#[tokio::test]
async fn wrong_settings_concern_the_receiver_and_not_the_vcon() {
    let server = HttpServer::start();
    let (storage, vcon) = (storage(&server, false), vcon(&Vcons::new(2).call()));
    for (status, kind) in
        [(401, ErrorKind::Unauthorized), (404, ErrorKind::Invalid), (301, ErrorKind::Invalid)]
    {
        server.script([Answer::status(status)]);
        let error = try_save(&storage, &vcon).await.unwrap_err();
        assert!(error.is_unavailable() && error.kind() == kind, "{status}: {error:?}");
    }
    try_save(&storage, &vcon).await.unwrap();
}
