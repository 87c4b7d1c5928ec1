//! The behaviours of [`Intake`], one case for each line of the contract.
//!
//! `intake_suite!(fixture)` makes a test of each case; see `store_suite` for how.

#![expect(clippy::unwrap_used, reason = "every case is the body of a test")]

use std::sync::Arc;

use conserver_core::directory::{CreatedRange, Dated};
use conserver_core::intake::{Arrival, Arrived, Intake, Target};
use conserver_core::queue::Paging;
use conserver_core::store::{IndexKeys, Loaded};
use conserver_core::vcon::{VconId, View};
use conserver_core::{ErrorKind, Result};
use serde_json::{Value, json};

use crate::json::{parse, same};
pub use crate::queue_fixture::{QueueFixture, VCON_EXPIRY};
use crate::queue_suite::{claim, finish_all, listed, push, worker};
use crate::vcons::{Vcons, vcon};

/// Every case, with the line of the contract that it is about.
pub const CASES: &[(&str, &str)] = &[
    (
        "an_arrival_is_whole",
        "an arrival replaces the document, is found by its keys, and stands at the end of each of its lists with its context",
    ),
    (
        "a_large_arrival_is_whole",
        "an arrival replaces the document, is found by its keys, and stands at the end of each of its lists with its context",
    ),
    (
        "an_arrival_for_no_list_leaves_nothing",
        "a list that is no list is `WrongType` and names the list; nothing of that arrival is written, the others go on",
    ),
    (
        "an_arrival_for_a_full_list_leaves_nothing",
        "a list at its bound is `RateLimited` and names the list; nothing of that arrival is written",
    ),
    (
        "a_repeated_request_does_nothing",
        "a repeated request is `Repeated` and writes nothing; the same name for another id is `Conflict`",
    ),
    ("enqueued_ids_keep_their_order", "ids keep their order, each with its context"),
    (
        "what_does_not_fit_is_not_enqueued",
        "at a bound that the ids do not fit under: `RateLimited`, and none is put there",
    ),
    (
        "enqueuing_to_no_list_leaves_nothing",
        "onto something that is no list: `WrongType`, and no context stays behind",
    ),
    ("popped_ids_are_gone", "the newest comes first, and what was answered is gone with its context"),
    (
        "popping_from_no_list_is_a_wrong_type",
        "popping from something that is no list is `WrongType`; from no list at all, nothing",
    ),
    ("lists_have_a_length", "a missing list has length 0; something that is no list is `WrongType`"),
];

/// Makes a test of every case of the contract. The expression makes a fresh
/// [`QueueFixture`](crate::intake_suite::QueueFixture) and may await.
#[macro_export]
macro_rules! intake_suite {
    ($fixture:expr) => {
        $crate::intake_suite! { @tests $fixture =>
            an_arrival_is_whole
            a_large_arrival_is_whole
            an_arrival_for_no_list_leaves_nothing
            an_arrival_for_a_full_list_leaves_nothing
            a_repeated_request_does_nothing
            enqueued_ids_keep_their_order
            what_does_not_fit_is_not_enqueued
            enqueuing_to_no_list_leaves_nothing
            popped_ids_are_gone
            popping_from_no_list_is_a_wrong_type
            lists_have_a_length
        }
    };
    (@tests $fixture:expr => $($case:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::intake_suite::$case($fixture).await;
            }
        )*

        #[test]
        fn every_case_of_the_suite_is_a_test() {
            let tests = [$(stringify!($case)),*];
            assert!($crate::intake_suite::CASES.iter().map(|(name, _)| *name).eq(tests));
        }
    };
}

/// An arrival of the n-th of the usual calls.
fn call(n: usize, lists: &[&str]) -> Arrival {
    let mut vcons = Vcons::new(1);
    (1..n).for_each(|_| drop(vcons.call()));
    arrival(&vcons.call(), lists)
}

fn arrival(document: &Value, lists: &[&str]) -> Arrival {
    let vcon = vcon(document);
    Arrival {
        id: vcon.id().clone(),
        json: vcon.render(View::Stored),
        keys: IndexKeys::of(&vcon),
        ttl: Some(VCON_EXPIRY),
        lists: lists.iter().map(|list| Target::new((*list).into())).collect(),
        context: None,
        once: None,
    }
}

async fn accept(intake: &Arc<dyn Intake>, arrival: &Arrival) -> Result<Arrived> {
    intake.accept(std::slice::from_ref(arrival)).await.pop().expect("one answer for one arrival")
}

async fn stored(fixture: &impl QueueFixture, id: &VconId) -> Option<Value> {
    match fixture.store().load(std::slice::from_ref(id)).await.unwrap().pop().unwrap() {
        Loaded::Found { json, .. } => Some(parse(&json)),
        _ => None,
    }
}

/// The context that comes with the first id of a list.
async fn claimed_context(fixture: &impl QueueFixture, list: &str) -> Option<String> {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    let leases = claim(&queue, &worker, &[list], 1).await;
    let context = leases[0].context.clone();
    finish_all(&queue, &worker, leases).await;
    context
}

