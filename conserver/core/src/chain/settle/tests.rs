//! Every row of the settle table, and every rule about failures.

use bytes::Bytes;
use conserver_vcon::VconId;

use super::*;
use crate::config::plan::OnStorageError;
use crate::link::Effect;
use crate::policy::BreakerOpen;
use crate::queue::Entry;
use crate::store::{DocumentWrite, Encoding};
use crate::{ChainName, ErrorKind, QueueName};

const NOW: i64 = 1_800_000_000;

fn plan() -> ChainPlan {
    ChainPlan {
        name: ChainName::new("main"),
        ingress: vec![QueueName::new("in")],
        ceded: Vec::new(),
        links: Vec::new(),
        storages: Vec::new(),
        egress: vec![QueueName::new("out"), QueueName::new("copy")],
        dlq: None,
        concurrency: 1,
        weight: 1,
        timeout: None,
        retry: RedeliveryOptions {
            attempts: 3,
            delay: Duration::from_secs(2),
            max_delay: Duration::from_secs(60),
            give_up_after: Duration::from_secs(3600),
        },
        on_storage_error: OnStorageError::Continue,
        blocked: None,
        stale: None,
    }
}

fn lease(tries: Tries) -> Lease {
    let entry = Entry { list: QueueName::new("in"), token: 7, id: VconId::new("popped") };
    let context =
        Some(r#"{"trace_id":"0123456789abcdef0123456789abcdef","span_id":"0123456789abcdef"}"#.to_owned());
    Lease { entry, context, document_bytes: None, tries }
}

/// A run that changed one document, wants one effect, and ended with another id than it began with.
fn ran(end: RunEnd) -> Run {
    let document = DocumentWrite {
        id: VconId::new("popped"),
        json: Bytes::from_static(b"{}"),
        encoding: Encoding::Text,
    };
    Run {
        end,
        documents: vec![document],
        effects: vec![Effect::ExpireAfter(Duration::from_secs(1))],
        expires: Some(VconId::new("popped")),
        links: 2,
        ..Run::of(VconId::new("switched"))
    }
}

fn fails(error: Error) -> Run {
    ran(RunEnd::Failed { error, link: Some(LinkName::new("tag")), storage: None })
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "it went wrong")
}

fn end(run: Run, tries: Tries) -> End {
    to_end(run, &plan(), &lease(tries), NOW, 0.0)
}

fn retry(run: Run, tries: Tries) -> (Duration, Tries) {
    match end(run, tries) {
        End::Retry { documents, after, tries } => {
            assert_eq!(documents.len(), 1, "the document is kept as after the last successful link");
            (after, tries)
        }
        other => panic!("expected a retry, got {other:?}"),
    }
}

fn dead(run: Run, tries: Tries) -> DeadLetter {
    match end(run, tries) {
        End::Dead { documents, dlq, letter } => {
            assert_eq!(documents.len(), 1, "the document is kept as after the last successful link");
            assert_eq!(dlq.as_str(), "DLQ:in");
            *letter
        }
        other => panic!("expected a dead letter, got {other:?}"),
    }
}

fn finished(run: Run) -> Finish {
    match end(run, Tries::default()) {
        End::Finish(finish) => *finish,
        other => panic!("expected a finish, got {other:?}"),
    }
}

#[test]
fn done_writes_documents_applies_effects_and_passes_on_the_id_it_ended_with() {
    let finish = finished(ran(RunEnd::Done));
    assert_eq!((finish.documents.len(), finish.effects.len()), (1, 1));
    assert_eq!(finish.expires, Some(VconId::new("popped")));
    let new = VconId::new("switched");
    assert_eq!(finish.egress, [(QueueName::new("out"), new.clone()), (QueueName::new("copy"), new)]);
    assert_eq!(finish.context, lease(Tries::default()).context);
}

#[test]
fn halt_writes_documents_and_applies_effects_but_has_no_egress() {
    let finish = finished(ran(RunEnd::Halted { link: LinkName::new("route"), reason: "routed".to_owned() }));
    assert_eq!((finish.documents.len(), finish.effects.len()), (1, 1));
    assert!(finish.egress.is_empty());
}

#[test]
fn what_is_lost_is_given_back() {
    assert!(matches!(end(ran(RunEnd::Lost), Tries::default()), End::GiveBack));
}

#[test]
fn a_refusal_of_a_storage_goes_with_the_finish() {
    let mut run = ran(RunEnd::Done);
    run.refused.push((StorageName::new("archive"), error(ErrorKind::Invalid)));
    let finish = finished(run);
    let [letter] = &finish.storage_letters[..] else { panic!("{finish:?}") };
    assert_eq!((letter.storage.as_str(), letter.id.as_str()), ("archive", "switched"));
    assert_eq!(letter.letter.storage, Some(StorageName::new("archive")));
    assert_eq!((letter.letter.reason.as_str(), letter.letter.link.as_ref()), ("invalid", None));
    assert_eq!(finish.egress.len(), 2);
}

