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
    for option in ["s3_bucket", "post_media_to_url"] {
        let json = format!(r#"{{"remove_dialog_body": true, "{option}": "somewhere"}}"#);
        assert!(Diet::check(&options(&json))[0].contains(option));
        let error = Diet::build(options(&json), &BuildContext::new("slim")).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("would be lost"), "{error}");
    }
    assert!(Diet::check(&options(r#"{"remove_analysis": true, "s3_bucket": "unused"}"#)).is_empty());
    assert_eq!(Diet::check(&options("{}")).len(), 1);
}

#[test]
fn secrets_do_not_show() {
    let options = options(r#"{"aws_access_key_id": "AKIA1", "aws_secret_access_key": "hush"}"#);
    let shown = format!("{options:?}");
    assert!(!shown.contains("AKIA1") && !shown.contains("hush"), "{shown}");
}
