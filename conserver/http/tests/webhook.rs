//! Several receivers of one document.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use bytes::Bytes;
use conserver_core::vcon::VconId;
use conserver_core::{Error, ErrorKind, Result};
use conserver_http::webhook::{Webhook, WebhookOptions};
use conserver_testkit::http::{Answer, HttpServer};
use serde_json::{Value, json};

fn webhook(options: &Value) -> Webhook {
    let options: WebhookOptions = serde_json::from_value(options.clone()).unwrap();
    assert_eq!(options.problems(), Vec::<String>::new());
    Webhook::new(options)
}

async fn deliver(webhook: &Webhook, body: &'static str) -> Result<Vec<Error>> {
    webhook.deliver("main", &VconId::new("018f"), &Bytes::from_static(body.as_bytes())).await
}

#[tokio::test]
async fn every_receiver_gets_the_document_with_the_headers() {
    let servers = [HttpServer::start(), HttpServer::start()];
    let webhook = webhook(&json!({
        "webhook-urls": servers.each_ref().map(|server| server.url("/hook")),
        "headers": {"Authorization": "Bearer x", "X-Team": 7},
        "sign": {"secret": "Jefe"},
    }));
    assert!(deliver(&webhook, "what do ya want for nothing?").await.unwrap().is_empty());
    for server in servers {
        let request = server.requests().pop().unwrap();
        assert_eq!(request.body, "what do ya want for nothing?");
        let expected = [
            ("authorization", "Bearer x"),
            ("x-team", "7"),
            ("content-type", "application/json"),
            ("idempotency-key", "018f"),
            (
                "x-hub-signature-256",
                "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
        ];
        for (name, value) in expected {
            assert_eq!(request.headers[name], value);
        }
    }
}

#[tokio::test]
async fn a_connection_serves_one_delivery_after_the_other() {
    let server = HttpServer::start();
    let webhook = webhook(&json!({"webhook-urls": server.url("/"), "raise_on_error": false}));
    server
        .rule(|request| Answer::status(if request.body == "{}" { 200 } else { 400 }).body(vec![b'x'; 5000]));
    for body in ["{}", "[]"].into_iter().cycle().take(50) {
        deliver(&webhook, body).await.unwrap();
    }
    assert_eq!((server.requests().len(), server.connections()), (50, 1));
}

#[tokio::test]
async fn headers_of_the_options_take_the_place_of_ours() {
    let server = HttpServer::start();
    let webhook = webhook(&json!({
        "webhook-urls": server.url("/"),
        "headers": {"content-type": "application/vcon+json", "Idempotency-Key": "mine", "user-agent": "me"},
    }));
    deliver(&webhook, "{}").await.unwrap();
    let headers = server.requests().pop().unwrap().headers;
    assert_eq!(
        (&*headers["content-type"], &*headers["idempotency-key"], &*headers["user-agent"]),
        ("application/vcon+json", "mine", "me")
    );
}

#[tokio::test]
async fn a_further_attempt_leaves_out_who_has_it() {
    let [fine, broken] = [HttpServer::start(), HttpServer::start()];
    let webhook = webhook(&json!({"webhook-urls": [broken.url("/b"), fine.url("/f")]}));
    broken.script([Answer::status(503), Answer::status(400)]);
    for kind in [ErrorKind::Unavailable, ErrorKind::Invalid] {
        let error = deliver(&webhook, "{}").await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().starts_with("1 of 2 receivers have it: POST `http://localhost"), "{error}");
    }
    assert_eq!((fine.requests().len(), broken.requests().len()), (1, 2));
    deliver(&webhook, "{}").await.unwrap();
    assert_eq!((fine.requests().len(), broken.requests().len()), (1, 3));
    // What is delivered is over: the next time it is sent to all.
    deliver(&webhook, "{}").await.unwrap();
    assert_eq!((fine.requests().len(), broken.requests().len()), (2, 4));
}

#[tokio::test]
async fn another_document_or_another_chain_is_another_delivery() {
    let [fine, broken] = [HttpServer::start(), HttpServer::start()];
    let webhook = webhook(&json!({"webhook-urls": [fine.url("/"), broken.url("/")]}));
    broken.rule(|_| Answer::status(500));
    deliver(&webhook, "{}").await.unwrap_err();
    deliver(&webhook, r#"{"changed": true}"#).await.unwrap_err();
    let body = Bytes::from_static(b"{}");
    webhook.deliver("other", &VconId::new("018f"), &body).await.unwrap_err();
    webhook.deliver("main", &VconId::new("0190"), &body).await.unwrap_err();
    assert_eq!(fine.requests().len(), 4);
}

#[tokio::test]
async fn what_may_heal_is_told_before_what_cannot() {
    let [refusing, away] = [HttpServer::start(), HttpServer::start()];
    let webhook = webhook(&json!({"webhook-urls": [refusing.url("/"), away.url("/")]}));
    refusing.rule(|_| Answer::status(400));
    away.script([Answer::status(503)]);
    assert!(deliver(&webhook, "{}").await.unwrap_err().is_unavailable());
    assert!(deliver(&webhook, "{}").await.unwrap_err().is_permanent());
}

#[tokio::test]
async fn refusals_are_passed_over_on_wish_and_silence_never() {
    let mut server = HttpServer::start();
    let webhook = webhook(&json!({"webhook-urls": server.url("/"), "raise_on_error": "no"}));
    server.rule(|_| Answer::status(500));
    let passed_over = deliver(&webhook, "{}").await.unwrap();
    assert!(passed_over[0].to_string().contains("answered 500"), "{passed_over:?}");
    server.stop();
    assert!(deliver(&webhook, "{}").await.unwrap_err().is_unavailable());
}

#[tokio::test]
async fn reaching_asks_for_nothing_but_whether_somebody_is_there() {
    let mut server = HttpServer::start();
    let webhook = webhook(&json!({"webhook-urls": server.url("/")}));
    for status in [200, 401, 404, 405, 500] {
        server.script([Answer::status(status)]);
        webhook.reach().await.unwrap();
    }
    server.script([Answer::status(503)]);
    assert!(webhook.reach().await.unwrap_err().is_unavailable());
    assert!(server.requests().iter().all(|request| request.method == "OPTIONS" && request.body.is_empty()));
    server.stop();
    assert!(webhook.reach().await.unwrap_err().is_unavailable());
    server.restart();
    webhook.reach().await.unwrap();
}

#[test]
fn what_is_wrong_is_told_and_secrets_do_not_show() {
    let sentences = |options: Value| serde_json::from_value::<WebhookOptions>(options).unwrap().problems();
    assert_eq!(sentences(json!({})).len(), 1);
    assert_eq!(
        sentences(json!({"webhook-urls": "http://h/", "timeout": 0, "sign": {"secret": ""}})).len(),
        2
    );
    for wrong in [
        json!({"webhook-urls": ["h/path"]}),
        json!({"headers": ["X"]}),
        json!({"sign": {}}),
        json!({"sign": {"secret": "s", "header": "two words"}}),
    ] {
        assert!(serde_json::from_value::<WebhookOptions>(wrong.clone()).is_err(), "{wrong}");
    }
    let options: WebhookOptions = serde_json::from_value(json!({
        "webhook-urls": "https://u:hunter2@h/?k=hunter2", "headers": {"A": "hunter2"}, "sign": {"secret": "hunter2"}
    }))
    .unwrap();
    assert!(!format!("{options:?}").contains("hunter2"), "{options:?}");
}
