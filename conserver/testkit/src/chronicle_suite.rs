//! The behaviours of [`Chronicle`](conserver_core::story::Chronicle), one case for each line of the contract.
//!
//! `chronicle_suite!(fixture)` makes a test of each case; see `store_suite` for how.

#![expect(clippy::unwrap_used, reason = "every case is the body of a test")]

use std::time::Duration;

use conserver_core::WorkerId;
use conserver_core::story::{Memory, RunStory, Step, StepResult};

pub use crate::queue_fixture::QueueFixture;

/// Every case, with the line of the contract that it is about.
pub const CASES: &[(&str, &str)] = &[
    ("the_oldest_make_room", "the oldest runs go first where there are more than `memory` holds"),
    (
        "runs_come_in_order",
        "runs come in the order in which they were remembered, and those of other ids are not among them",
    ),
    ("old_runs_are_left_out", "a run that was settled before `since` (Unix milliseconds) is left out"),
    ("nothing_is_known_of_a_stranger", "an id that nothing is known of has no runs"),
    ("an_instance_has_one_note", "an instance has one note, the last that it left, beside those of others"),
    ("a_note_does_not_stay", "a note is gone once it is taken back, or older than `lives`"),
];

/// Makes a test of every case of the contract. The expression makes a fresh
/// [`QueueFixture`](crate::chronicle_suite::QueueFixture) and may await.
#[macro_export]
macro_rules! chronicle_suite {
    ($fixture:expr) => {
        $crate::chronicle_suite! { @tests $fixture =>
            the_oldest_make_room
            runs_come_in_order
            old_runs_are_left_out
            nothing_is_known_of_a_stranger
            an_instance_has_one_note
            a_note_does_not_stay
        }
    };
    (@tests $fixture:expr => $($case:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::chronicle_suite::$case($fixture).await;
            }
        )*

        #[test]
        fn every_case_of_the_suite_is_a_test() {
            let tests = [$(stringify!($case)),*];
            assert!($crate::chronicle_suite::CASES.iter().map(|(name, _)| *name).eq(tests));
        }
    };
}

const MEMORY: Memory = Memory { runs: 100_000, age: Duration::from_secs(3600) };

fn now() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

/// A run with everything in it.
fn run(id: &str, attempt: u32) -> RunStory {
    let step = Step {
        link: Some("tag".into()),
        storage: None,
        result: StepResult::PassedOver,
        ms: 0.125,
        error: Some("timeout".into()),
    };
    RunStory {
        vcon: id.into(),
        chain: "main".into(),
        list: "in".into(),
        worker: WorkerId::from("w"),
        attempt,
        crashes: 2,
        at: now(),
        ms: 12,
        end: "retry".into(),
        why: Some("it said \"no\"\n".to_owned()),
        again_in_ms: Some(1000),
        went_on_as: Some("other".into()),
        steps: vec![step],
    }
}

/// See [`CASES`].
pub async fn the_oldest_make_room(fixture: impl QueueFixture) {
    let chronicle = fixture.chronicle();
    let memory = Memory { runs: 300, ..MEMORY };
    for part in 0..10 {
        let runs: Vec<RunStory> = (part * 100..(part + 1) * 100).map(|n| run("a", n)).collect();
        chronicle.remember(&runs, memory).await.unwrap();
    }
    let kept = chronicle.runs_of(&"a".into(), 0).await.unwrap();
    let attempts: Vec<u32> = kept.iter().map(|run| run.attempt).collect();
    let first = 1000 - u32::try_from(kept.len()).unwrap();
    assert!((1..=400).contains(&kept.len()), "{}", kept.len());
    assert_eq!(attempts, (first..1000).collect::<Vec<_>>());
    chronicle.remember(&[run("b", 1)], Memory { runs: 0, ..MEMORY }).await.unwrap();
    assert!(chronicle.runs_of(&"b".into(), 0).await.unwrap().is_empty(), "no memory, nothing remembered");
}

/// See [`CASES`].
pub async fn runs_come_in_order(fixture: impl QueueFixture) {
    let chronicle = fixture.chronicle();
    let ids: Vec<String> = (0..600).map(|n| format!("id {n}")).collect();
    for attempt in 1..=2 {
        let runs: Vec<RunStory> = ids.iter().map(|id| run(id, attempt)).collect();
        chronicle.remember(&runs, MEMORY).await.unwrap();
    }
    for id in &ids {
        let told = chronicle.runs_of(&id.as_str().into(), 0).await.unwrap();
        let at: Vec<i64> = told.iter().map(|run| run.at).collect();
        let same: Vec<RunStory> =
            at.iter().zip(1..=2).map(|(at, attempt)| RunStory { at: *at, ..run(id, attempt) }).collect();
        assert_eq!(told, same);
    }
}

/// See [`CASES`].
pub async fn old_runs_are_left_out(fixture: impl QueueFixture) {
    let chronicle = fixture.chronicle();
    let old = RunStory { at: now() - 10_000, ..run("a", 1) };
    let young = run("a", 2);
    chronicle.remember(&[old.clone(), young.clone()], MEMORY).await.unwrap();
    let id = "a".into();
    assert_eq!(chronicle.runs_of(&id, old.at).await.unwrap(), [old.clone(), young.clone()]);
    assert_eq!(chronicle.runs_of(&id, old.at + 1).await.unwrap(), std::slice::from_ref(&young));
    assert!(chronicle.runs_of(&id, young.at + 1).await.unwrap().is_empty());
}

/// See [`CASES`].
pub async fn nothing_is_known_of_a_stranger(fixture: impl QueueFixture) {
    let chronicle = fixture.chronicle();
    assert!(chronicle.runs_of(&"a".into(), 0).await.unwrap().is_empty());
    chronicle.remember(&[], MEMORY).await.unwrap();
    chronicle.remember(&[run("b", 1)], MEMORY).await.unwrap();
    assert!(chronicle.runs_of(&"a".into(), 0).await.unwrap().is_empty());
}

/// See [`CASES`].
pub async fn an_instance_has_one_note(fixture: impl QueueFixture) {
    const LIVES: Duration = Duration::from_secs(600);
    let chronicle = fixture.chronicle();
    assert!(chronicle.notes().await.unwrap().is_empty());
    for (instance, note) in [("a:1", "first"), ("b:2", "\"other\"\n"), ("a:1", "second")] {
        chronicle.leave_note(instance, Some(note), LIVES).await.unwrap();
    }
    assert_eq!(chronicle.notes().await.unwrap(), ["second", "\"other\"\n"]);
}

/// See [`CASES`].
pub async fn a_note_does_not_stay(fixture: impl QueueFixture) {
    const LIVES: Duration = Duration::from_secs(600);
    let chronicle = fixture.chronicle();
    chronicle.leave_note("a", Some("stays"), LIVES).await.unwrap();
    chronicle.leave_note("b", Some("goes"), LIVES).await.unwrap();
    chronicle.leave_note("c", Some("ends"), Duration::from_millis(1)).await.unwrap();
    chronicle.leave_note("b", None, LIVES).await.unwrap();
    chronicle.leave_note("never said anything", None, LIVES).await.unwrap();
    while chronicle.notes().await.unwrap() != ["stays"] {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    chronicle.leave_note("a", None, LIVES).await.unwrap();
    assert!(chronicle.notes().await.unwrap().is_empty());
}

#[cfg(test)]
mod tests {
    use crate::contract;

    #[test]
    fn every_line_of_the_contract_is_a_case() {
        let source = include_str!("../../core/src/story.rs");
        contract::assert_covered(&contract::behaviours(source), super::CASES);
    }
}
