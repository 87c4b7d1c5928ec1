//! Links that fail, panic and hang.

use std::time::Duration;

use conserver_core::chain::RunEnd;
use conserver_core::config::plan::OnError;
use conserver_core::link::{Effect, LinkInfo};
use conserver_core::queue::{End, Tries};
use conserver_core::{Applied, Error, ErrorKind};

use crate::memory::Memory;
use crate::steps::{Does, Step};
use crate::workshop::{Workshop, failure, tags};

fn conflict() -> Error {
    Error::new(ErrorKind::Conflict, "somebody else was faster")
}

fn invalid() -> Error {
    Error::new(ErrorKind::Invalid, "not this one")
}

#[tokio::test(start_paused = true)]
async fn what_heals_within_the_attempts_is_no_failure() {
    let step = Step::new(Does::Fail(2, conflict));
    let shop = Workshop::new().link("flaky", step.clone());
    assert!(matches!(shop.run().await.end, RunEnd::Done));
    assert_eq!(step.runs(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_is_handed_out_again_with_the_document_so_far_and_without_effects() {
    let (memory, step) = (Memory::new(), Step::new(Does::Fail(9, conflict)));
    let shop = Workshop::new()
        .link("tag", Step::new(Does::Tag("one")))
        .link("expire", Step::new(Does::Effects(vec![Effect::ExpireAfter(Duration::from_secs(1))])))
        .link("flaky", step.clone())
        .storage("memory", memory.clone());

    match shop.settle(Tries::default()).await {
        End::Retry { tries, .. } => assert_eq!(tries.attempt, 1),
        other => panic!("{other:?}"),
    }

    assert_eq!((step.runs(), memory.calls()), (3, 0));
    assert_eq!(tags(&shop.shelf.json("a")), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn attempts_end_in_a_dead_letter_that_names_the_link() {
    let shop = Workshop::new()
        .link("tag", Step::new(Does::Tag("one")))
        .link("flaky", Step::new(Does::Fail(99, conflict)));
    match shop.settle(Tries { attempt: 4, ..Tries::default() }).await {
        End::Dead { letter, .. } => {
            assert_eq!((letter.reason.as_str(), letter.attempt), ("conflict", 5));
            assert_eq!(letter.link.unwrap().as_str(), "flaky");
            assert_eq!(letter.error, "link `flaky`: somebody else was faster");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(tags(&shop.shelf.json("a")), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_the_document_is_dead_at_once() {
    let step = Step::new(Does::Fail(9, invalid));
    let shop = Workshop::new().link("choosy", step.clone());
    assert!(matches!(shop.settle(Tries::default()).await, End::Dead { .. }));
    assert_eq!(step.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_the_vcon_that_met_it_and_nobody_else() {
    let shop = Workshop::new().link("tag", Step::new(Does::Tag("one"))).link("buggy", Step::new(Does::Panic));
    match shop.settle(Tries::default()).await {
        End::Dead { letter, .. } => {
            assert_eq!((letter.reason.as_str(), letter.may_have_happened), ("panic", true));
            assert_eq!(letter.error, "link `buggy`: panicked: this link has a bug");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(tags(&shop.shelf.json("a")), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_hangs_is_cut_off_and_repeated_only_if_that_is_harmless() {
    for (info, runs) in [(LinkInfo::default(), 3), (LinkInfo::default().with_checkpoint(), 1)] {
        let step = Step::with(Does::Sleep(Duration::from_secs(3600)), info);
        let shop = Workshop::new().link("slow", step.clone());
        let run = shop.run().await;
        let (error, link, _) = failure(&run);
        assert_eq!(
            (error.kind(), error.get_applied(), link),
            (ErrorKind::Timeout, Applied::Unknown, Some("slow"))
        );
        assert_eq!(step.runs(), runs);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_cut_off_with_the_document_so_far() {
    let step = Step::new(Does::Sleep(Duration::from_secs(3)));
    let mut shop = Workshop::new()
        .link("one", Step::new(Does::Tag("one")))
        .link("first", step.clone())
        .link("second", step.clone());
    shop.chain.plan.timeout = Some(Duration::from_secs(5));

    let began = tokio::time::Instant::now();
    let run = shop.run().await;

    let (error, link, _) = failure(&run);
    assert_eq!((error.kind(), link), (ErrorKind::Timeout, Some("second")));
    assert_eq!(error.to_string(), "the run took longer than the 5s that its chain allows");
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(tags(std::str::from_utf8(&run.documents[0].json).unwrap()), ["one", "slept"]);
}

#[tokio::test(start_paused = true)]
async fn no_retry_begins_that_could_not_end_within_the_run() {
    let step = Step::new(Does::Fail(9, || conflict().retry_after(Some(Duration::from_secs(8)))));
    let mut shop = Workshop::new().link("busy", step.clone());
    shop.chain.plan.timeout = Some(Duration::from_secs(5));
    assert_eq!(failure(&shop.run().await).0.kind(), ErrorKind::Conflict);
    assert_eq!(step.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_may_fail_is_passed_over_with_the_document_as_it_was() {
    for does in [Does::Fail(99, invalid), Does::Fail(99, conflict), Does::Panic] {
        let memory = Memory::new();
        let shop = Workshop::new()
            .link("one", Step::new(Does::Tag("one")))
            .link_with("optional", Step::new(does), OnError::Continue)
            .link("two", Step::new(Does::Tag("two")))
            .storage("memory", memory.clone());
        let run = shop.run().await;
        assert!(matches!(run.end, RunEnd::Done), "{:?}", run.end);
        assert_eq!(
            (run.links, tags(&memory.json("a").unwrap())),
            (2, vec!["one".to_owned(), "two".to_owned()])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_can_move_between_threads() {
    let shop =
        Workshop::new().link("tag", Step::new(Does::Tag("one"))).storage("memory", Memory::in_batches(10));
    let end = tokio::spawn(async move { shop.run().await.end }).await.unwrap();
    assert!(matches!(end, RunEnd::Done));
}
