//! Storages of a chain: all at once, each with its own result, each document once.

use std::sync::Arc;
use std::time::Duration;

use conserver_core::ErrorKind;
use conserver_core::chain::RunEnd;
use conserver_core::config::plan::OnStorageError;
use conserver_core::queue::{End, Tries};

use crate::memory::Memory;
use crate::steps::{Does, Step};
use crate::workshop::{Workshop, failure, lease, tags};

#[tokio::test(start_paused = true)]
async fn all_storages_are_written_at_once() {
    let memories: Vec<_> = (0..3).map(|_| Memory::new()).collect();
    let mut shop = Workshop::new();
    for (n, memory) in memories.iter().enumerate() {
        memory.set_latency(Duration::from_secs(2));
        shop = shop.storage(&format!("memory{n}"), memory.clone());
    }
    let began = tokio::time::Instant::now();
    let run = shop.run().await;
    assert_eq!((run.saved.len(), began.elapsed().as_secs()), (3, 2));
    assert!(memories.iter().all(|memory| memory.json("a").is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_refuses_does_not_stop_the_others_nor_the_chain() {
    let (choosy, other) = (Memory::new(), Memory::new());
    choosy.refuse("a");
    let shop = Workshop::new().storage("choosy", choosy).storage("other", other.clone());
    match shop.settle(Tries::default()).await {
        End::Finish(finish) => {
            let [letter] = &finish.storage_letters[..] else { panic!("{finish:?}") };
            assert_eq!((letter.storage.as_str(), letter.letter.reason.as_str()), ("choosy", "invalid"));
            assert_eq!(letter.letter.error, "storage `choosy`: not this one");
            assert_eq!(finish.egress.len(), 1);
        }
        end => panic!("{end:?}"),
    }
    assert!(other.json("a").is_some());
}

#[tokio::test(start_paused = true)]
async fn where_the_chain_says_so_a_refusal_is_the_death_of_the_vcon() {
    let (choosy, other) = (Memory::new(), Memory::new());
    choosy.refuse("a");
    let mut shop = Workshop::new().storage("choosy", choosy).storage("other", other.clone());
    shop.chain.plan.on_storage_error = OnStorageError::DeadLetter;
    match shop.settle(Tries::default()).await {
        End::Dead { letter, .. } => assert_eq!(letter.storage.unwrap().as_str(), "choosy"),
        end => panic!("{end:?}"),
    }
    assert!(other.json("a").is_some(), "all finish");
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_is_not_required_never_holds_a_vcon_up() {
    let (required, optional) = (Memory::new(), Memory::new());
    optional.set_away(true);
    let shop = Workshop::new().storage("required", required.clone()).storage_with(
        "optional",
        optional.clone(),
        false,
    );
    let run = shop.run().await;
    assert!(matches!(run.end, RunEnd::Done));
    let [(storage, error)] = &run.refused[..] else { panic!("{:?}", run.refused) };
    assert_eq!((storage.as_str(), error.is_unavailable(), optional.calls()), ("optional", true, 3));
    assert!(required.json("a").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_required_storage_that_is_away_means_another_run() {
    let (here, away) = (Memory::new(), Memory::new());
    away.set_away(true);
    let shop = Workshop::new().storage("here", here).storage("away", away);
    let run = shop.run().await;
    let (error, link, storage) = failure(&run);
    assert_eq!((error.kind(), link, storage), (ErrorKind::Unavailable, None, Some("away")));
    assert_eq!(run.saved.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_outage_beside_another_failure_uses_up_no_attempts() {
    let (slow, away) = (Memory::new(), Memory::new());
    slow.set_latency(Duration::from_secs(3600));
    away.set_away(true);
    for order in [["slow", "away"], ["away", "slow"]] {
        let mut shop = Workshop::new();
        for name in order {
            shop = shop.storage(name, if name == "slow" { slow.clone() } else { away.clone() });
        }
        match shop.settle(Tries::default()).await {
            End::Retry { tries, .. } => {
                assert_eq!((tries.attempt, tries.unavailable_since.is_some()), (0, true))
            }
            end => panic!("{end:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rerun_skips_a_storage_that_has_this_very_document() {
    let (here, away) = (Memory::new(), Memory::new());
    away.set_away(true);
    let shop = Workshop::new()
        .link("tag", Step::new(Does::Tag("one")))
        .storage("here", here.clone())
        .storage("away", away.clone());
    let End::Retry { tries, .. } = shop.settle(Tries::default()).await else { panic!("expected a retry") };
    assert_eq!(tries.saved.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["here"]);

    away.set_away(false);
    let again = lease("a", tries);
    let run = shop.run_lease(&again).await;

    assert!(matches!(run.end, RunEnd::Done), "{:?}", run.end);
    assert_eq!((here.saves().len(), away.saves().len(), run.saved.len()), (1, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_rerun_with_another_document_saves_it_everywhere() {
    let (here, away) = (Memory::new(), Memory::new());
    away.set_away(true);
    let shop = Workshop::new().storage("here", here.clone()).storage("away", away.clone());
    let End::Retry { tries, .. } = shop.settle(Tries::default()).await else { panic!("expected a retry") };

    away.set_away(false);
    shop.shelf.put("a", r#"{"vcon":"0.4.0","uuid":"a","subject":"somebody replaced it"}"#);
    assert!(matches!(shop.run_lease(&lease("a", tries)).await.end, RunEnd::Done));

    assert_eq!(here.saves().len(), 2);
    assert!(here.json("a").unwrap().contains("replaced") && away.json("a").unwrap().contains("replaced"));
}

#[tokio::test(start_paused = true)]
async fn vcons_that_arrive_while_a_storage_is_busy_go_together_and_each_has_its_own_result() {
    let memory = Memory::in_batches(100);
    memory.set_latency(Duration::from_secs(1));
    memory.refuse("v5");
    memory.fail_once("v6");
    let shop =
        Arc::new(Workshop::new().link("tag", Step::new(Does::Tag("one"))).storage("memory", memory.clone()));
    let runs = (0..10).map(|n| {
        let (shop, id) = (Arc::clone(&shop), format!("v{n}"));
        shop.shelf.put(&id, &format!(r#"{{"vcon":"0.4.0","uuid":"{id}"}}"#));
        tokio::spawn(async move { shop.run_lease(&lease(&id, Tries::default())).await })
    });
    let runs = futures::future::join_all(runs.collect::<Vec<_>>()).await;

    for (n, run) in runs.into_iter().enumerate() {
        let run = run.unwrap();
        assert!(matches!(run.end, RunEnd::Done), "{:?}", run.end);
        assert_eq!(run.refused.len(), usize::from(n == 5));
        assert_eq!(memory.json(&format!("v{n}")).map(|json| tags(&json).len()), (n != 5).then_some(1));
    }
    // Two at once, the eight that gathered meanwhile in one or two, and once more the one that failed in passing.
    let sizes: Vec<_> = memory.saves().iter().map(Vec::len).collect();
    assert_eq!(sizes[..2], [1, 1]);
    assert_eq!(sizes[2..].iter().sum::<usize>(), 9);
    assert!(sizes.len() <= 5, "{sizes:?}");
    assert_eq!(memory.saves().last().unwrap(), &["v6"]);
}

#[tokio::test(start_paused = true)]
async fn a_vcon_that_makes_a_storage_panic_takes_nobody_with_it() {
    let memory = Memory::in_batches(100);
    memory.set_latency(Duration::from_secs(1));
    memory.panic_at("v4");
    let shop = Arc::new(Workshop::new().storage("memory", memory.clone()));
    let runs = (0..6).map(|n| {
        let (shop, id) = (Arc::clone(&shop), format!("v{n}"));
        shop.shelf.put(&id, &format!(r#"{{"vcon":"0.4.0","uuid":"{id}"}}"#));
        tokio::spawn(async move { shop.run_lease(&lease(&id, Tries::default())).await })
    });
    let runs = futures::future::join_all(runs.collect::<Vec<_>>()).await;
    for (n, run) in runs.into_iter().enumerate() {
        assert_eq!(run.unwrap().refused.len(), usize::from(n == 4));
        assert_eq!(memory.json(&format!("v{n}")).is_some(), n != 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_while_it_saves_for_others_leaves_nobody_waiting() {
    let memory = Memory::in_batches(100);
    memory.set_latency(Duration::from_secs(1));
    let shop = Arc::new(Workshop::new().storage("memory", memory.clone()));
    let mut runs = Vec::new();
    for n in 0..6 {
        let (shop, id) = (Arc::clone(&shop), format!("v{n}"));
        shop.shelf.put(&id, &format!(r#"{{"vcon":"0.4.0","uuid":"{id}"}}"#));
        runs.push(tokio::spawn(async move { shop.run_lease(&lease(&id, Tries::default())).await }));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The first two are saved by now; the third leads the four others.
    tokio::time::sleep(Duration::from_secs(1)).await;
    runs.remove(2).abort();
    for run in futures::future::join_all(runs).await {
        assert!(matches!(run.unwrap().end, RunEnd::Done));
    }
    for id in ["v0", "v1", "v3", "v4", "v5"] {
        assert!(memory.json(id).is_some(), "{id} was saved");
    }
}
