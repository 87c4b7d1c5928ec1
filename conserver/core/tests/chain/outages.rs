//! Breakers: an outage fills the queue, not the dead-letter list.

use std::time::Duration;

use conserver_core::chain::RunEnd;
use conserver_core::config::plan::OnError;
use conserver_core::guarded::tend;
use conserver_core::policy::refused;
use conserver_core::queue::{End, Tries};
use conserver_core::{Error, ErrorKind};

use crate::memory::Memory;
use crate::steps::{Does, Step};
use crate::workshop::{Workshop, failure};

const COOLDOWN: Duration = Duration::from_secs(5);

fn away() -> Error {
    Error::new(ErrorKind::Unavailable, "connection refused")
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_a_required_storage_gates_the_chain_until_a_check_finds_it_back() {
    let memory = Memory::new();
    let shop = Workshop::new().storage("memory", memory.clone());
    memory.set_away(true);
    assert_eq!(shop.chain.is_gated(), None);

    // Three attempts of the first run, two of the second: then nobody asks any more.
    shop.run().await;
    let run = shop.run().await;
    let (error, _, storage) = failure(&run);
    assert!(refused(error).is_some() && error.is_unavailable());
    assert_eq!(error.chain(), "storage `memory`: not asked, for its breaker is open: connection refused");
    assert_eq!((storage, memory.calls(), shop.chain.is_gated()), (Some("memory"), 5, Some("memory")));
    shop.run().await;
    assert_eq!(memory.calls(), 5);

    let storage = &shop.chain.storages[0];
    storage.tick().await;
    assert_eq!(memory.checks(), 0, "the cooldown has not passed");
    tokio::time::advance(COOLDOWN).await;
    storage.tick().await;
    assert_eq!((memory.checks(), storage.is_open()), (1, true));

    memory.set_away(false);
    tokio::time::advance(COOLDOWN).await;
    assert_eq!(shop.chain.is_gated(), Some("memory"), "a check decides, not a vCon");
    storage.tick().await;
    assert_eq!((memory.checks(), shop.chain.is_gated()), (2, None));
    assert!(matches!(shop.run().await.end, RunEnd::Done));
}

#[tokio::test(start_paused = true)]
async fn an_outage_uses_up_no_attempts() {
    let memory = Memory::new();
    let shop = Workshop::new().storage("memory", memory.clone());
    memory.set_away(true);
    let mut tries = Tries::default();
    for _ in 0..20 {
        match shop.settle(tries).await {
            End::Retry { tries: next, .. } => tries = next,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(tries.attempt, 0);
    assert!(tries.unavailable_since.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_of_a_link_lets_one_vcon_through_after_the_cooldown() {
    let step = Step::new(Does::Fail(5, away));
    let shop = Workshop::new().link("flaky", step.clone());
    shop.run().await;
    assert!(refused(failure(&shop.run().await).0).is_some());
    assert_eq!((step.runs(), shop.chain.is_gated(), shop.chain.wants_probe()), (5, Some("flaky"), false));

    tokio::time::advance(COOLDOWN).await;
    assert_eq!((shop.chain.is_gated(), shop.chain.wants_probe()), (None, true));
    assert!(matches!(shop.run().await.end, RunEnd::Done));
    assert_eq!((step.runs(), shop.chain.wants_probe()), (6, false));
}

#[tokio::test(start_paused = true)]
async fn a_storage_whose_check_tells_nothing_is_probed_by_a_vcon() {
    let memory = Memory::probed_by_saves();
    let shop = Workshop::new().storage("memory", memory.clone());
    memory.set_away(true);
    shop.run().await;
    shop.run().await;
    let storage = &shop.chain.storages[0];
    tokio::time::advance(COOLDOWN).await;
    storage.tick().await;
    assert_eq!((memory.checks(), shop.chain.is_gated(), shop.chain.wants_probe()), (0, None, true));

    // The probe fails: what follows is refused, and uses up no attempt.
    assert!(refused(failure(&shop.run().await).0).is_some());
    assert_eq!((memory.calls(), shop.chain.is_gated()), (6, Some("memory")));
    memory.set_away(false);
    tokio::time::advance(COOLDOWN).await;
    assert!(matches!(shop.run().await.end, RunEnd::Done));
    assert_eq!((shop.chain.is_gated(), shop.chain.wants_probe()), (None, false));
}

#[tokio::test(start_paused = true)]
async fn faults_of_documents_open_nothing() {
    let memory = Memory::new();
    memory.refuse("a");
    let invalid = || Error::new(ErrorKind::Invalid, "not this one");
    let shop = Workshop::new()
        .link_with("choosy", Step::new(Does::Fail(99, invalid)), OnError::Continue)
        .storage("memory", memory.clone());
    for _ in 0..20 {
        shop.run().await;
    }
    assert_eq!(memory.calls(), 20);
    assert!(!shop.chain.links[0].breaker().is_open() && !shop.chain.storages[0].is_open());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_required_gates_nothing() {
    let memory = Memory::new();
    memory.set_away(true);
    let shop = Workshop::new()
        .link_with("optional", Step::new(Does::Fail(99, away)), OnError::Continue)
        .storage_with("memory", memory.clone(), false);
    for _ in 0..5 {
        assert!(matches!(shop.run().await.end, RunEnd::Done));
    }
    assert!(shop.chain.links[0].breaker().is_open() && shop.chain.storages[0].is_open());
    assert_eq!((shop.chain.is_gated(), shop.chain.wants_probe()), (None, false));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_breaker_wakes_when_it_closes() {
    let memory = Memory::new();
    memory.set_away(true);
    let shop = Workshop::new().storage("memory", memory.clone());
    shop.run().await;
    shop.run().await;
    let storage = &shop.chain.storages[0];
    let mut changes = storage.breaker().changes();
    changes.mark_unchanged();
    memory.set_away(false);
    tokio::time::advance(COOLDOWN).await;
    storage.tick().await;
    changes.changed().await.unwrap();
    assert_eq!(storage.breaker().state().as_str(), "closed");
}

#[tokio::test(start_paused = true)]
async fn a_storage_whose_check_hangs_keeps_no_other_waiting() {
    let (hanging, quick) = (Memory::new(), Memory::new());
    let shop = Workshop::new().storage("hanging", hanging.clone()).storage("quick", quick.clone());
    hanging.set_away(true);
    quick.set_away(true);
    shop.run().await;
    shop.run().await;
    let storages = shop.chain.storages.clone();
    assert!(storages.iter().all(|storage| storage.is_open()));
    hanging.set_latency(Duration::from_secs(50));
    quick.set_away(false);

    let tending = tokio::spawn(tend({
        let storages = storages.clone();
        move || storages.clone()
    }));
    tokio::time::sleep(COOLDOWN + Duration::from_secs(1)).await;
    assert_eq!((hanging.checks(), storages[0].is_open(), storages[1].is_open()), (1, true, false));
    hanging.set_latency(Duration::ZERO);
    hanging.set_away(false);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!storages[0].is_open(), "it is asked again");
    tending.abort();
}
