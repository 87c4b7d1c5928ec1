//! How runs end, and which documents they leave.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use bytes::Bytes;
use conserver_core::chain::{LoadedDocument, RunEnd};
use conserver_core::link::{Effect, LinkInfo};
use conserver_core::queue::{End, Tries};
use conserver_core::store::Encoding;
use conserver_core::vcon::VconId;
use conserver_core::{ErrorKind, QueueName};

use crate::memory::Memory;
use crate::steps::{Does, Step};
use crate::workshop::{PLAIN, Workshop, failure, lease, tags};

fn route() -> Vec<Effect> {
    vec![Effect::Enqueue { queue: QueueName::new("other"), id: VconId::new("a") }]
}

#[tokio::test(start_paused = true)]
async fn a_done_run_leaves_the_changed_document_in_its_encoding_and_the_effects() {
    let memory = Memory::new();
    let shop = Workshop::new()
        .link("tag", Step::new(Does::Tag("one")))
        .link("route", Step::new(Does::Effects(route())))
        .storage("memory", memory.clone());

    let run = shop.run().await;

    assert!(matches!(run.end, RunEnd::Done), "{:?}", run.end);
    let [document] = &run.documents[..] else { panic!("{:?}", run.documents) };
    assert_eq!((document.id.as_str(), document.encoding), ("a", Encoding::Json));
    assert_eq!((run.effects, run.links), (route(), 2));
    let written = std::str::from_utf8(&document.json).unwrap();
    assert_eq!(tags(written), ["one"]);
    assert_eq!(
        memory.json("a").as_deref(),
        Some(written),
        "storages get the write form of a changed document"
    );
}