#[test]
fn what_fails_for_good_is_dead_at_once_with_all_that_is_known() {
    let letter = dead(fails(error(ErrorKind::Invalid)), Tries::default());
    let expected = DeadLetter {
        reason: "invalid".to_owned(),
        error: "it went wrong".to_owned(),
        list: Some(QueueName::new("in")),
        chain: Some(ChainName::new("main")),
        link: Some(LinkName::new("tag")),
        attempt: 1,
        trace_id: Some("0123456789abcdef0123456789abcdef".to_owned()),
        ..DeadLetter::default()
    };
    assert_eq!(letter, expected);
}

#[test]
fn a_chain_may_name_its_own_dead_letter_list() {
    let plan = ChainPlan { dlq: Some(QueueName::new("morgue")), ..plan() };
    match to_end(fails(error(ErrorKind::Missing)), &plan, &lease(Tries::default()), NOW, 0.0) {
        End::Dead { dlq, .. } => assert_eq!(dlq.as_str(), "morgue"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_may_heal_is_handed_out_again_with_doubling_pauses_until_its_attempts_are_used() {
    let (after, tries) = retry(fails(error(ErrorKind::Timeout)), Tries::default());
    assert_eq!((after, tries.attempt), (Duration::from_secs(2), 1));
    assert_eq!(tries.last_error.as_deref(), Some("it went wrong"));
    let (after, tries) = retry(fails(error(ErrorKind::Timeout)), tries);
    assert_eq!((after, tries.attempt), (Duration::from_secs(4), 2));
    let letter = dead(fails(error(ErrorKind::Timeout)), tries);
    assert_eq!((letter.attempt, letter.may_have_happened), (3, true));
}

#[test]
fn jitter_shortens_a_pause_by_up_to_a_half() {
    let after = |jitter| match to_end(
        fails(error(ErrorKind::Conflict)),
        &plan(),
        &lease(Tries::default()),
        NOW,
        jitter,
    ) {
        End::Retry { after, .. } => after,
        other => panic!("{other:?}"),
    };
    assert_eq!((after(0.0), after(1.0)), (Duration::from_secs(2), Duration::from_secs(1)));
}

#[test]
fn the_wish_of_the_other_side_is_honoured_even_beyond_the_longest_pause() {
    let asked = Duration::from_secs(300);
    let (after, _) = retry(fails(error(ErrorKind::RateLimited).retry_after(Some(asked))), Tries::default());
    assert_eq!(after, asked);
}

#[test]
fn what_is_away_is_waited_for_without_counting_until_it_has_been_away_too_long() {
    let (after, tries) = retry(fails(error(ErrorKind::Unavailable)), Tries::default());
    assert_eq!((after, tries.attempt, tries.unavailable_since), (Duration::from_secs(2), 0, Some(NOW)));

    let since = |seconds: i64| Tries { unavailable_since: Some(NOW - seconds), ..Tries::default() };
    let (after, tries) = retry(fails(error(ErrorKind::Unavailable)), since(20));
    assert_eq!((after, tries.unavailable_since), (Duration::from_secs(20), Some(NOW - 20)));
    let (after, _) = retry(fails(error(ErrorKind::Unavailable)), since(3599));
    assert_eq!(after, Duration::from_secs(60));
    assert_eq!(dead(fails(error(ErrorKind::Unavailable)), since(3600)).reason, "unavailable");
}

#[test]
fn an_answer_ends_the_time_of_being_away() {
    let tries = Tries { unavailable_since: Some(NOW - 9), ..Tries::default() };
    let (_, tries) = retry(fails(error(ErrorKind::Timeout)), tries);
    assert_eq!((tries.attempt, tries.unavailable_since), (1, None));
}

#[test]
fn being_refused_by_an_open_breaker_is_no_attempt_and_waits_for_the_probe() {
    let refusal =
        BreakerOpen::new(Duration::from_secs(5), "away".into()).into_error().context("storage `archive`");
    let (after, tries) = retry(fails(refusal), Tries { attempt: 2, ..Tries::default() });
    assert_eq!((after, tries.attempt), (Duration::from_secs(5), 2));
}

#[test]
fn a_retry_remembers_which_storages_have_the_document() {
    let mut run = fails(error(ErrorKind::Unavailable));
    run.saved = vec![StorageName::new("archive")];
    run.saved_digest = Some(42);
    let (_, tries) = retry(run, Tries::default());
    assert_eq!((tries.saved.len(), tries.saved_digest), (1, Some(42)));

    // A rerun that fails in a link leaves that as it was; one that reached the storages with something else does not.
    let (_, same) = retry(fails(error(ErrorKind::Unavailable)), tries.clone());
    assert_eq!((same.saved.len(), same.saved_digest), (1, Some(42)));
    let mut other = fails(error(ErrorKind::Unavailable));
    other.saved_digest = Some(43);
    let (_, tries) = retry(other, tries);
    assert_eq!((tries.saved.len(), tries.saved_digest), (0, None));
}

#[test]
fn strikes_survive_a_retry() {
    let tries = Tries { strikes: 1, alone: 1, ..Tries::default() };
    let (_, tries) = retry(fails(error(ErrorKind::Timeout)), tries);
    assert_eq!((tries.strikes, tries.alone), (1, 1));
}

#[test]
fn a_context_that_is_no_trace_has_no_trace_id() {
    for context in ["", "null", "[]", r#"{"trace_id":1}"#, r#"{"trace_id":"short"}"#] {
        assert_eq!(trace_id(context), None, "{context}");
    }
}
