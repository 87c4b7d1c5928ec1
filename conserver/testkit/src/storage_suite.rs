//! The behaviours of [`Storage`], one case for each line of the contract.
//!
//! `storage_suite!(fixture)` makes a test of each case; the expression makes a fresh [`StorageFixture`] every time. A
//! storage that lacks a capability passes the same cases: they assert that it answers `Unsupported`. That every line
//! of the contract has a case is a test of this crate; that every case became a test is one of the generated tests.

mod delete;
mod get;
mod save;

use std::sync::Arc;

use async_trait::async_trait;
use conserver_core::storage::Storage;
use conserver_core::{Error, ErrorKind, Result};
use conserver_vcon::{Vcon, VconId};
use serde_json::Value;

use crate::json::{read_view, same};

pub use delete::*;
pub use get::*;
pub use save::*;

/// One storage under test, empty at first, with what the cases need beside it.
#[async_trait]
pub trait StorageFixture: Send + Sync {
    /// The storage under test.
    fn storage(&self) -> Arc<dyn Storage>;

    /// Another instance on the same data, as another process has it.
    async fn reopen(&self) -> Arc<dyn Storage>;

    /// A vCon that this storage refuses for good, whatever happens.
    fn refused(&self) -> Vcon;

    /// Puts something that is no vCon in the place of a vCon that was saved. Only asked where vCons are given back.
    async fn spoil(&self, id: &VconId);

    /// Takes the other side away, for the rest of the fixture's life.
    async fn outage(&mut self);

    /// What is kept under an id. The default asks another instance; a storage that gives nothing back looks at the
    /// other side instead.
    async fn kept(&self, id: &VconId) -> Option<Value> {
        let found = self.reopen().await.get(id).await.expect("the other side is up");
        found.map(|vcon| read_view(&vcon))
    }
}

/// Every case, with the line of the contract that it is about.
pub const CASES: &[(&str, &str)] = &[
    ("what_was_saved_is_found_by_another_instance", "what has an `Ok` is durable when the call returns"),
    ("saving_again_replaces", "saving the same id again replaces what was there"),
    ("saving_again_with_another_date_replaces", "saving the same id again replaces what was there"),
    (
        "a_refused_vcon_does_not_stop_its_batch",
        "one vCon that cannot be kept does not stop the others of its batch",
    ),
    ("the_later_of_two_in_a_batch_wins", "the same id twice in one batch: the later one wins"),
    ("concurrent_saves_leave_one_whole", "concurrent saves of one id leave one of them whole"),
    ("a_dropped_save_leaves_old_or_new", "dropping the future leaves either the old or the new document"),
    (
        "an_id_that_is_no_uuid_is_kept_or_invalid",
        "an id that is no UUID is `Invalid` where [`StorageInfo::needs_uuid`]",
    ),
    (
        "every_shape_of_document_comes_back",
        "what comes back equals what was saved, unknown members and bodies of any JSON type included",
    ),
    ("a_missing_id_is_none", "a missing id is `Ok(None)`; an outage is an error, never `None`"),
    ("an_outage_is_an_error", "a missing id is `Ok(None)`; an outage is an error, never `None`"),
    ("what_is_no_vcon_is_invalid", "what lies under the id and is no vCon is `Invalid`, never `None`"),
    ("an_id_it_cannot_keep_is_missing", "an id that it cannot keep is missing"),
    ("getting_needs_the_capability", "without the capability: `Unsupported`"),
    ("deleting_tells_whether_something_was_there", "`Ok(true)` if something was there, `Ok(false)` if not"),
    ("what_was_deleted_is_missing", "what was deleted is missing afterwards"),
    ("an_id_it_cannot_keep_was_not_there", "an id that it cannot keep was not there"),
    ("deleting_needs_the_capability", "without the capability: `Unsupported`"),
    (
        "checking_tells_whether_a_save_could_succeed",
        "`Ok` only if a save could succeed now, as far as one round trip can tell",
    ),
];

/// Makes a test of every case of the storage contract. The expression makes a fresh
/// [`StorageFixture`](crate::storage_suite::StorageFixture) and may await.
#[macro_export]
macro_rules! storage_suite {
    ($fixture:expr) => {
        $crate::storage_suite! { @tests $fixture =>
            what_was_saved_is_found_by_another_instance
            saving_again_replaces
            saving_again_with_another_date_replaces
            a_refused_vcon_does_not_stop_its_batch
            the_later_of_two_in_a_batch_wins
            concurrent_saves_leave_one_whole
            a_dropped_save_leaves_old_or_new
            an_id_that_is_no_uuid_is_kept_or_invalid
            every_shape_of_document_comes_back
            a_missing_id_is_none
            an_outage_is_an_error
            what_is_no_vcon_is_invalid
            an_id_it_cannot_keep_is_missing
            getting_needs_the_capability
            deleting_tells_whether_something_was_there
            what_was_deleted_is_missing
            an_id_it_cannot_keep_was_not_there
            deleting_needs_the_capability
            checking_tells_whether_a_save_could_succeed
        }
    };
    (@tests $fixture:expr => $($case:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::storage_suite::$case($fixture).await;
            }
        )*

        #[test]
        fn every_case_of_the_storage_suite_is_a_test() {
            let tests = [$(stringify!($case)),*];
            assert!($crate::storage_suite::CASES.iter().map(|(name, _)| *name).eq(tests));
        }
    };
}

/// Saves one vCon that has to be kept.
pub async fn save(storage: &Arc<dyn Storage>, vcon: &Vcon) {
    try_save(storage, vcon).await.expect("the vCon is kept");
}

/// Saves one vCon.
pub async fn try_save(storage: &Arc<dyn Storage>, vcon: &Vcon) -> Result<()> {
    storage.save(std::slice::from_ref(vcon)).await.pop().expect("one answer for one vCon")
}

/// Fails unless this is what is kept.
async fn assert_kept(fixture: &dyn StorageFixture, expected: &Vcon) {
    let kept = fixture.kept(expected.id()).await.expect("the vCon is there");
    let expected = read_view(expected);
    assert!(same(&kept, &expected), "expected {expected}\nkept {kept}");
}

/// Ids that some storage cannot keep: no UUID, longer than a file name, with bytes that texts do not take.
fn odd_ids() -> [VconId; 4] {
    ["no uuid", &"x".repeat(300), "nul \0 in it", ""].map(VconId::new)
}

fn assert_unsupported(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_contract_has_a_case() {
        let lines = crate::contract::behaviours(include_str!("../../core/src/storage.rs"));
        crate::contract::assert_covered(&lines, CASES);
    }
}