const CONTEXT: &str = r#"{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7"}"#;

/// See [`CASES`].
pub async fn an_arrival_is_whole(fixture: impl QueueFixture) {
    let (intake, queue) = (fixture.intake(), fixture.queue());
    let mut document = Vcons::new(1).call();
    document["parties"] = json!([{"tel": "+1 555 0104", "name": "Zoë"}, {"mailto": "c@example.com"}]);
    let old = arrival(&document, &[]);
    assert_eq!(accept(&intake, &old).await.unwrap(), Arrived::Stored);
    assert_eq!(fixture.time_to_live(&old.id).await.map(|left| left <= VCON_EXPIRY), Some(true));
    document["subject"] = json!("another one");
    push(&queue, "in", &["before"]).await;
    let new = Arrival {
        context: Some(CONTEXT.to_owned()),
        ttl: None,
        ..arrival(&document, &["in", "other", "in"])
    };
    assert_eq!(accept(&intake, &new).await.unwrap(), Arrived::Stored);
    assert_eq!(stored(&fixture, &new.id).await.unwrap()["subject"], "another one");
    assert_eq!(fixture.time_to_live(&new.id).await, None);
    let id = new.id.as_str();
    assert_eq!(listed(&queue, "in").await, ["before", id, id]);
    assert_eq!(claimed_context(&fixture, "other").await.as_deref(), Some(CONTEXT));
    for (kind, value) in [("tel", "+1 555 0104"), ("name", "Zoë"), ("mailto", "c@example.com")] {
        assert_eq!(fixture.found_under(kind, value).await, std::slice::from_ref(&new.id), "{kind}");
    }
    let dated = fixture.directory().after(CreatedRange::default(), None, 10).await.unwrap();
    assert_eq!(dated, [Dated { created: new.keys.created.unwrap(), id: new.id.clone() }]);
    assert!(intake.accept(&[]).await.is_empty());
}

/// See [`CASES`].
pub async fn a_large_arrival_is_whole(fixture: impl QueueFixture) {
    let intake = fixture.intake();
    let document = Vcons::new(2).with_audio(2_000_000);
    let large = arrival(&document, &["in"]);
    let small = call(3, &["in"]);
    let answers = intake.accept(&[large.clone(), small.clone()]).await;
    assert!(answers.iter().all(|answer| *answer.as_ref().unwrap() == Arrived::Stored));
    assert!(same(&stored(&fixture, &large.id).await.unwrap(), &parse(&large.json)));
    assert!(fixture.time_to_live(&large.id).await.is_some_and(|left| left > VCON_EXPIRY / 2));
    assert_eq!(listed(&fixture.queue(), "in").await, [large.id.as_str(), small.id.as_str()]);
}

/// See [`CASES`].
pub async fn an_arrival_for_no_list_leaves_nothing(fixture: impl QueueFixture) {
    let intake = fixture.intake();
    let (bad, good) = (call(4, &["in", "spoilt"]), call(5, &["in"]));
    if !fixture.spoil_list(&"spoilt".into()).await {
        return assert_eq!(accept(&intake, &bad).await.unwrap(), Arrived::Stored);
    }
    let bad = Arrival { context: Some(CONTEXT.to_owned()), ..bad };
    let answers = intake.accept(&[bad.clone(), good.clone()]).await;
    let error = answers[0].as_ref().expect_err("it is no list");
    assert_eq!(error.kind(), ErrorKind::WrongType);
    assert!(error.chain().contains("`spoilt`"), "{error:?}");
    assert_eq!(*answers[1].as_ref().unwrap(), Arrived::Stored);
    assert_eq!(stored(&fixture, &bad.id).await, None);
    assert_eq!(listed(&fixture.queue(), "in").await, [good.id.as_str()]);
    let dated = fixture.directory().newest(CreatedRange::default(), ALL).await.unwrap();
    assert_eq!(dated, [good.id]);
}

/// See [`CASES`].
pub async fn an_arrival_for_a_full_list_leaves_nothing(fixture: impl QueueFixture) {
    let intake = fixture.intake();
    push(&fixture.queue(), "in", &["a", "b"]).await;
    let bounded = |arrival: Arrival, bound| {
        let lists = arrival.lists.iter().map(|t| Target { list: t.list.clone(), bound: Some(bound) });
        Arrival { lists: lists.collect(), ..arrival }
    };
    for (seed, lists) in [(6, &["other", "in"][..]), (7, &["other", "other", "other"])] {
        let full = bounded(call(seed, lists), 2);
        let error = accept(&intake, &full).await.expect_err("it does not fit");
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert!(error.chain().contains(&format!("`{}`", lists.last().unwrap())), "{error:?}");
        assert_eq!(stored(&fixture, &full.id).await, None);
        assert!(listed(&fixture.queue(), "other").await.is_empty());
    }
    assert_eq!(accept(&intake, &bounded(call(8, &["in"]), 3)).await.unwrap(), Arrived::Stored);
}

