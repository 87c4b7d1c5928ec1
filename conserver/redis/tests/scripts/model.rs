//! Random histories against a model of the lists: every id is in exactly one place, in the right order, after every
//! step; deaths, lost answers and late messages of the dead included.

mod claims;
mod state;
mod steps;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::Bench;
use state::Model;
use steps::Step;

#[test]
fn any_history_keeps_every_id_in_exactly_one_place() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for bench in runtime.block_on(Bench::both()) {
        hold(&runtime, &bench);
    }
}

fn hold(runtime: &tokio::runtime::Runtime, bench: &Bench) {
    let config = Config { cases: 100, failure_persistence: None, ..Config::default() };
    let histories = proptest::collection::vec(any_step(), 1..60);
    let result = TestRunner::new(config).run(&histories, |history| {
        runtime.block_on(async {
            bench.run::<()>("FLUSHALL").await;
            let mut model = Model::new(bench).await;
            for step in &history {
                model.take(step).await.map_err(|says| TestCaseError::fail(format!("{step:?}: {says}")))?;
                model
                    .compare()
                    .await
                    .map_err(|says| TestCaseError::fail(format!("after {step:?}: {says}")))?;
            }
            model.run_dry().await.map_err(|says| TestCaseError::fail(format!("at the end: {says}")))
        })
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let list = 0..2_usize;
    let worker = 0..2_usize;
    let ends = proptest::collection::vec(0..6_u8, 1..5);
    prop_oneof![
        6 => (list.clone(), proptest::collection::vec(0..5_u8, 1..5)).prop_map(|(list, ids)| Step::Push { list, ids }),
        6 => (worker.clone(), 0..6_usize, any::<bool>()).prop_map(|(worker, room, lost)| Step::Claim { worker, room, lost }),
        6 => (worker, ends, any::<bool>()).prop_map(|(worker, ends, lost)| Step::Settle { worker, ends, lost }),
        2 => any::<bool>().prop_map(|lost| Step::ClaimSuspect { lost }),
        2 => (0..6_u8).prop_map(|end| Step::SettleSuspect { end }),
        2 => (0..3_usize, any::<u8>()).prop_map(|(worker, struck)| Step::Die { worker, struck }),
        1 => (0..3_usize).prop_map(|worker| Step::EndLease { worker }),
        1 => (0..3_usize).prop_map(|worker| Step::Renew { worker }),
        1 => (list.clone(), any::<bool>()).prop_map(|(list, paused)| Step::Pause { list, paused }),
        1 => list.prop_map(|list| Step::PythonPop { list }),
        1 => Just(Step::Late),
        1 => Just(Step::Drain),
    ]
}
