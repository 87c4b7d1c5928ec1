use conserver_core::link::Flow;
use conserver_testkit::link_suite::{LinkFixture, context};
use conserver_testkit::vcons::{Vcons, vcon};
use serde_json::Value;

use super::*;

fn link(json: &str) -> Arc<dyn Link> {
    Validate::build(serde_json::from_str(json).unwrap(), &BuildContext::new("check")).unwrap()
}

/// A call that breaks the door's rules in two places.
fn broken() -> Value {
    let mut call = Vcons::new(1).call();
    call.as_object_mut().unwrap().shift_remove("created_at");
    call["parties"] = json!("nobody, and a secret");
    call
}

async fn run(options: &str, document: &Value) -> Result<LinkOutcome> {
    let vcon = vcon(document);
    link(options).run(&context(&vcon), Some(vcon)).await
}

mod failing {
    use super::*;

    conserver_testkit::link_suite!(LinkFixture {
        link: link("{}"),
        document: Vcons::new(1).call(),
        changes: false,
    });
}

mod tagging {
    use super::*;

    conserver_testkit::link_suite!(LinkFixture {
        link: link(r#"{"on_findings": "tag"}"#),
        document: broken_without_sections(),
        changes: true,
    });
}

mod annotating {
    use super::*;

    conserver_testkit::link_suite!(LinkFixture {
        link: link(r#"{"on_findings": "annotate", "profile": "core-04", "warnings": true}"#),
        document: broken_without_sections(),
        changes: true,
    });
}

/// Broken where no unknown member is planted.
fn broken_without_sections() -> Value {
    let mut call = Vcons::new(1).call();
    call["created_at"] = json!("yesterday");
    call
}

#[tokio::test]
async fn a_dead_letter_names_rules_and_places_and_nothing_of_the_document() {
    let error = run("{}", &broken()).await.unwrap_err();
    assert!(error.is_permanent());
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.chain();
    assert!(text.contains("`ingest`: `required` at `/created_at`"), "{text}");
    assert!(text.contains("`/parties`") && !text.contains("secret"), "{text}");
}

#[tokio::test]
async fn many_findings_are_counted() {
    let mut call = Vcons::new(1).call();
    call["parties"] = (0..20).map(|n| json!(n)).collect();
    let text = run(r#"{"profile": "core-04"}"#, &call).await.unwrap_err().to_string();
    assert!(text.contains(" more") && text.len() < 500, "{text}");
}

#[tokio::test]
async fn a_chain_may_end_instead() {
    let outcome = run(r#"{"on_findings": "halt"}"#, &broken()).await.unwrap();
    let Flow::Halt { reason } = outcome.flow else { panic!("{:?}", outcome.flow) };
    assert!(reason.contains("`required` at `/created_at`"), "{reason}");
}

#[tokio::test]
async fn a_tag_tells_routers_which_vcons_are_invalid() {
    let outcome = run(r#"{"on_findings": "tag"}"#, &broken()).await.unwrap();
    assert!(outcome.vcon.unwrap().tags().unwrap().contains(&("invalid".into(), "ingest".into())));
    let outcome = run(r#"{"on_findings": "tag", "tag": "odd"}"#, &broken()).await.unwrap();
    assert!(outcome.vcon.unwrap().tags().unwrap().contains(&("odd".into(), "ingest".into())));
}

#[tokio::test]
async fn an_annotation_holds_all_findings() {
    let vcon = run(r#"{"on_findings": "annotate"}"#, &broken()).await.unwrap().vcon.unwrap();
    let entry = vcon.analysis().last().unwrap();
    let body: Value = serde_json::from_str(entry.body().unwrap().raw()).unwrap();
    assert_eq!((entry.kind().unwrap(), body["profile"].as_str()), ("validation".into(), Some("ingest")));
    assert!(body["findings"].as_array().unwrap().iter().any(|finding| finding["path"] == "/created_at"));
}

#[tokio::test]
async fn warnings_count_where_they_are_asked_for() {
    let document = Vcons::new(40).odd().into_iter().map(|(_, document)| document).find(|document| {
        let findings = validate(&vcon(document), Profile::Ingest);
        !findings.is_empty() && findings.iter().all(|finding| finding.severity == Severity::Warning)
    });
    let document = document.expect("one of the odd documents has warnings alone");
    assert!(run("{}", &document).await.is_ok());
    assert!(run(r#"{"warnings": true}"#, &document).await.is_err());
}

#[test]
fn a_tag_without_a_name_is_told() {
    let problems = |json| Validate::check(&serde_json::from_str(json).unwrap()).len();
    assert_eq!(problems(r#"{"on_findings": "tag", "tag": ""}"#), 1);
    assert_eq!(problems(r#"{"tag": ""}"#), 0);
}
