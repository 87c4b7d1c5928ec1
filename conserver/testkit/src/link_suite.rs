//! The behaviours of [`Link`], one case for each line of the contract.
//!
//! `link_suite!(fixture)` makes a test of each case; the expression makes a fresh [`LinkFixture`] every time. That
//! every line of the contract has a case is a test of this crate; that every case became a test is one of the
//! generated tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use conserver_core::ErrorKind;
use conserver_core::link::{Effect, Link, LinkContext, LinkOutcome};
use conserver_vcon::{Vcon, View};
use serde_json::{Value, json};

use crate::json::{parse, read_view, same};
use crate::vcons::{Vcons, vcon};

/// One link under test.
pub struct LinkFixture {
    /// The link.
    pub link: Arc<dyn Link>,
    /// A document that it has something to do with: it changes it, if it changes any.
    pub document: Value,
    /// Whether it changes that document.
    pub changes: bool,
}

/// Every case, with the line of the contract that it is about.
pub const CASES: &[(&str, &str)] = &[
    ("every_list_it_feeds_is_named", "names every list that an [`Effect::Enqueue`] of it may name"),
    (
        "running_on_its_own_output_changes_nothing",
        "running on its own output changes nothing more (a crash repeats the chain from its first link)",
    ),
    ("unknown_members_survive", "members that the link does not know survive"),
    (
        "an_unchanged_document_is_the_same_one",
        "a document that the link does not change comes back as the same one ([`Vcon::same_as`])",
    ),
    (
        "no_document_makes_it_panic",
        "a document in legacy names, with odd bodies or without the usual sections is an outcome or an error, never a \
         panic",
    ),
    ("no_document_is_needed_or_told", "`None` comes in only if [`LinkInfo::needs_document`] is false"),
];

/// Makes a test of every case of the link contract. The expression makes a fresh
/// [`LinkFixture`](crate::link_suite::LinkFixture) and may await.
#[macro_export]
macro_rules! link_suite {
    ($fixture:expr) => {
        $crate::link_suite! { @tests $fixture =>
            every_list_it_feeds_is_named
            running_on_its_own_output_changes_nothing
            unknown_members_survive
            an_unchanged_document_is_the_same_one
            no_document_makes_it_panic
            no_document_is_needed_or_told
        }
    };
    (@tests $fixture:expr => $($case:ident)*) => {
        $(
            #[tokio::test]
            async fn $case() {
                $crate::link_suite::$case($fixture).await;
            }
        )*

        #[test]
        fn every_case_of_the_link_suite_is_a_test() {
            let tests = [$(stringify!($case)),*];
            assert!($crate::link_suite::CASES.iter().map(|(name, _)| *name).eq(tests));
        }
    };
}

/// Where a link runs in a test.
pub fn context(vcon: &Vcon) -> LinkContext {
    LinkContext::new("main".into(), "under-test".into(), "main_ingress".into(), vcon.id().clone(), 0)
}

/// See [`CASES`].
pub async fn every_list_it_feeds_is_named(fixture: LinkFixture) {
    let feeds = fixture.link.feeds();
    for effect in run(&fixture, &fixture.document).await.effects {
        if let Effect::Enqueue { queue, .. } = effect {
            assert!(feeds.contains(&queue), "it puts ids on `{queue}` and names {feeds:?}");
        }
    }
}

/// See [`CASES`].
pub async fn running_on_its_own_output_changes_nothing(fixture: LinkFixture) {
    let first = run(&fixture, &fixture.document).await;
    let output = rendered(&first);
    let second = run(&fixture, &output).await;
    assert!(same(&rendered(&second), &output), "first {output}\nsecond {}", rendered(&second));
    assert_eq!(second.flow, first.flow);
    assert_eq!(second.effects, first.effects);

    // Nor where the document is odd, if the link has an outcome for it.
    for (name, document) in shapes() {
        let vcon = vcon(&document);
        let Ok(first) = fixture.link.run(&context(&vcon), Some(vcon)).await else { continue };
        let output = rendered(&first);
        let second = run(&fixture, &output).await;
        assert!(same(&rendered(&second), &output), "{name}: first {output}\nsecond {}", rendered(&second));
        assert_eq!((second.flow, second.effects), (first.flow, first.effects), "{name}");
    }
}

