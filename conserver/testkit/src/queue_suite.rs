//! The behaviours of [`Queue`] and [`LeaseKeeper`](conserver_core::queue::LeaseKeeper), one case for each line of the
//! contract.
//!
//! `queue_suite!(fixture)` makes a test of each case; the expression makes a fresh [`QueueFixture`] every time and may
//! await. That every line of the contract has a case is a test of this crate; that every case became a test is one of
//! the generated tests.

#![expect(clippy::unwrap_used, reason = "every case is the body of a test")]

mod claim;
mod finish;
mod keeper;
mod letters;
mod lists;
mod recover;
mod settle;
mod share;
mod sweep;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use conserver_core::queue::{
    ClaimRequest, Claimed, DeadLetter, End, Finish, Lane, Lease, ListShare, Queue, Settled, Settlement,
    Tries, WorkerInfo,
};
use conserver_core::vcon::VconId;
use conserver_core::{QueueName, WorkerId};

pub use crate::queue_fixture::{DLQ_EXPIRY, QueueFixture, VCON_EXPIRY};
pub use claim::*;
pub use finish::*;
pub use keeper::*;
pub use letters::*;
pub use lists::*;
pub use recover::*;
pub use settle::*;
pub use share::*;
pub use sweep::*;

/// Every case, with the line of the contract that it is about.
pub const CASES: &[(&str, &str)] = &[
    ("an_unregistered_worker_gets_nothing", "claims of a worker that is not registered get nothing"),
    (
        "the_oldest_comes_first",
        "ids of one list come oldest first; due retries come before them, with at most half the room while there are \
         others",
    ),
    (
        "due_retries_come_first_with_half_the_room",
        "ids of one list come oldest first; due retries come before them, with at most half the room while there are \
         others",
    ),
    (
        "every_list_gets_its_share",
        "every list with ids gets its share; lists that share a room never bring more than fits into it",
    ),
    (
        "no_room_is_overfilled",
        "every list with ids gets its share; lists that share a room never bring more than fits into it",
    ),
    (
        "lists_of_no_weight_are_served_in_strict_order",
        "lists of weight 0 take what the others leave, in the order of the request",
    ),
    (
        "another_occurrence_waits_for_the_first",
        "an id is held by one worker at a time; another occurrence waits and returns to the head of its list when the \
         first is settled",
    ),
    (
        "five_occurrences_run_one_after_the_other",
        "an id is held by one worker at a time; another occurrence waits and returns to the head of its list when the \
         first is settled",
    ),
    ("a_paused_list_keeps_its_ids", "nothing is taken from a paused list"),
    ("an_empty_claim_writes_nothing", "a claim that finds nothing writes nothing"),
    ("a_push_ends_the_wait", "a push since the last wait, by any process, ends it"),
    (
        "an_idle_wait_ends_by_itself",
        "without a push it ends after `longest`, or earlier where the backend has to be asked again",
    ),
    ("an_ended_lease_gets_nothing", "a worker whose lease has ended gets nothing until it renews"),
    ("one_suspect_at_a_time_runs_on_a_host", "the suspect lane hands out one suspect at a time to each host"),
    ("settling_again_does_nothing", "repeating a call that failed does nothing twice"),
    (
        "what_is_no_longer_held_is_gone",
        "an entry that this worker no longer holds is `Gone`: no document, no effect, no egress",
    ),
    (
        "a_target_of_the_wrong_type_refuses_its_item_only",
        "an item whose target has the wrong type is dead-lettered with that reason; the others go on",
    ),
    (
        "a_document_of_the_wrong_type_refuses_its_item_only",
        "an item whose target has the wrong type is dead-lettered with that reason; the others go on",
    ),
    (
        "a_finish_writes_applies_and_pushes",
        "`Finish` writes the documents, applies the effects and pushes to the egress lists, with the trace context",
    ),
    (
        "a_storage_letter_leaves_the_rest_alone",
        "`Finish` writes the documents, applies the effects and pushes to the egress lists, with the trace context",
    ),
    (
        "a_dead_letter_keeps_its_reason_and_document",
        "`Dead` puts the id on the dead-letter list with its letter, and the document lives as long",
    ),
    ("a_settled_document_keeps_its_time_to_live", "the document keeps its time to live"),
    ("what_was_parked_returns_to_the_head", "what was parked behind the id returns to the head of its list"),
    (
        "given_back_ids_keep_their_order",
        "`GiveBack` returns ids to the head of their list, in the order they were taken; a retry stays one, a suspect \
         stays in its lane",
    ),
    (
        "a_retry_given_back_keeps_its_tries",
        "`GiveBack` returns ids to the head of their list, in the order they were taken; a retry stays one, a suspect \
         stays in its lane",
    ),
    (
        "a_suspect_given_back_stays_in_its_lane",
        "`GiveBack` returns ids to the head of their list, in the order they were taken; a retry stays one, a suspect \
         stays in its lane",
    ),
    ("a_retry_comes_back_with_its_tries", "`Retry` hands the id out again after its delay, with its tries"),
    (
        "a_dropped_claim_is_found_in_the_holdings",
        "every claimed and unsettled entry is there, whether the claim's answer arrived or not",
    ),
    (
        "recovered_ids_return_in_order",
        "the ids return to the head of their lists in the order they were taken",
    ),
    (
        "a_recovered_worker_can_do_nothing",
        "later claims, settlements and renewals of the dead worker do nothing",
    ),
    ("a_second_recovery_finds_nothing", "a second recovery finds nothing"),
    (
        "two_deaths_alone_are_poison",
        "struck ids go to the suspect lane; those struck for the second time while alone are dead-lettered `poison`",
    ),
    (
        "everything_is_struck_when_memory_ran_out",
        "struck ids go to the suspect lane; those struck for the second time while alone are dead-lettered `poison`",
    ),
    ("a_suspect_without_a_strike_stays_in_its_lane", "a suspect that is not struck stays in its lane"),
    (
        "workers_are_listed_until_their_recovery",
        "a worker is there from its registration to its recovery, with how much it holds",
    ),
    ("pushed_ids_keep_their_order", "ids keep their order, and the same id may stand there many times"),
    ("pushing_to_no_list_is_a_wrong_type", "a key of another type is `WrongType`"),
    ("peeking_takes_nothing", "the head comes first, and nothing is taken"),
    ("every_place_is_counted", "every place that an id can be in is counted"),
    (
        "the_head_of_a_list_is_its_oldest",
        "the id at the head of a list is told, with an age where the backend knows one",
    ),
    (
        "a_list_of_vcons_is_there",
        "a list is there while the id at its head is that of a stored vCon, whoever put it there",
    ),
    (
        "the_last_error_tells_why_ids_are_delayed",
        "it is the last error of the delayed id that is due first; nothing is told where none is delayed",
    ),
    ("pausing_tells_whether_it_changed_anything", "answers whether that changed anything"),
    (
        "letters_come_by_page_and_may_be_unknown",
        "pages begin at the head; an entry that another program put there has no letter",
    ),
    (
        "a_replay_moves_each_letter_once",
        "each id named is moved once, and one that is no longer there is not",
    ),
    ("a_dropped_replay_loses_and_doubles_nothing", "no id is lost or doubled if the process dies in between"),
    ("discarding_drops_only_what_is_named", "only those named are gone, with what was known about them"),
    (
        "a_drain_leaves_everything_on_plain_lists",
        "afterwards every id that no live worker holds is on a plain list; what is parked behind an id that runs \
         follows when that one is settled",
    ),
    (
        "a_drain_leaves_live_workers_alone",
        "afterwards every id that no live worker holds is on a plain list; what is parked behind an id that runs \
         follows when that one is settled",
    ),
    ("a_sweep_leaves_alone_what_a_link_lets_expire", "a document that a link lets expire is left alone"),
    ("a_sweep_extends_and_never_shortens", "a longer time to live is never shortened"),
    ("a_renewal_revives_an_ended_lease", "a lease that has ended is revived, unless recovery was faster"),
    (
        "abandoning_buries_one_and_returns_the_rest",
        "the stuck id is a dead letter, the others stand at the head of their lists in order, the worker is gone",
    ),
    (
        "releasing_returns_everything",
        "all ids stand at the head of their lists in order, and the worker is gone",
    ),
];

