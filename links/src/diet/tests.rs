use conserver_core::ErrorKind;
use conserver_core::vcon::View;
use conserver_testkit::json::parse;
use conserver_testkit::link_suite::{LinkFixture, context};
use conserver_testkit::vcons::{Vcons, vcon};
use serde_json::{Value, json};

use super::*;

const EVERYTHING: &str = r#"{"remove_dialog_body": true, "remove_analysis": true,
    "remove_attachment_types": ["application/pdf"], "remove_system_prompts": "yes"}"#;

fn options(json: &str) -> DietOptions {
    serde_json::from_str(json).unwrap()
}

fn link(json: &str) -> Arc<dyn Link> {
    Diet::build(options(json), &BuildContext::new("slim")).unwrap()
}

async fn slimmed(options: &str, document: &Value) -> Value {
    let vcon = vcon(document);
    let outcome = link(options).run(&context(&vcon), Some(vcon)).await.unwrap();
    parse(&outcome.vcon.unwrap().render(View::Stored))
}

/// A chat with bodies, prompts and attachments.
fn heavy() -> Value {
    let mut chat = Vcons::new(1).chat();
    chat["analysis"] = json!([{"type": "summary", "vendor": "x", "body": "short",
        "vendor_schema": {"model": "m", "system_prompt": "secret", "opts": [{"system_prompt": 5}, 2.5]}}]);
    chat["attachments"] = json!([
        {"purpose": "tags", "body": ["a:b"], "encoding": "json"},
        {"purpose": "contract", "mediatype": "application/pdf", "body": "AAAA", "encoding": "base64url"},
        {"type": "contract", "mimetype": "application/pdf", "body": "AAAA"},
        {"type": "contract", "mime_type": "application/pdf", "body": "AAAA"},
        "text",
    ]);
    chat
}

mod bodies_and_prompts {
    use super::*;

    conserver_testkit::link_suite!(LinkFixture {
        link: link(r#"{"remove_dialog_body": true, "remove_system_prompts": true}"#),
        document: {
            let mut heavy = heavy();
            heavy["attachments"].as_array_mut().unwrap().retain(Value::is_object);
            heavy
        },
        changes: true,
    });
}

mod nothing_to_do {
    use super::*;

