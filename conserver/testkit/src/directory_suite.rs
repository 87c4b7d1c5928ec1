//! The behaviours of [`Directory`], one case for each line of the contract.
//!
//! `directory_suite!(fixture)` makes a test of each case; see `store_suite` for how.

#![expect(clippy::unwrap_used, reason = "every case is the body of a test")]

use std::sync::Arc;

use conserver_core::directory::{CreatedRange, Dated, Directory, PartyTerms};
use conserver_core::queue::Paging;
use conserver_core::store::IndexKeys;
use conserver_core::vcon::VconId;

pub use crate::queue_fixture::QueueFixture;
use crate::vcons::{Vcons, vcon};

/// Every case, with the line of the contract that it is about.
pub const CASES: &[(&str, &str)] = &[
    (
        "the_newest_come_first",
        "ids come newest first; those of the same second in descending order of their text",
    ),
    ("both_ends_are_included", "both ends of the range are included"),
    ("a_bare_entry_counts", "an entry that is a bare id counts like any other"),
    (
        "pages_hold_every_id_once",
        "pages that follow each other hold every id once, also where many have the same date",
    ),
    ("a_removed_id_is_no_obstacle", "an id that was removed since is no obstacle"),
    ("the_count_is_that_of_the_pages", "it counts what the pages hold"),
    ("every_term_narrows", "every term narrows the result; one that matches nothing leaves nothing"),
    ("no_term_finds_nothing", "without a term there is nothing"),
    (
        "documents_are_there_or_not",
        "one answer for each id, in order, without reading the documents; a key that holds something else has none",
    ),
    (
        "all_documents_are_met",
        "the parts together hold every document that is there from the first to the last call; an id may come twice",
    ),
];

/// Makes a test of every case of the contract. The expression makes a fresh
/// [`QueueFixture`](crate::directory_suite::QueueFixture) and may await.
#[macro_export]
macro_rules! directory_suite {
    ($fixture:expr) => {
        $crate::directory_suite! { @tests $fixture =>
            the_newest_come_first
            both_ends_are_included
            a_bare_entry_counts
            pages_hold_every_id_once
            a_removed_id_is_no_obstacle
            the_count_is_that_of_the_pages
            every_term_narrows
            no_term_finds_nothing
            documents_are_there_or_not
            all_documents_are_met
        }
    };
    (@tests $fixture:expr => $($case:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::directory_suite::$case($fixture).await;
            }
        )*

        #[test]
        fn every_case_of_the_suite_is_a_test() {
            let tests = [$(stringify!($case)),*];
            assert!($crate::directory_suite::CASES.iter().map(|(name, _)| *name).eq(tests));
        }
    };
}

/// A page that holds everything.
const ALL: Paging = Paging { offset: 0, limit: 1000 };

/// Makes ids known with their dates.
async fn dated(fixture: &impl QueueFixture, ids: &[(&str, i64)]) -> Arc<dyn Directory> {
    let store = fixture.store();
    for (id, created) in ids {
        let keys = IndexKeys { created: Some(*created), ..IndexKeys::default() };
        store.index(&(*id).into(), &keys).await.unwrap();
    }
    fixture.directory()
}

fn range(since: i64, until: i64) -> CreatedRange {
    CreatedRange { since: Some(since), until: Some(until) }
}

fn texts(ids: &[VconId]) -> Vec<&str> {
    ids.iter().map(VconId::as_str).collect()
}

/// See [`CASES`].
pub async fn the_newest_come_first(fixture: impl QueueFixture) {
    let directory = dated(&fixture, &[("old", 10), ("b", 20), ("c", 20), ("a", 20), ("new", 30)]).await;
    let all = directory.newest(CreatedRange::default(), ALL).await.unwrap();
    assert_eq!(texts(&all), ["new", "c", "b", "a", "old"]);
    let page = directory.newest(CreatedRange::default(), Paging { offset: 1, limit: 2 }).await.unwrap();
    assert_eq!(texts(&page), ["c", "b"]);
    for page in [Paging { offset: 9, limit: 2 }, Paging { offset: 0, limit: 0 }] {
        assert!(directory.newest(CreatedRange::default(), page).await.unwrap().is_empty());
    }
}

/// See [`CASES`].
pub async fn both_ends_are_included(fixture: impl QueueFixture) {
    let directory = dated(&fixture, &[("a", -5), ("b", 0), ("c", 5), ("d", 6)]).await;
    let found = directory.newest(range(0, 5), ALL).await.unwrap();
    assert_eq!(texts(&found), ["c", "b"]);
    let open = CreatedRange { since: None, until: Some(0) };
    assert_eq!(texts(&directory.newest(open, ALL).await.unwrap()), ["b", "a"]);
    assert!(directory.newest(range(5, 0), ALL).await.unwrap().is_empty());
}

/// See [`CASES`].
pub async fn a_bare_entry_counts(fixture: impl QueueFixture) {
    let directory = dated(&fixture, &[("a", 10)]).await;
    let is_there = fixture.list_bare_id(&"bare".into(), 20).await;
    let found = directory.newest(CreatedRange::default(), ALL).await.unwrap();
    assert_eq!(texts(&found), if is_there { &["bare", "a"][..] } else { &["a"] });
}