/// Makes a test of every case of the queue contract. The expression makes a fresh
/// [`QueueFixture`](crate::queue_suite::QueueFixture) and may await.
#[macro_export]
macro_rules! queue_suite {
    ($fixture:expr) => {
        $crate::queue_suite! { @tests $fixture =>
            an_unregistered_worker_gets_nothing
            the_oldest_comes_first
            due_retries_come_first_with_half_the_room
            every_list_gets_its_share
            no_room_is_overfilled
            lists_of_no_weight_are_served_in_strict_order
            another_occurrence_waits_for_the_first
            five_occurrences_run_one_after_the_other
            a_paused_list_keeps_its_ids
            an_empty_claim_writes_nothing
            a_push_ends_the_wait
            an_idle_wait_ends_by_itself
            an_ended_lease_gets_nothing
            one_suspect_at_a_time_runs_on_a_host
            settling_again_does_nothing
            what_is_no_longer_held_is_gone
            a_target_of_the_wrong_type_refuses_its_item_only
            a_document_of_the_wrong_type_refuses_its_item_only
            a_finish_writes_applies_and_pushes
            a_storage_letter_leaves_the_rest_alone
            a_dead_letter_keeps_its_reason_and_document
            a_settled_document_keeps_its_time_to_live
            what_was_parked_returns_to_the_head
            given_back_ids_keep_their_order
            a_retry_given_back_keeps_its_tries
            a_suspect_given_back_stays_in_its_lane
            a_retry_comes_back_with_its_tries
            a_dropped_claim_is_found_in_the_holdings
            recovered_ids_return_in_order
            a_recovered_worker_can_do_nothing
            a_second_recovery_finds_nothing
            two_deaths_alone_are_poison
            everything_is_struck_when_memory_ran_out
            a_suspect_without_a_strike_stays_in_its_lane
            workers_are_listed_until_their_recovery
            pushed_ids_keep_their_order
            pushing_to_no_list_is_a_wrong_type
            peeking_takes_nothing
            every_place_is_counted
            the_head_of_a_list_is_its_oldest
            a_list_of_vcons_is_there
            the_last_error_tells_why_ids_are_delayed
            pausing_tells_whether_it_changed_anything
            letters_come_by_page_and_may_be_unknown
            a_replay_moves_each_letter_once
            a_dropped_replay_loses_and_doubles_nothing
            discarding_drops_only_what_is_named
            a_drain_leaves_everything_on_plain_lists
            a_drain_leaves_live_workers_alone
            a_sweep_leaves_alone_what_a_link_lets_expire
            a_sweep_extends_and_never_shortens
            a_renewal_revives_an_ended_lease
            abandoning_buries_one_and_returns_the_rest
            releasing_returns_everything
        }
    };
    (@tests $fixture:expr => $($case:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::queue_suite::$case($fixture).await;
            }
        )*

        #[test]
        fn every_case_of_the_queue_suite_is_a_test() {
            let tests = [$(stringify!($case)),*];
            assert!($crate::queue_suite::CASES.iter().map(|(name, _)| *name).eq(tests));
        }
    };
}