#[tokio::test(start_paused = true)]
async fn a_document_that_no_link_changed_is_not_written_and_storages_get_the_read_view() {
    let memory = Memory::new();
    let shop = Workshop::new().link("look", Step::new(Does::Nothing)).storage("memory", memory.clone());
    shop.shelf.put("a", r#"{"vcon":"0.0.1","uuid":"a","appended":{},"group":[]}"#);

    let run = shop.run().await;

    assert!(run.documents.is_empty());
    assert_eq!(memory.json("a").unwrap(), r#"{"vcon":"0.0.1","uuid":"a","group":[],"amended":{}}"#);
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_is_there_already_writes_nothing() {
    let shop = Workshop::new().link("tag", Step::new(Does::Tag("one")));
    shop.settle(Tries::default()).await;
    assert!(shop.run().await.documents.is_empty());
}

#[tokio::test(start_paused = true)]
async fn halt_keeps_effects_and_document_and_stops_before_links_and_storages() {
    let (memory, later) = (Memory::new(), Step::new(Does::Nothing));
    let shop = Workshop::new()
        .link("halt", Step::new(Does::Halt(route())))
        .link("later", later.clone())
        .storage("memory", memory.clone());

    match shop.settle(Tries::default()).await {
        End::Finish(finish) => {
            assert_eq!(finish.effects, route());
            assert!(finish.egress.is_empty());
        }
        other => panic!("{other:?}"),
    }

    assert_eq!(tags(&shop.shelf.json("a")), ["halted"]);
    assert_eq!((later.runs(), memory.calls()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_switch_goes_on_with_the_other_document_and_keeps_what_was_done_to_the_first() {
    let memory = Memory::new();
    let shop = Workshop::new()
        .link("switch", Step::new(Does::Switch("b")))
        .link("expire", Step::new(Does::Effects(vec![Effect::ExpireAfter(Duration::from_secs(1))])))
        .link("tag", Step::new(Does::Tag("one")))
        .storage("memory", memory.clone());
    shop.shelf.put("b", r#"{"vcon":"0.4.0","uuid":"b"}"#);

    match shop.settle(Tries::default()).await {
        End::Finish(finish) => {
            assert_eq!(finish.egress, [(QueueName::new("out"), VconId::new("b"))]);
            assert_eq!(finish.expires, Some(VconId::new("b")));
        }
        other => panic!("{other:?}"),
    }

    assert_eq!(tags(&shop.shelf.json("a")), ["left"]);
    assert_eq!(tags(&shop.shelf.json("b")), ["one"]);
    assert!(memory.json("a").is_none() && memory.json("b").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_switch_there_and_back_finds_the_document_as_it_was_left() {
    let shop = Workshop::new()
        .link("there", Step::new(Does::Switch("b")))
        .link("back", Step::new(Does::Switch("a")))
        .link("tag", Step::new(Does::Tag("one")));
    shop.shelf.put("b", r#"{"vcon":"0.4.0","uuid":"b"}"#);

    shop.settle(Tries::default()).await;

    assert_eq!(tags(&shop.shelf.json("a")), ["left", "one"]);
    assert_eq!(tags(&shop.shelf.json("b")), ["left"]);
}

#[tokio::test(start_paused = true)]
async fn the_dead_letter_after_a_switch_is_about_the_popped_id() {
    let shop =
        Workshop::new().link("switch", Step::new(Does::Switch("nowhere"))).storage("memory", Memory::new());
    match shop.settle(Tries::default()).await {
        End::Dead { dlq, letter, .. } => {
            assert_eq!((dlq.as_str(), letter.reason.as_str()), ("DLQ:in", "missing"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_who_looks_means_nothing_is_loaded() {
    let blind = LinkInfo::default().without_document();
    let shop = Workshop::new().link("route", Step::with(Does::Effects(route()), blind));
    assert!(!shop.chain.needs_document());
    assert!(matches!(shop.run().await.end, RunEnd::Done));
    assert_eq!(shop.shelf.loads(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_prefetched_is_not_loaded_again() {
    let shop =
        Workshop::new().link("tag", Step::new(Does::Tag("one"))).link("two", Step::new(Does::Tag("two")));
    let json = Bytes::from_static(PLAIN.as_bytes());
    let prefetched = LoadedDocument::Text { json, encoding: Encoding::Text };
    let run = shop.run_with(&lease("a", Tries::default()), Some(prefetched)).await;
    assert_eq!((shop.shelf.loads(), run.documents[0].encoding), (0, Encoding::Text));
    let run = shop.run().await;
    assert_eq!((shop.shelf.loads(), run.links), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn what_a_link_makes_without_a_document_is_written() {
    let blind = LinkInfo::default().without_document();
    let shop = Workshop::new().link("make", Step::with(Does::Make(r#"{"vcon":"0.4.0","uuid":"a"}"#), blind));
    let run = shop.run().await;
    assert_eq!((run.documents.len(), shop.shelf.loads()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_is_saved_at_once_and_not_written_again() {
    let paid = LinkInfo::default().with_checkpoint();
    let shop = Workshop::new()
        .link("transcribe", Step::with(Does::Tag("paid"), paid))
        .link("halt", Step::new(Does::Fail(9, || conserver_core::Error::new(ErrorKind::Invalid, "no"))));

    let run = shop.run().await;

    assert_eq!((shop.shelf.checkpoints(), run.documents.len()), (1, 0));
    assert_eq!(tags(&shop.shelf.json("a")), ["paid"]);
    // The second run changes nothing, so there is nothing to save.
    shop.run().await;
    assert_eq!(shop.shelf.checkpoints(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_entry_is_gone_writes_nothing() {
    let (memory, paid) = (Memory::new(), LinkInfo::default().with_checkpoint());
    let shop =
        Workshop::new().link("pay", Step::with(Does::Tag("paid"), paid)).storage("memory", memory.clone());
    shop.shelf.entry_is_gone.store(true, SeqCst);

    let run = shop.run().await;

    assert!(matches!(run.end, RunEnd::Lost) && run.documents.is_empty());
    assert_eq!((memory.calls(), shop.shelf.json("a")), (0, PLAIN.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn storages_are_not_written_once_the_lease_has_ended() {
    let memory = Memory::new();
    let shop = Workshop::new().link("tag", Step::new(Does::Tag("one"))).storage("memory", memory.clone());
    shop.shelf.lease_lasts.0.store(false, SeqCst);
    assert!(matches!(shop.settle(Tries::default()).await, End::GiveBack));
    assert_eq!((memory.calls(), shop.shelf.json("a")), (0, PLAIN.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_missing_document_fails_for_good_and_an_unreachable_one_waits() {
    let memory = Memory::new();
    let mut shop = Workshop::new().link("look", Step::new(Does::Nothing)).storage("memory", memory.clone());
    shop.shelf.behind = shop.chain.storages.clone();
    let lost = lease("lost", Tries::default());

    let run = shop.run_lease(&lost).await;
    assert_eq!((failure(&run).0.kind(), failure(&run).1), (ErrorKind::Missing, None));
    assert!(failure(&run).0.is_permanent());

    memory.set_away(true);
    assert!(failure(&shop.run_lease(&lost).await).0.is_unavailable());
    memory.set_away(false);

    memory.put("lost", r#"{"vcon":"0.4.0","uuid":"lost"}"#);
    assert!(matches!(shop.run_lease(&lost).await.end, RunEnd::Done));

    shop.shelf.is_away.store(true, SeqCst);
    assert!(failure(&shop.run_lease(&lost).await).0.is_unavailable());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_document_or_too_large_a_one_fails_for_good() {
    let shop = Workshop::new().link("look", Step::new(Does::Nothing));
    shop.shelf.put("a", r#"{"uuid":"a","subject":"secret""#);
    let run = shop.run().await;
    let (error, ..) = failure(&run);
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(!error.chain().contains("secret"), "{}", error.chain());

    let large = format!(r#"{{"uuid":"a","subject":"{}"}}"#, "x".repeat(65 << 20));
    shop.shelf.put("a", &large);
    assert_eq!(failure(&shop.run().await).0.kind(), ErrorKind::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn a_large_document_goes_through_the_pool_and_comes_out_the_same() {
    let memory = Memory::new();
    let shop = Workshop::new().link("tag", Step::new(Does::Tag("one"))).storage("memory", memory.clone());
    let body = "x".repeat(1 << 20);
    shop.shelf.put("a", &format!(r#"{{"vcon":"0.4.0","uuid":"a","subject":"{body}"}}"#));
    let run = shop.run().await;
    let written = std::str::from_utf8(&run.documents[0].json).unwrap();
    assert!(written.contains(&body));
    assert_eq!(memory.json("a").as_deref(), Some(written));
}

#[tokio::test(start_paused = true)]
async fn a_link_is_told_where_it_runs() {
    let shop = Workshop::new().link("first", Step::new(Does::Nothing)).link("tell", Step::new(Does::Tell));
    let run = shop.run_lease(&lease("a", Tries { attempt: 2, ..Tries::default() })).await;
    assert_eq!(failure(&run).0.to_string(), "link `tell`: main tell in a 2");
}