/// See [`CASES`].
pub async fn pages_hold_every_id_once(fixture: impl QueueFixture) {
    let names: Vec<String> = (0..250).map(|n| format!("id-{n:03}")).collect();
    let many: Vec<(&str, i64)> = names.iter().map(|name| (name.as_str(), 100)).collect();
    let directory = dated(&fixture, &many).await;
    dated(&fixture, &[("older", 50), ("newer", 200)]).await;
    for limit in [7, 100, 1000] {
        let (mut all, mut last): (Vec<Dated>, Option<Dated>) = (Vec::new(), None);
        loop {
            let page = directory.after(CreatedRange::default(), last.as_ref(), limit).await.unwrap();
            assert!(page.len() <= limit);
            let Some(end) = page.last() else { break };
            last = Some(end.clone());
            all.extend(page);
        }
        let whole = directory.newest(CreatedRange::default(), ALL).await.unwrap();
        assert!(all.iter().map(|dated| &dated.id).eq(&whole), "limit {limit}: {} of 252", all.len());
        assert!(all.is_sorted_by(|a, b| a.created >= b.created));
    }
    assert!(directory.after(CreatedRange::default(), None, 0).await.unwrap().is_empty());
}

/// See [`CASES`].
pub async fn a_removed_id_is_no_obstacle(fixture: impl QueueFixture) {
    let directory = dated(&fixture, &[("a", 30), ("b", 20), ("c", 20), ("d", 10)]).await;
    let page = directory.after(CreatedRange::default(), None, 2).await.unwrap();
    assert_eq!(page[1].id.as_str(), "c");
    fixture.store().delete(&"c".into()).await.unwrap();
    let rest = directory.after(CreatedRange::default(), page.last(), 5).await.unwrap();
    assert_eq!(rest.iter().map(|dated| dated.id.as_str()).collect::<Vec<_>>(), ["b", "d"]);
    let within = directory.after(range(15, 40), page.last(), 5).await.unwrap();
    assert_eq!(within.len(), 1);
}

/// See [`CASES`].
pub async fn the_count_is_that_of_the_pages(fixture: impl QueueFixture) {
    let directory = dated(&fixture, &[("a", 10), ("b", 20), ("c", 30)]).await;
    for (range, expected) in [(CreatedRange::default(), 3), (range(10, 20), 2), (range(40, 50), 0)] {
        assert_eq!(directory.count(range).await.unwrap(), expected);
    }
}

/// See [`CASES`].
pub async fn every_term_narrows(fixture: impl QueueFixture) {
    let store = fixture.store();
    let keys = |tel: &str, name: &str| IndexKeys {
        tel: vec![tel.to_owned()],
        name: vec![name.to_owned()],
        ..IndexKeys::default()
    };
    store.index(&"two".into(), &keys("+1 555 0100", "Zoë")).await.unwrap();
    store.index(&"one".into(), &keys("+1 555 0100", "Ann")).await.unwrap();
    store.index(&"three".into(), &keys("+1 555 0101", "Zoë")).await.unwrap();
    let directory = fixture.directory();
    let terms = |tel: Option<&str>, name: Option<&str>, mailto: Option<&str>| PartyTerms {
        tel: tel.map(str::to_owned),
        name: name.map(str::to_owned),
        mailto: mailto.map(str::to_owned),
    };
    for (terms, expected) in [
        (terms(Some("+1 555 0100"), None, None), &["one", "two"][..]),
        (terms(None, Some("Zoë"), None), &["three", "two"]),
        (terms(Some("+1 555 0100"), Some("Zoë"), None), &["two"]),
        (terms(Some("+1 555 0100"), Some("nobody"), None), &[]),
        (terms(Some("+1 555 0100"), None, Some("a@example.com")), &[]),
    ] {
        assert_eq!(texts(&directory.search(&terms).await.unwrap()), expected, "{terms:?}");
    }
}

/// See [`CASES`].
pub async fn no_term_finds_nothing(fixture: impl QueueFixture) {
    fixture.store().put(&vcon(&Vcons::new(1).call()), None).await.unwrap();
    assert!(fixture.directory().search(&PartyTerms::default()).await.unwrap().is_empty());
}

/// See [`CASES`].
pub async fn documents_are_there_or_not(fixture: impl QueueFixture) {
    let call = vcon(&Vcons::new(2).call());
    fixture.store().put(&call, None).await.unwrap();
    let directory = fixture.directory();
    let ids = ["missing".into(), call.id().clone(), "".into()];
    assert_eq!(directory.present(&ids).await.unwrap(), [false, true, false]);
    assert!(directory.present(&[]).await.unwrap().is_empty());
}

/// See [`CASES`].
pub async fn all_documents_are_met(fixture: impl QueueFixture) {
    let (store, directory) = (fixture.store(), fixture.directory());
    let mut vcons = Vcons::new(3);
    let mut expected = Vec::new();
    for _ in 0..50 {
        let chat = vcon(&vcons.chat());
        store.put(&chat, None).await.unwrap();
        expected.push(chat.id().clone());
    }
    let (mut met, mut from) = (Vec::new(), None);
    loop {
        let (part, next) = directory.documents(from.as_deref()).await.unwrap();
        met.extend(part);
        from = next;
        if from.is_none() {
            break;
        }
    }
    met.sort();
    met.dedup();
    expected.sort();
    assert_eq!(met, expected);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_contract_has_a_case() {
        let lines = crate::contract::behaviours(include_str!("../../core/src/directory.rs"));
        crate::contract::assert_covered(&lines, CASES);
    }
}