/// See [`CASES`].
pub async fn unknown_members_survive(fixture: LinkFixture) {
    let mut document = fixture.document.clone();
    let planted = plant(&mut document);
    let outcome = run(&fixture, &document).await;
    let mut found = BTreeMap::new();
    collect(&rendered(&outcome), &mut found);
    assert_eq!(found, planted);
}

/// See [`CASES`].
pub async fn an_unchanged_document_is_the_same_one(fixture: LinkFixture) {
    let output = run(&fixture, &fixture.document).await;
    let vcon = output.vcon.expect("a document went in");
    let is_same = read_view(&vcon) == read_view(&crate::vcons::vcon(&fixture.document));
    assert_eq!(!is_same, fixture.changes, "the fixture says wrongly whether the link changes the document");

    let unchanged = if fixture.changes { vcon } else { crate::vcons::vcon(&fixture.document) };
    let again = fixture.link.run(&context(&unchanged), Some(unchanged.clone())).await.expect("an outcome");
    assert!(again.vcon.expect("a document went in").same_as(&unchanged));
}

/// See [`CASES`].
pub async fn no_document_makes_it_panic(fixture: LinkFixture) {
    for (name, document) in shapes() {
        let vcon = vcon(&document);
        match fixture.link.run(&context(&vcon), Some(vcon.clone())).await {
            Ok(outcome) => assert!(outcome.vcon.is_some(), "{name}: the document is lost"),
            Err(error) => assert!(!error.to_string().is_empty(), "{name}: {error:?}"),
        }
    }
}

/// See [`CASES`].
pub async fn no_document_is_needed_or_told(fixture: LinkFixture) {
    let vcon = vcon(&fixture.document);
    let result = fixture.link.run(&context(&vcon), None).await;
    if fixture.link.info().needs_document {
        assert_eq!(result.expect_err("it cannot run without a document").kind(), ErrorKind::Internal);
    } else {
        assert!(result.expect("it runs without a document").vcon.is_none());
    }
}

/// Documents of every shape: media, old names, and all that is odd.
fn shapes() -> Vec<(&'static str, Value)> {
    let mut vcons = Vcons::new(40);
    let mut documents = vec![("legacy", vcons.legacy()), ("chat", vcons.chat()), ("mail", vcons.mail())];
    documents.extend(vcons.odd());
    documents
}

async fn run(fixture: &LinkFixture, document: &Value) -> LinkOutcome {
    let vcon = vcon(document);
    fixture.link.run(&context(&vcon), Some(vcon)).await.expect("the link has an outcome for its own document")
}

/// The outcome's document as the runner would store it.
fn rendered(outcome: &LinkOutcome) -> Value {
    parse(&outcome.vcon.as_ref().expect("a document went in").render(View::Read))
}

/// Puts an unknown member into the document and into each entry, and says which.
fn plant(document: &mut Value) -> BTreeMap<String, Value> {
    let mut planted = BTreeMap::new();
    let mut add = |object: &mut Value| {
        let name = format!("x-planted-{}", planted.len());
        let value = json!({"kept": [planted.len(), "\u{1f33b}", null]});
        object[&name] = value.clone();
        planted.insert(name, value);
    };
    for section in ["parties", "dialog", "analysis", "attachments"] {
        let entries = document.get_mut(section).and_then(Value::as_array_mut);
        entries.into_iter().flatten().for_each(&mut add);
    }
    add(document);
    planted
}

/// Finds planted members wherever they are.
fn collect(value: &Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => {
            for (name, member) in members {
                if name.starts_with("x-planted-") {
                    found.insert(name.clone(), member.clone());
                } else {
                    collect(member, found);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_contract_has_a_case() {
        let lines = crate::contract::behaviours(include_str!("../../core/src/link.rs"));
        crate::contract::assert_covered(&lines, CASES);
    }
}
