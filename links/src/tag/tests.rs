//! The suite, and the cases of the Python server's own tests.

use conserver_core::ErrorKind;
use conserver_core::link::Flow;
use conserver_core::vcon::View;
use conserver_testkit::link_suite::{LinkFixture, context};
use conserver_testkit::vcons::{Vcons, vcon};
use serde_json::{Value, json};

use super::*;

fn link(options: &Value, shape: BodyShape) -> Arc<dyn Link> {
    let mut cx = BuildContext::new("tag");
    cx.body_shape = shape;
    Tag::build(serde_json::from_value(options.clone()).unwrap(), &cx).unwrap()
}

conserver_testkit::link_suite!(LinkFixture {
    link: link(&json!({"tags": ["topic:music", "urgent"]}), BodyShape::Native),
    document: Vcons::new(1).call(),
    changes: true,
});

mod text_bodies {
    use super::*;

    conserver_testkit::link_suite!(LinkFixture {
        link: link(&json!({"tags": {"topic": "music"}}), BodyShape::Text),
        document: Vcons::new(1).legacy(),
        changes: true,
    });
}

async fn run(options: Value, document: &Value) -> (Vcon, LinkOutcome) {
    let vcon = vcon(document);
    let outcome = link(&options, BodyShape::Native).run(&context(&vcon), Some(vcon.clone())).await.unwrap();
    (vcon, outcome)
}

async fn tags(options: Value, document: &Value) -> Vec<String> {
    let (_, outcome) = run(options, document).await;
    let tags = outcome.vcon.unwrap().tags().unwrap();
    tags.into_iter().map(|(name, value)| format!("{name}:{value}")).collect()
}

/// A vCon without attachments.
fn bare() -> Value {
    let mut call = Vcons::new(2).call();
    call.as_object_mut().unwrap().shift_remove("attachments");
    call
}

#[tokio::test]
async fn bare_names_are_doubled_and_pairs_are_split() {
    assert_eq!(tags(json!({"tags": ["iron", "maiden"]}), &bare()).await, ["iron:iron", "maiden:maiden"]);
    assert_eq!(tags(json!({"tags": ["a:b:c"]}), &bare()).await, ["a:b:c"]);
    assert_eq!(tags(json!({"tags": {"a": "b"}}), &bare()).await, ["a:b"]);
}

#[tokio::test]
async fn a_tags_attachment_is_made_where_there_is_none() {
    let (_, outcome) = run(json!({"tags": ["a:b"]}), &bare()).await;
    assert_eq!(outcome.flow, Flow::Continue);
    let written: Value =
        serde_json::from_slice(&outcome.vcon.unwrap().render(View::Write(BodyShape::Native))).unwrap();
    assert_eq!(written["attachments"], json!([{"purpose": "tags", "body": ["a:b"], "encoding": "json"}]));
}

#[tokio::test]
async fn tags_that_are_there_stay_and_are_not_doubled() {
    let mut call = Vcons::new(2).call();
    call["attachments"] = json!([{"type": "tags", "encoding": "json", "body": "[\"a:b\", \"x:y\"]"}]);
    assert_eq!(tags(json!({"tags": ["a:b", "c:d", "c:d"]}), &call).await, ["a:b", "x:y", "c:d"]);
    call["attachments"] = json!([{"purpose": "tags", "encoding": "json", "body": {"a": "b"}}]);
    assert_eq!(tags(json!({"tags": ["a:b", "c:d"]}), &call).await, ["a:b", "c:d"]);
}

#[tokio::test]
async fn without_tags_the_document_is_the_same_one() {
    for options in [json!({}), json!({"tags": []}), json!({"tags": [""]})] {
        let (vcon, outcome) = run(options, &bare()).await;
        assert_eq!(outcome.flow, Flow::Continue);
        assert!(outcome.vcon.unwrap().same_as(&vcon));
    }
}

#[tokio::test]
async fn a_signed_vcon_is_refused_for_good() {
    let (_, signed) = Vcons::new(3).odd().into_iter().find(|(name, _)| *name == "signed").unwrap();
    let vcon = vcon(&signed);
    let link = link(&json!({"tags": ["a:b"]}), BodyShape::Native);
    let error = link.run(&context(&vcon), Some(vcon)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.is_permanent());
}