/// See [`CASES`].
pub async fn a_repeated_request_does_nothing(fixture: impl QueueFixture) {
    let intake = fixture.intake();
    let once = |arrival: Arrival| Arrival { once: Some("request 1".to_owned()), ..arrival };
    let first = once(call(9, &["in"]));
    assert_eq!(accept(&intake, &first).await.unwrap(), Arrived::Stored);
    let writes = fixture.writes().await;
    assert_eq!(accept(&intake, &first).await.unwrap(), Arrived::Repeated);
    let other = once(call(10, &["in"]));
    assert_eq!(accept(&intake, &other).await.expect_err("another vCon").kind(), ErrorKind::Conflict);
    assert_eq!(fixture.writes().await, writes);
    assert_eq!(listed(&fixture.queue(), "in").await, [first.id.as_str()]);
    assert_eq!(accept(&intake, &Arrival { once: None, ..first }).await.unwrap(), Arrived::Stored);
}

/// See [`CASES`].
pub async fn enqueued_ids_keep_their_order(fixture: impl QueueFixture) {
    let intake = fixture.intake();
    let target = Target::new("in".into());
    assert_eq!(intake.enqueue(&target, &["a".into(), "b".into()], Some(CONTEXT)).await.unwrap(), 2);
    assert_eq!(intake.enqueue(&target, &["a".into()], None).await.unwrap(), 3);
    assert_eq!(listed(&fixture.queue(), "in").await, ["a", "b", "a"]);
    assert_eq!(claimed_context(&fixture, "in").await.as_deref(), Some(CONTEXT));
    assert_eq!(claimed_context(&fixture, "in").await.as_deref(), Some(CONTEXT));
    assert_eq!(claimed_context(&fixture, "in").await, None);
}

/// See [`CASES`].
pub async fn what_does_not_fit_is_not_enqueued(fixture: impl QueueFixture) {
    let intake = fixture.intake();
    let target = Target { list: "in".into(), bound: Some(3) };
    intake.enqueue(&target, &["a".into(), "b".into()], None).await.unwrap();
    let error = intake.enqueue(&target, &["c".into(), "d".into()], None).await.expect_err("no room");
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(listed(&fixture.queue(), "in").await, ["a", "b"]);
    assert_eq!(intake.enqueue(&target, &["c".into()], None).await.unwrap(), 3);
}

/// See [`CASES`].
pub async fn enqueuing_to_no_list_leaves_nothing(fixture: impl QueueFixture) {
    let intake = fixture.intake();
    if !fixture.spoil_list(&"in".into()).await {
        return;
    }
    let writes = fixture.writes().await;
    let target = Target::new("in".into());
    let error = intake.enqueue(&target, &["a".into()], Some(CONTEXT)).await.expect_err("it is no list");
    assert_eq!(error.kind(), ErrorKind::WrongType);
    assert!(error.chain().contains("`in`"), "{error:?}");
    assert_eq!(fixture.writes().await, writes);
}

/// See [`CASES`].
pub async fn popped_ids_are_gone(fixture: impl QueueFixture) {
    let intake = fixture.intake();
    let target = Target::new("out".into());
    intake.enqueue(&target, &["a".into(), "b".into(), "c".into()], Some(CONTEXT)).await.unwrap();
    assert!(intake.pop(&target.list, 0).await.unwrap().is_empty());
    assert_eq!(intake.pop(&target.list, 2).await.unwrap(), ["c".into(), "b".into()]);
    assert_eq!(listed(&fixture.queue(), "out").await, ["a"]);
    assert_eq!(intake.pop(&target.list, 5).await.unwrap(), ["a".into()]);
    // Nothing of the old contexts comes with a new occurrence.
    push(&fixture.queue(), "out", &["c"]).await;
    assert_eq!(claimed_context(&fixture, "out").await, None);
}

/// See [`CASES`].
pub async fn popping_from_no_list_is_a_wrong_type(fixture: impl QueueFixture) {
    let intake = fixture.intake();
    assert!(intake.pop(&"nothing".into(), 5).await.unwrap().is_empty());
    if fixture.spoil_list(&"out".into()).await {
        let error = intake.pop(&"out".into(), 1).await.expect_err("it is no list");
        assert_eq!(error.kind(), ErrorKind::WrongType);
    }
}

/// See [`CASES`].
pub async fn lists_have_a_length(fixture: impl QueueFixture) {
    let intake = fixture.intake();
    assert_eq!(intake.length(&"in".into()).await.unwrap(), 0);
    push(&fixture.queue(), "in", &["a", "a"]).await;
    assert_eq!(intake.length(&"in".into()).await.unwrap(), 2);
    if fixture.spoil_list(&"spoilt".into()).await {
        let error = intake.length(&"spoilt".into()).await.expect_err("it is no list");
        assert_eq!(error.kind(), ErrorKind::WrongType);
    }
}

/// A page that holds everything.
const ALL: Paging = Paging { offset: 0, limit: 1000 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_contract_has_a_case() {
        let lines = crate::contract::behaviours(include_str!("../../core/src/intake.rs"));
        crate::contract::assert_covered(&lines, CASES);
    }
}
