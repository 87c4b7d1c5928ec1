//! The behaviours of [`VconStore`], one case for each line of the contract.
//!
//! `store_suite!(fixture)` makes a test of each case; the expression makes a fresh [`QueueFixture`] every time and may
//! await. That every line of the contract has a case is a test of this crate; that every case became a test is one of
//! the generated tests.

#![expect(clippy::unwrap_used, reason = "every case is the body of a test")]

mod documents;
mod runs;

use std::sync::Arc;

use bytes::Bytes;
use conserver_core::store::{Loaded, VconStore};
use conserver_core::vcon::VconId;

pub use crate::queue_fixture::{QueueFixture, VCON_EXPIRY};
pub use documents::*;
pub use runs::*;

/// Every case, with the line of the contract that it is about.
pub const CASES: &[(&str, &str)] = &[
    (
        "what_was_put_comes_back",
        "what was put comes back byte for byte (as equal JSON where the server re-encodes it)",
    ),
    (
        "missing_and_odd_documents_are_told_apart",
        "a missing id is `Missing`, something else than a document is `Unreadable`, an outage is an error",
    ),
    (
        "an_outage_of_the_store_is_an_error",
        "a missing id is `Missing`, something else than a document is `Unreadable`, an outage is an error",
    ),
    (
        "putting_replaces_and_sets_the_time_to_live",
        "the document replaces what was there and lives for `ttl` (`None`: for ever)",
    ),
    ("what_was_put_is_found_by_its_parties", "its search keys are found afterwards"),
    ("restoring_does_not_overwrite", "an existing document is not overwritten"),
    (
        "a_checkpoint_of_another_worker_writes_nothing",
        "`false`, and nothing written, if the entry is no longer this worker's",
    ),
    ("a_checkpoint_keeps_the_time_to_live", "keeps the time to live"),
    (
        "a_checkpoint_over_no_document_is_a_wrong_type",
        "a key of another type is `WrongType` and stays as it is",
    ),
    ("indexed_keys_are_found", "the id is found under each key afterwards"),
    ("deleting_takes_the_search_keys_along", "`false` if nothing was there"),
];

/// Makes a test of every case of the store contract. The expression makes a fresh
/// [`QueueFixture`](crate::store_suite::QueueFixture) and may await.
#[macro_export]
macro_rules! store_suite {
    ($fixture:expr) => {
        $crate::store_suite! { @tests $fixture =>
            what_was_put_comes_back
            missing_and_odd_documents_are_told_apart
            an_outage_of_the_store_is_an_error
            putting_replaces_and_sets_the_time_to_live
            what_was_put_is_found_by_its_parties
            restoring_does_not_overwrite
            a_checkpoint_of_another_worker_writes_nothing
            a_checkpoint_keeps_the_time_to_live
            a_checkpoint_over_no_document_is_a_wrong_type
            indexed_keys_are_found
            deleting_takes_the_search_keys_along
        }
    };
    (@tests $fixture:expr => $($case:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::store_suite::$case($fixture).await;
            }
        )*

        #[test]
        fn every_case_of_the_store_suite_is_a_test() {
            let tests = [$(stringify!($case)),*];
            assert!($crate::store_suite::CASES.iter().map(|(name, _)| *name).eq(tests));
        }
    };
}

/// The text of one document.
async fn text_of(store: &Arc<dyn VconStore>, id: &VconId) -> Option<Bytes> {
    match load(store, id).await {
        Loaded::Found { json, .. } => Some(json),
        Loaded::Missing => None,
        Loaded::Unreadable(error) => panic!("{error:?}"),
    }
}

/// What is found under one id.
async fn load(store: &Arc<dyn VconStore>, id: &VconId) -> Loaded {
    store
        .load(std::slice::from_ref(id))
        .await
        .expect("the store answers")
        .pop()
        .expect("one answer for one id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_contract_has_a_case() {
        let lines = crate::contract::behaviours(include_str!("../../core/src/store.rs"));
        crate::contract::assert_covered(&lines, CASES);
    }
}
