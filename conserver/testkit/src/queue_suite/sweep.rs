//! Cases about [`Queue::sweep`](conserver_core::queue::Queue::sweep): times to live.

use conserver_core::QueueName;
use conserver_core::link::Effect;
use conserver_core::vcon::Vcon;

use super::*;
use crate::vcons::{Vcons, vcon};

const SHORT: Duration = Duration::from_secs(100);
const SLACK: Duration = Duration::from_secs(60);

async fn stored(fixture: &impl QueueFixture, vcons: &mut Vcons, ttl: Option<Duration>) -> Vcon {
    let call = vcon(&vcons.call());
    fixture.store().put(&call, ttl).await.expect("a vCon can be stored");
    call
}

async fn sweep(queue: &Arc<dyn Queue>) -> Option<u64> {
    let (lists, dlqs): (Vec<QueueName>, Vec<QueueName>) = (vec!["in".into()], vec!["DLQ:in".into()]);
    queue.sweep(&lists, &dlqs).await.expect("the sweep succeeds")
}

/// See [`CASES`](super::CASES).
pub async fn a_sweep_extends_and_never_shortens(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    let (mut vcons, mut calls) = (Vcons::new(1), Vec::new());
    for _ in 0..6 {
        calls.push(stored(&fixture, &mut vcons, Some(SHORT)).await);
    }
    let id = |n: usize| calls[n].id().as_str();
    // One in flight with a second occurrence parked, one delayed, one dead, two waiting, one nowhere.
    push(&queue, "in", &[id(0), id(1), id(2), id(0)]).await;
    let mut leases = claim(&queue, &worker, &["in"], 4).await.into_iter();
    let held = leases.next();
    let delayed = retried(leases.next().unwrap(), Duration::from_secs(3600), Tries::default());
    push(&queue, "DLQ:in", &[id(3)]).await;
    settle(&queue, &worker, &[delayed, dead(leases.next().unwrap(), "DLQ:in", "invalid")]).await;
    push(&queue, "in", &[id(4), id(4)]).await;
    let long = stored(&fixture, &mut vcons, Some(VCON_EXPIRY * 24)).await;
    let eternal = stored(&fixture, &mut vcons, None).await;
    push(&queue, "in", &[long.id().as_str(), eternal.id().as_str(), "no document"]).await;

    // In flight, delayed, waiting, and the stranger's dead letter: ours was extended when it became one.
    assert_eq!(sweep(&queue).await, Some(4));
    let left = async |id: &VconId| fixture.time_to_live(id).await.expect("it has an end");
    for live in [0, 1, 4] {
        assert!(left(calls[live].id()).await > VCON_EXPIRY - SLACK, "{live}");
    }
    for dead in [2, 3] {
        assert!(left(calls[dead].id()).await > DLQ_EXPIRY - SLACK, "{dead}");
    }
    assert!(left(calls[5].id()).await <= SHORT);
    assert!(left(long.id()).await > VCON_EXPIRY * 24 - SLACK);
    assert_eq!(fixture.time_to_live(eternal.id()).await, None);
    assert_eq!(sweep(&queue).await, Some(0));
    // One process sweeps, the others do not.
    assert_eq!(sweep(&fixture.reopen()).await, None);
    drop(held);
}

/// See [`CASES`](super::CASES).
pub async fn a_sweep_leaves_alone_what_a_link_lets_expire(fixture: impl QueueFixture) {
    let queue = fixture.queue();
    let worker = worker(&queue).await;
    let call = stored(&fixture, &mut Vcons::new(2), Some(VCON_EXPIRY)).await;
    push(&queue, "in", &[call.id().as_str()]).await;
    let lease = claim(&queue, &worker, &["in"], 1).await.pop().unwrap();
    let finish = Finish {
        effects: vec![Effect::ExpireAfter(SHORT)],
        expires: Some(call.id().clone()),
        egress: vec![("in".into(), call.id().clone())],
        ..Finish::default()
    };
    settle(&queue, &worker, &[Settlement::new(lease, End::Finish(Box::new(finish)))]).await;
    assert_eq!(sweep(&queue).await, Some(0));
    assert!(fixture.time_to_live(call.id()).await.unwrap() <= SHORT);
    // Not even as a dead letter.
    let lease = claim(&queue, &worker, &["in"], 1).await.pop().unwrap();
    settle(&queue, &worker, &[dead(lease, "DLQ:in", "invalid")]).await;
    sweep(&queue).await;
    assert!(fixture.time_to_live(call.id()).await.unwrap() <= SHORT);
}
