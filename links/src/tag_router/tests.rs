//! The suite, and the cases of the Python server's own tests.
#![allow(clippy::needless_pass_by_value, reason = "documents are written where they are used")]

use conserver_core::ErrorKind;
use conserver_core::link::Flow;
use conserver_testkit::link_suite::{LinkFixture, context};
use conserver_testkit::vcons::{Vcons, vcon};
use serde_json::json;

use super::*;

fn link(options: &Value) -> Arc<dyn Link> {
    let options = serde_json::from_value(options.clone()).unwrap();
    TagRouter::build(options, &BuildContext::new("router")).unwrap()
}

fn routes() -> Value {
    json!({"tag_routes": {"important": "important_list", "urgent": "urgent_list"}})
}

fn without_forwarding() -> Value {
    let mut options = routes();
    options["forward_original"] = json!(false);
    options
}

/// A call with these attachments.
fn call(attachments: Value) -> Value {
    let mut call = Vcons::new(1).call();
    call["attachments"] = attachments;
    call
}

fn tagged(body: Value) -> Value {
    call(json!([{"purpose": "tags", "encoding": "json", "body": body}]))
}

conserver_testkit::link_suite!(LinkFixture {
    link: link(&routes()),
    document: tagged(json!(["important:yes", "urgent:no"])),
    changes: false,
});

mod without_forwarding {
    use super::*;

    conserver_testkit::link_suite!(LinkFixture {
        link: link(&without_forwarding()),
        document: tagged(json!({"important": "yes"})),
        changes: false,
    });
}

/// The lists that the document goes to, and whether it goes on.
async fn route(options: Value, document: &Value) -> (Vec<String>, bool) {
    let vcon = vcon(document);
    let outcome = link(&options).run(&context(&vcon), Some(vcon.clone())).await.unwrap();
    assert!(outcome.vcon.unwrap().same_as(&vcon));
    let list = |effect| match effect {
        Effect::Enqueue { queue, id } if id == *vcon.id() => queue.to_string(),
        other => panic!("unexpected {other:?}"),
    };
    (outcome.effects.into_iter().map(list).collect(), outcome.flow == Flow::Continue)
}

#[tokio::test]
async fn each_tag_with_a_route_is_routed_whatever_its_value() {
    for body in [
        json!(["important:yes", "urgent:no", "other:x"]),
        json!({"important": "yes", "urgent": {}, "other": 1}),
        json!("[\"important:yes\", \"urgent:no\"]"),
        json!("{\"important\": \"yes\", \"urgent\": \"no\"}"),
    ] {
        let (lists, goes_on) = route(routes(), &tagged(body.clone())).await;
        assert_eq!(lists, ["important_list", "urgent_list"], "{body}");
        assert!(goes_on);
    }
}

#[tokio::test]
async fn some_or_none_of_the_tags_may_have_a_route() {
    assert_eq!(
        route(routes(), &tagged(json!(["urgent:1", "x:y"]))).await,
        (vec!["urgent_list".to_owned()], true)
    );
    assert_eq!(route(routes(), &tagged(json!(["x:y"]))).await, (vec![], true));
}

#[tokio::test]
async fn without_forwarding_every_vcon_ends_here() {
    for (document, expected) in [
        (tagged(json!(["urgent:1"])), vec!["urgent_list"]),
        (tagged(json!(["x:y"])), vec![]),
        (call(json!([])), vec![]),
    ] {
        let (lists, goes_on) = route(without_forwarding(), &document).await;
        assert_eq!(lists, expected);
        assert!(!goes_on);
    }
}

#[tokio::test]
async fn the_reason_says_when_nothing_matched() {
    let vcon = vcon(&tagged(json!(["x:y"])));
    let outcome = link(&without_forwarding()).run(&context(&vcon), Some(vcon)).await.unwrap();
    let reason = "no tag has a route and `forward_original` is false".to_owned();
    assert_eq!(outcome.flow, Flow::Halt { reason });
}

#[tokio::test]
async fn without_routes_every_vcon_passes() {
    for options in
        [json!({}), json!({"tag_routes": null}), json!({"tag_routes": {}, "forward_original": false})]
    {
        assert_eq!(route(options, &tagged(json!(["urgent:1"]))).await, (vec![], true));
    }
}

#[tokio::test]
async fn all_tags_attachments_count_under_both_names() {
    let document = call(json!([
        {"type": "tags", "body": ["urgent:1"]},
        {"purpose": "", "type": "tags", "encoding": "none", "body": "[\"important:1\"]"},
        {"purpose": "notes", "type": "tags", "body": ["important:1"]},
        {"purpose": "tags"},
        "text",
    ]));
    assert_eq!(route(routes(), &document).await.0, ["urgent_list", "important_list"]);
    let noted = call(json!([{"purpose": "notes", "type": "tags", "body": ["important:1"]}]));
    assert!(route(routes(), &noted).await.0.is_empty());
}

#[tokio::test]
async fn a_list_gets_the_vcon_once() {
    let mut options = routes();
    options["tag_routes"]["vip"] = json!("urgent_list");
    let document = tagged(json!(["urgent:1", "urgent:2", "vip:yes", "important:1"]));
    assert_eq!(route(options, &document).await.0, ["urgent_list", "important_list"]);
}

#[tokio::test]
async fn what_names_no_tag_is_ignored() {
    for body in
        [json!(["urgent", 5, null, ":x", ["urgent:1"]]), json!({"": 1}), json!("5"), json!(5), json!(null)]
    {
        assert!(route(routes(), &tagged(body.clone())).await.0.is_empty(), "{body}");
    }
}

#[tokio::test]
async fn a_body_that_says_it_is_json_and_is_none_is_refused_for_good() {
    let vcon = vcon(&tagged(json!("[\"urgent:1\"")));
    let error = link(&routes()).run(&context(&vcon), Some(vcon)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn risky_options_are_told() {
    let problems = |json: Value| TagRouter::check(&serde_json::from_value(json).unwrap()).len();
    assert_eq!(problems(json!({})), 1);
    assert_eq!(problems(routes()), 0);
    assert_eq!(problems(without_forwarding()), 1);
}

#[test]
fn a_key_of_the_store_is_no_route() {
    for list in ["cs:busy", "vcon:a", ""] {
        let options = json!({"tag_routes": {"vip": list}});
        assert!(serde_json::from_value::<TagRouterOptions>(options).is_err(), "{list}");
    }
}

#[test]
fn a_list_may_have_a_number_as_its_name_and_null_forwards_nothing() {
    let options: TagRouterOptions =
        serde_json::from_str(r#"{"tag_routes": {"vip": 77}, "forward_original": null}"#).unwrap();
    assert_eq!(options.tag_routes["vip"].as_str(), "77");
    assert!(!options.forward_original);
    assert!(serde_json::from_str::<TagRouterOptions>("{}").unwrap().forward_original);
}
