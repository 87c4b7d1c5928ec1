//! Every transition of the breaker, on paused time.

use super::*;

const COOLDOWN: Duration = Duration::from_secs(5);

fn breaker(probe: Probe) -> Breaker {
    Breaker::new(Guards::storage("db"), BreakerOptions { failures: 3, cooldown: COOLDOWN }, probe)
}

fn tell(breaker: &Breaker, verdict: Verdict) {
    let error = Error::new(ErrorKind::Unavailable, "connection refused");
    breaker.ask().unwrap().tell(verdict, Some(&error));
}

fn opened(probe: Probe) -> Breaker {
    let breaker = breaker(probe);
    (0..3).for_each(|_| tell(&breaker, Verdict::Away));
    breaker
}

#[tokio::test(start_paused = true)]
async fn failures_in_a_row_open_it() {
    let breaker = breaker(Probe::Check);
    for verdict in
        [Verdict::Away, Verdict::Away, Verdict::Alive, Verdict::Away, Verdict::Unclear, Verdict::Away]
    {
        tell(&breaker, verdict);
        assert_eq!(breaker.gate(), Gate::Free);
    }
    tell(&breaker, Verdict::Away);
    assert_eq!((breaker.state(), breaker.gate()), (State::Open, Gate::Shut));
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_refuses_and_says_why() {
    let breaker = opened(Probe::Check);
    tokio::time::advance(Duration::from_secs(2)).await;
    let error = breaker.ask().unwrap_err();
    assert_eq!(refused(&error).unwrap().wait, Duration::from_secs(3));
    assert!(error.is_unavailable());
    assert_eq!(error.chain(), "not asked, for its breaker is open: connection refused");
    assert!(refused(&Error::new(ErrorKind::Unavailable, "away")).is_none());
}

#[tokio::test(start_paused = true)]
async fn after_the_cooldown_one_call_is_the_probe() {
    let breaker = opened(Probe::NextCall);
    tokio::time::advance(COOLDOWN).await;
    assert_eq!(breaker.gate(), Gate::Probe);
    let probe = breaker.ask().unwrap();
    assert_eq!((breaker.state(), breaker.gate()), (State::HalfOpen, Gate::Shut));
    assert!(breaker.ask().is_err());
    probe.tell(Verdict::Alive, None);
    assert_eq!((breaker.state(), breaker.gate()), (State::Closed, Gate::Free));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_opens_it_for_another_cooldown() {
    let breaker = opened(Probe::NextCall);
    tokio::time::advance(COOLDOWN).await;
    tell(&breaker, Verdict::Away);
    assert!(breaker.ask().is_err());
    tokio::time::advance(COOLDOWN).await;
    tell(&breaker, Verdict::Alive);
    assert!(!breaker.is_open());
}

#[tokio::test(start_paused = true)]
async fn where_a_check_is_the_probe_calls_wait_for_it() {
    let breaker = opened(Probe::Check);
    assert!(breaker.begin_probe().is_none());
    tokio::time::advance(COOLDOWN).await;
    assert_eq!(breaker.gate(), Gate::Shut);
    assert!(breaker.ask().is_err());
    let probe = breaker.begin_probe().unwrap();
    assert!(breaker.begin_probe().is_none());
    probe.tell(Verdict::Alive, None);
    assert!(breaker.ask().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_is_due_again() {
    let breaker = opened(Probe::Check);
    tokio::time::advance(COOLDOWN).await;
    drop(breaker.begin_probe().unwrap());
    assert!(breaker.begin_probe().is_some());
}

#[tokio::test(start_paused = true)]
async fn answers_to_what_was_asked_before_it_opened_change_nothing() {
    let breaker = breaker(Probe::Check);
    let early = breaker.ask().unwrap();
    (0..3).for_each(|_| tell(&breaker, Verdict::Away));
    early.tell(Verdict::Alive, None);
    assert!(breaker.is_open());
}

#[tokio::test(start_paused = true)]
async fn zero_failures_mean_never() {
    let options = BreakerOptions { failures: 0, cooldown: COOLDOWN };
    let breaker = Breaker::new(Guards::storage("db"), options, Probe::Check);
    (0..100).for_each(|_| tell(&breaker, Verdict::Away));
    assert!(!breaker.is_open());
}

#[tokio::test(start_paused = true)]
async fn whoever_listens_wakes_at_each_change() {
    let breaker = breaker(Probe::NextCall);
    let mut changes = breaker.changes();
    (0..3).for_each(|_| tell(&breaker, Verdict::Away));
    changes.changed().await.unwrap();
    assert_eq!(*changes.borrow_and_update(), State::Open);
}

#[test]
fn a_fault_of_the_document_says_that_the_other_side_lives() {
    use ErrorKind::{Conflict, Internal, Invalid, Panic, RateLimited, Timeout, Unauthorized, Unavailable};
    let verdict = |kind| Verdict::of(&Error::new(kind, "x"));
    for kind in [Unavailable, Timeout, RateLimited, Unauthorized] {
        assert_eq!(verdict(kind), Verdict::Away, "{kind}");
    }
    for kind in [Invalid, Conflict] {
        assert_eq!(verdict(kind), Verdict::Alive, "{kind}");
    }
    for kind in [Panic, Internal] {
        assert_eq!(verdict(kind), Verdict::Unclear, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_tells_since_when_it_is_open_and_when_it_probes() {
    assert_eq!(breaker(Probe::Check).trouble(), None);
    let breaker = opened(Probe::Check);
    tokio::time::advance(Duration::from_secs(2)).await;
    let trouble = breaker.trouble().unwrap();
    assert_eq!((trouble.state, trouble.error), (State::Open, ErrorKind::Unavailable));
    assert_eq!((trouble.open, trouble.probe_in), (Duration::from_secs(2), Duration::from_secs(3)));

    // A probe that fails in another way: still open since then.
    tokio::time::advance(COOLDOWN).await;
    let probe = breaker.begin_probe().unwrap();
    let trouble = breaker.trouble().unwrap();
    assert_eq!((trouble.state, trouble.probe_in), (State::HalfOpen, Duration::ZERO));
    probe.tell(Verdict::Away, Some(&Error::new(ErrorKind::Timeout, "slow")));
    let trouble = breaker.trouble().unwrap();
    assert_eq!((trouble.error, trouble.open), (ErrorKind::Timeout, Duration::from_secs(7)));

    tokio::time::advance(COOLDOWN).await;
    breaker.begin_probe().unwrap().tell(Verdict::Alive, None);
    assert_eq!(breaker.trouble(), None);
}

#[tokio::test(start_paused = true)]
async fn what_fails_again_soon_after_its_check_succeeded_is_asked_less_and_less() {
    let breaker = opened(Probe::Check);
    tokio::time::advance(COOLDOWN).await;
    for doubled in [2, 4, 8] {
        breaker.begin_probe().unwrap().tell(Verdict::Alive, None);
        tell(&breaker, Verdict::Away);
        assert!(breaker.is_open(), "one failure is enough");
        assert_eq!(breaker.trouble().unwrap().probe_in, COOLDOWN * doubled);
        tokio::time::advance(COOLDOWN * doubled).await;
    }
    breaker.begin_probe().unwrap().tell(Verdict::Alive, None);
    tell(&breaker, Verdict::Alive);
    tokio::time::advance(RECOVERED).await;
    (0..3).for_each(|_| tell(&breaker, Verdict::Away));
    assert_eq!(breaker.trouble().unwrap().probe_in, COOLDOWN, "it had recovered");
}
