//! What stands around a storage or a link, seen through it alone.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use conserver_core::config::plan::OnError;
use conserver_core::guarded::{GuardedLink, GuardedStorage};
use conserver_core::link::{Link, LinkContext, LinkInfo, LinkOutcome};
use conserver_core::policy::PolicyOptions;
use conserver_core::vcon::{Limits, Vcon, VconId};
use conserver_core::{Applied, ErrorKind, Result, StorageName};
use tokio::time::Instant;

use crate::memory::Memory;

fn guarded(memory: &Arc<Memory>, options: &PolicyOptions) -> Arc<GuardedStorage> {
    Arc::new(GuardedStorage::new(StorageName::new("memory"), memory.clone(), options, true))
}

fn vcon(id: &str) -> Vcon {
    Vcon::parse(VconId::new(id), r#"{"vcon":"0.4.0"}"#.into(), &Limits::default()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_was_saved_is_read_back_and_deleted() {
    let storage = guarded(&Memory::new(), &PolicyOptions::default());
    storage.save(&vcon("a"), None).await.unwrap();
    assert!(storage.get(&VconId::new("a"), None).await.unwrap().is_some());
    assert!(storage.delete(&VconId::new("a")).await.unwrap());
    assert!(storage.get(&VconId::new("a"), None).await.unwrap().is_none());
    storage.check().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_save_that_hangs_is_tried_as_often_as_allowed_and_may_have_happened() {
    for memory in [Memory::new(), Memory::in_batches(10)] {
        memory.set_latency(Duration::from_secs(3600));
        let options = PolicyOptions { timeout: Duration::from_secs(1), ..PolicyOptions::default() };
        let error = guarded(&memory, &options).save(&vcon("a"), None).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.get_applied(), memory.calls()),
            (ErrorKind::Timeout, Applied::Unknown, 3)
        );
        assert_eq!(error.to_string(), "storage `memory`: no answer to `save` within 1s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error_of_this_vcon() {
    let memory = Memory::new();
    memory.panic_at("a");
    let storage = guarded(&memory, &PolicyOptions::default());
    assert_eq!(storage.save(&vcon("a"), None).await.unwrap_err().kind(), ErrorKind::Panic);
    storage.save(&vcon("b"), None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn at_most_so_many_saves_are_under_way_at_once() {
    let memory = Memory::new();
    memory.set_latency(Duration::from_secs(1));
    let options = PolicyOptions { in_flight: Some(2), ..PolicyOptions::default() };
    let storage = guarded(&memory, &options);
    let began = Instant::now();
    let vcons: Vec<_> = (0..6).map(|n| vcon(&format!("v{n}"))).collect();
    futures::future::join_all(vcons.iter().map(|vcon| storage.save(vcon, None))).await;
    assert_eq!((memory.saves().len(), began.elapsed().as_secs()), (6, 3));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_room_is_not_taken_for_a_slow_storage() {
    let memory = Memory::new();
    memory.set_latency(Duration::from_secs(1));
    let options = PolicyOptions {
        in_flight: Some(1),
        timeout: Duration::from_millis(1500),
        ..PolicyOptions::default()
    };
    let storage = guarded(&memory, &options);
    let vcons: Vec<_> = (0..5).map(|n| vcon(&format!("v{n}"))).collect();
    let results = futures::future::join_all(vcons.iter().map(|vcon| storage.save(vcon, None))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(memory.calls(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_whole_batch_that_fails_is_an_error_of_each() {
    let memory = Memory::in_batches(10);
    memory.set_away(true);
    memory.set_latency(Duration::from_secs(1));
    let options = PolicyOptions {
        retry: conserver_core::policy::RetryOptions { attempts: 1, ..Default::default() },
        ..PolicyOptions::default()
    };
    let storage = guarded(&memory, &options);
    let vcons: Vec<_> = (0..6).map(|n| vcon(&format!("v{n}"))).collect();
    let results = futures::future::join_all(vcons.iter().map(|vcon| storage.save(vcon, None))).await;
    for result in results {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    // A batch counts once: three or four saves do not open a breaker that opens at the fifth.
    assert!((3..=4).contains(&memory.calls()) && !storage.is_open(), "{} calls", memory.calls());
}

/// Waits, and says so.
struct Wait(Duration);

#[async_trait]
impl Link for Wait {
    fn info(&self) -> LinkInfo {
        LinkInfo::default().without_document().taking(self.0)
    }

    async fn run(&self, _cx: &LinkContext, vcon: Option<Vcon>) -> Result<LinkOutcome> {
        tokio::time::sleep(self.0).await;
        Ok(LinkOutcome::next(vcon))
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_that_a_link_takes_by_its_options_is_not_cut_off() {
    let options = PolicyOptions { timeout: Duration::from_secs(1), ..PolicyOptions::default() };
    let link =
        GuardedLink::new("wait".into(), Arc::new(Wait(Duration::from_secs(90))), &options, OnError::Fail);
    let cx = LinkContext::new("main".into(), "wait".into(), "in".into(), VconId::new("a"), 0);
    link.run(&cx, None, None).await.unwrap();
}