/// A worker that the queue knows.
pub async fn worker(queue: &Arc<dyn Queue>) -> WorkerId {
    let info = info(false, "here");
    queue.register(&info).await.expect("a worker can register");
    info.id
}

/// A worker of the suspect lane of a host.
pub async fn lane_worker(queue: &Arc<dyn Queue>, realm: &str) -> WorkerId {
    let info = info(true, realm);
    queue.register(&info).await.expect("a worker can register");
    info.id
}

/// What a worker says about itself; each has an id of its own.
pub fn info(suspects: bool, realm: &str) -> WorkerInfo {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    WorkerInfo {
        id: WorkerId::new(format!("host:{}:{number}", std::process::id())),
        host: "host".to_owned(),
        realm: realm.to_owned(),
        pid: std::process::id(),
        started: 7,
        version: "0.0.0".to_owned(),
        suspects,
    }
}

/// Lists of equal weight in one room.
pub fn shares(lists: &[&str]) -> Vec<ListShare> {
    lists.iter().map(|list| ListShare { list: QueueName::new(list), weight: 1, room: 0 }).collect()
}

/// Claims at once, from lists of equal weight in one room.
pub async fn claim(queue: &Arc<dyn Queue>, worker: &WorkerId, lists: &[&str], room: usize) -> Vec<Lease> {
    let lists = shares(lists);
    let request = ClaimRequest { rooms: &[room], lists: &lists, lane: Lane::Main };
    claim_as(queue, worker, &request).await.leases
}