    conserver_testkit::link_suite!(LinkFixture {
        link: link(EVERYTHING),
        document: json!({"uuid": "018f2a4b-0000-8000-9dd8-dd37220d739c", "parties": [], "dialog": [{"type": "recording"}]}),
        changes: false,
    });
}

#[tokio::test]
async fn bodies_of_dialogs_are_emptied_and_nothing_else_changes() {
    let mut document = heavy();
    document["dialog"][1]["body"] = json!({"native": true});
    document["dialog"][2].as_object_mut().unwrap().shift_remove("body");
    let slim = slimmed(r#"{"remove_dialog_body": true}"#, &document).await;
    for (at, dialog) in slim["dialog"].as_array().unwrap().iter().enumerate() {
        assert_eq!(dialog.get("body"), (at != 2).then(|| json!("")).as_ref(), "dialog {at}");
    }
    let mut restored = slim.clone();
    restored["dialog"] = document["dialog"].clone();
    assert_eq!(restored, document);
    assert_eq!(slim["dialog"][0]["mediatype"], "text/plain");
}

#[tokio::test]
async fn analysis_becomes_an_empty_list() {
    let slim = slimmed(r#"{"remove_analysis": true}"#, &heavy()).await;
    assert_eq!(slim["analysis"], json!([]));
    let bare = json!({"uuid": "018f2a4b-0000-8000-9dd8-dd37220d739c"});
    assert_eq!(slimmed(r#"{"remove_analysis": true}"#, &bare).await, bare);
}

#[tokio::test]
async fn attachments_go_by_media_type_of_any_draft_and_by_purpose() {
    let pdf = slimmed(r#"{"remove_attachment_types": "application/pdf"}"#, &heavy()).await;
    assert_eq!(pdf["attachments"], json!([heavy()["attachments"][0], "text"]));
    let contracts = slimmed(r#"{"remove_attachment_types": ["contract"]}"#, &heavy()).await;
    assert_eq!(contracts["attachments"], json!([heavy()["attachments"][0], "text"]));
}

#[tokio::test]
async fn prompts_go_at_any_depth_and_numbers_keep_their_spelling() {
    let json = r#"{"uuid": "018f2a4b-0000-8000-9dd8-dd37220d739c", "system_prompt": "x",
        "analysis": [{"a": 12345678901234567890123.50, "b": [{"system_prompt": {"deep": 1}, "c": 1e2}]}]}"#;
    let vcon = Vcon::from_json(json.into(), &Default::default()).unwrap();
    let cx = context(&vcon);
    let slim = link(r#"{"remove_system_prompts": true}"#).run(&cx, Some(vcon)).await.unwrap().vcon.unwrap();
    assert_eq!(slim.raw("system_prompt"), None);
    assert_eq!(slim.raw("analysis"), Some(r#"[{"a": 12345678901234567890123.50, "b": [{"c": 1e2}]}]"#));
}

#[tokio::test]
async fn what_is_signed_is_left_whole() {
    let signed = Vcons::new(40).odd().into_iter().find(|(name, _)| *name == "signed").unwrap().1;
    assert_eq!(slimmed(EVERYTHING, &signed).await, signed);
}

#[test]
fn a_body_that_could_not_be_kept_elsewhere_is_never_removed() {
    let json = r#"{"remove_dialog_body": true, "s3_bucket": "somewhere"}"#;
    assert!(Diet::check(&options(json))[0].contains("s3_bucket"));
    let error = Diet::build(options(json), &BuildContext::new("slim")).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("would be lost"), "{error}");
    assert!(serde_json::from_str::<DietOptions>(r#"{"post_media_to_url": "somewhere"}"#).is_err());
    assert!(Diet::check(&options(r#"{"remove_analysis": true, "s3_bucket": "unused"}"#)).is_empty());
    assert_eq!(Diet::check(&options("{}")).len(), 1);
}

mod elsewhere {
    //! Bodies in an HTTP store.

    use conserver_core::Class;
    use conserver_testkit::http::{Answer, HttpServer};

    use super::*;

    /// A store that answers a URL of its own for each key.
    fn store() -> HttpServer {
        let server = HttpServer::start();
        server.rule(|request| {
            let url = format!("https://media.example.com/{}", request.headers["idempotency-key"]);
            Answer::status(200).body(json!({"url": url, "more": [1]}).to_string())
        });
        server
    }

    fn to(server: &HttpServer) -> Arc<dyn Link> {
        let url = server.url("/media");
        link(&json!({"remove_dialog_body": true, "post_media_to_url": url}).to_string())
    }

    /// A chat whose third dialog repeats the body of the first, and whose last has none.
    fn chat() -> Value {
        let mut chat = heavy();
        chat["attachments"].as_array_mut().unwrap().retain(Value::is_object);
        let dialog = chat["dialog"].as_array_mut().unwrap();
        dialog.truncate(3);
        dialog[1]["id"] = json!("second");
        dialog[1]["body"] = json!({"native": [1.50, "é"]});
        dialog[2]["body"] = dialog[0]["body"].clone();
        dialog.push(json!({"type": "recording", "body": ""}));
        chat
    }

    async fn run(link: &Arc<dyn Link>, document: &Value) -> Result<Value> {
        let vcon = vcon(document);
        let outcome = link.run(&context(&vcon), Some(vcon)).await?;
        Ok(parse(&outcome.vcon.unwrap().render(View::Stored)))
    }

    conserver_testkit::link_suite!(LinkFixture {
        link: to(Box::leak(Box::new(store()))),
        document: chat(),
        changes: true,
    });

    #[tokio::test]
    async fn a_body_is_replaced_by_the_url_of_its_copy() {
        let (server, chat) = (store(), chat());
        let link = to(&server);
        assert!(link.info().checkpoint);
        let slim = run(&link, &chat).await.unwrap();

        let sent: Vec<Value> = server.requests().iter().map(conserver_testkit::http::Request::json).collect();
        let (id, first) = (&chat["uuid"], &chat["dialog"][0]["body"]);
        assert_eq!(
            sent,
            [
                json!({"content": first, "vcon_uuid": id, "dialog_id": chat["dialog"][0].get("id").unwrap_or(&json!(""))}),
                json!({"content": chat["dialog"][1]["body"], "vcon_uuid": id, "dialog_id": "second"}),
            ]
        );
        let mut expected = chat.clone();
        for (dialog, request) in [(0, 0), (1, 1), (2, 0)] {
            let key = &server.requests()[request].headers["idempotency-key"];
            expected["dialog"][dialog]["body"] = json!(format!("https://media.example.com/{key}"));
            expected["dialog"][dialog]["body_type"] = json!("url");
        }
        assert_eq!(slim, expected);
        // Its own output has nothing left to be put.
        assert_eq!(run(&link, &slim).await.unwrap(), slim);
        assert_eq!(server.requests().len(), 2);
    }

    #[tokio::test]
    async fn a_further_attempt_puts_only_the_rest() {
        let (server, chat) = (store(), chat());
        let link = to(&server);
        server.script([
            Answer::status(200).body(r#"{"url": "https://media.example.com/1"}"#),
            Answer::status(503),
        ]);
        assert!(run(&link, &chat).await.unwrap_err().is_unavailable());
        let slim = run(&link, &chat).await.unwrap();
        assert_eq!(slim["dialog"][0]["body"], "https://media.example.com/1");
        let keys: Vec<_> = server.requests().iter().map(|r| r.headers["idempotency-key"].clone()).collect();
        assert!(keys.len() == 3 && keys[0] != keys[1] && keys[1] == keys[2], "{keys:?}");
    }

    #[tokio::test]
    async fn without_the_url_of_a_copy_the_body_stays() {
        let mut server = store();
        let (link, chat) = (to(&server), chat());
        for answer in [
            Answer::status(200),
            Answer::status(200).body("<html>hello</html>"),
            Answer::status(200).body(r#"{"url": ""}"#),
            Answer::status(200).body(r#"{"url": "elsewhere"}"#),
            Answer::status(200).body(r#"{"url": ["https://media.example.com/1"]}"#),
            Answer::status(200).body(vec![b' '; 1 << 20]),
            Answer::status(301).header("location", "https://media.example.com/"),
        ] {
            server.script([answer]);
            let error = run(&link, &chat).await.unwrap_err();
            assert_eq!(
                (error.kind(), error.get_class()),
                (ErrorKind::Invalid, Class::Unavailable),
                "{error:?}"
            );
        }
        server.script([Answer::status(413)]);
        assert!(run(&link, &chat).await.unwrap_err().is_permanent());
        server.stop();
        assert!(run(&link, &chat).await.unwrap_err().is_unavailable());
        server.restart();
        run(&link, &chat).await.unwrap();
    }

    #[tokio::test]
    async fn a_body_that_is_to_stay_is_put_nowhere() {
        let server = store();
        let options = json!({"remove_analysis": true, "post_media_to_url": server.url("/")}).to_string();
        assert_eq!(Diet::check(&super::options(&options)).len(), 1);
        let slim = run(&link(&options), &chat()).await.unwrap();
        assert_eq!((&slim["dialog"], server.requests().len()), (&chat()["dialog"], 0));
    }
}

#[test]
fn secrets_do_not_show() {
    let options = options(r#"{"aws_access_key_id": "AKIA1", "aws_secret_access_key": "hush"}"#);
    let shown = format!("{options:?}");
    assert!(!shown.contains("AKIA1") && !shown.contains("hush"), "{shown}");
}