/// Claims at once from the suspect lane.
pub async fn claim_suspect(queue: &Arc<dyn Queue>, worker: &WorkerId, lists: &[&str]) -> Vec<Lease> {
    let lists = shares(lists);
    let request = ClaimRequest { rooms: &[1], lists: &lists, lane: Lane::Suspects };
    claim_as(queue, worker, &request).await.leases
}

/// Claims; fails if that is an error.
pub async fn claim_as(queue: &Arc<dyn Queue>, worker: &WorkerId, request: &ClaimRequest<'_>) -> Claimed {
    queue.claim(worker, request).await.expect("the claim succeeds")
}

/// Claims until there is something, waiting for arrivals in between; what it last found, once `wait` is over.
pub async fn claim_within(
    queue: &Arc<dyn Queue>,
    worker: &WorkerId,
    request: &ClaimRequest<'_>,
    wait: Duration,
) -> Claimed {
    let end = Instant::now() + wait;
    loop {
        let claimed = claim_as(queue, worker, request).await;
        let left = end.saturating_duration_since(Instant::now());
        if !claimed.leases.is_empty() || claimed.unregistered || left.is_zero() {
            return claimed;
        }
        queue.arrival(left).await;
    }
}

/// Pushes ids.
pub async fn push(queue: &Arc<dyn Queue>, list: &str, ids: &[&str]) -> u64 {
    let ids: Vec<VconId> = ids.iter().map(VconId::new).collect();
    queue.push(&list.into(), &ids).await.expect("ids can be pushed")
}

/// What stands on a list.
pub async fn listed(queue: &Arc<dyn Queue>, list: &str) -> Vec<String> {
    let ids = queue.peek(&list.into(), 100_000).await.expect("the list can be read");
    ids.iter().map(|id| id.as_str().to_owned()).collect()
}

/// The ids of leases.
pub fn ids(leases: &[Lease]) -> Vec<&str> {
    leases.iter().map(|lease| lease.entry.id.as_str()).collect()
}

/// Settles; fails if that is an error.
pub async fn settle(queue: &Arc<dyn Queue>, worker: &WorkerId, batch: &[Settlement]) -> Vec<Settled> {
    queue.settle(worker, batch).await.expect("the settlement succeeds")
}

/// Ends all leases well, with nothing to write.
pub async fn finish_all(queue: &Arc<dyn Queue>, worker: &WorkerId, leases: Vec<Lease>) {
    let batch: Vec<Settlement> = leases.into_iter().map(finished).collect();
    let settled = settle(queue, worker, &batch).await;
    assert!(settled.iter().all(|settled| *settled == Settled::Applied), "{settled:?}");
}

/// A finish with nothing to write.
pub fn finished(lease: Lease) -> Settlement {
    Settlement::new(lease, End::Finish(Box::default()))
}

/// A give-back.
pub fn given_back(lease: Lease) -> Settlement {
    Settlement::new(lease, End::GiveBack)
}

/// A retry with these tries.
pub fn retried(lease: Lease, after: Duration, tries: Tries) -> Settlement {
    Settlement::new(lease, End::Retry { documents: Vec::new(), after, tries })
}

/// A retry that is due at once, with one attempt on its account.
pub fn retried_at_once(lease: Lease) -> Settlement {
    retried(lease, Duration::ZERO, Tries { attempt: 1, ..Tries::default() })
}

/// An end on a dead-letter list, with this reason.
pub fn dead(lease: Lease, dlq: &str, reason: &str) -> Settlement {
    let letter = DeadLetter {
        reason: reason.to_owned(),
        error: format!("it went wrong: {reason}"),
        list: Some(lease.entry.list.clone()),
        attempt: 3,
        ..DeadLetter::default()
    };
    Settlement::new(lease, End::Dead { documents: Vec::new(), dlq: dlq.into(), letter: Box::new(letter) })
}

/// Asks until the answer is `Some`; fails after a generous bound.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = std::time::Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_contract_has_a_case() {
        let lines = crate::contract::behaviours(include_str!("../../core/src/queue.rs"));
        crate::contract::assert_covered(&lines, CASES);
    }
}
