//! What is peculiar to the file: times to live after a long sleep, formats, folders, and a lock that somebody holds.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a test binary")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use conserver_core::backend::{Gravity, Inspect};
use conserver_core::queue::Queue;
use conserver_core::store::{Loaded, VconStore};
use conserver_sqlite::{SqliteOptions, SqliteQueue};
use conserver_testkit::queue_suite::{QueueFixture, claim, push, worker};
use conserver_testkit::vcons::{Vcons, vcon};
use support::Bench;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_slept_for_long_is_not_expired_where_it_is_needed() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let mut vcons = Vcons::new(1);
    let [held, waits, forgotten] = [(); 3].map(|()| vcon(&vcons.call()));
    for call in [&held, &waits, &forgotten] {
        bench.sqlite.put(call, Some(Duration::from_secs(600))).await.unwrap();
    }
    push(&queue, "in", &[held.id().as_str(), waits.id().as_str()]).await;
    // The machine was off for longer than they live.
    bench.change("UPDATE document SET expires = 1000").await;
    let me = worker(&queue).await;
    assert_eq!(claim(&queue, &me, &["in"], 1).await.len(), 1);
    let there = async |id| matches!(bench.sqlite.load(&[id]).await.unwrap()[..], [Loaded::Found { .. }]);
    assert!(there(held.id().clone()).await);
    assert!(!there(waits.id().clone()).await && !there(forgotten.id().clone()).await);
    assert_eq!(queue.sweep(&["in".into()], &[]).await.unwrap(), Some(2));
    assert!(there(held.id().clone()).await && there(waits.id().clone()).await);
    assert_eq!(bench.number("SELECT count(*) FROM document").await, 2, "what nobody needs is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_the_first_format_is_lifted_and_keeps_what_waits() {
    let bench = Bench::new().await;
    push(&bench.queue(), "in", &["old"]).await;
    bench.change("ALTER TABLE entry DROP COLUMN since").await;
    bench.change("DROP TABLE story").await;
    bench.change("DROP TABLE note").await;
    bench.change("PRAGMA user_version = 1").await;
    let lifted: Arc<dyn Queue> = bench.other();
    push(&lifted, "in", &["new"]).await;
    let head = async || lifted.status(&["in".into()]).await.unwrap().remove(0).oldest.unwrap();
    assert_eq!((head().await.id.as_str(), head().await.age_ms), ("old", None));
    let me = worker(&lifted).await;
    assert_eq!(claim(&lifted, &me, &["in"], 1).await.len(), 1);
    assert!(head().await.id.as_str() == "new" && head().await.age_ms.is_some());
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_with_a_way_out() {
    let bench = Bench::new().await;
    bench.change("PRAGMA user_version = 99").await;
    let advice = bench.other().advise().await.unwrap();
    let fatal = advice.iter().find(|finding| finding.gravity == Gravity::Fatal).expect("it cannot be used");
    assert!(fatal.found.contains("format 99") && fatal.found.contains("newer"), "{fatal:?}");
}

#[tokio::test]
async fn the_database_of_another_program_is_left_alone() {
    let bench = Bench::new().await;
    bench.change("PRAGMA application_id = 7").await;
    let advice = bench.other().advise().await.unwrap();
    let fatal = advice.iter().find(|finding| finding.gravity == Gravity::Fatal).expect("it cannot be used");
    assert!(fatal.found.contains("another program"), "{fatal:?}");
}

#[tokio::test]
async fn what_is_no_database_is_told_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("conserver.db");
    std::fs::write(
        &file,
        "a letter to my grandmother, much longer than the header of a database ".repeat(20),
    )
    .unwrap();
    let queue = SqliteQueue::new(SqliteOptions::new(folder.path()));
    let advice = queue.advise().await.unwrap();
    let fatal = advice.iter().find(|finding| finding.gravity == Gravity::Fatal).expect("it cannot be used");
    assert!(fatal.found.contains("no SQLite database"), "{fatal:?}");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("a letter"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_another_program_holds_the_file_nothing_is_lost_and_it_is_named() {
    let bench = Bench::new().await;
    assert!(bench.sqlite.reached_since().await.is_some());
    let mut other = bench.raw.acquire().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *other).await.unwrap();
    let queue = bench.queue();
    let pushing = tokio::spawn(async move { queue.push(&"in".into(), &["a".into()]).await });
    let mut holder = None;
    for _ in 0..60 {
        assert!(bench.sqlite.reached_since().await.is_none());
        holder = bench.sqlite.held_up_by().await;
        if holder.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(holder, Some(std::process::id()));
    // Reading goes on meanwhile.
    assert!(bench.sqlite.workers().await.unwrap().is_empty());
    sqlx::query("ROLLBACK").execute(&mut *other).await.unwrap();
    // Where it took too long, whoever pushes knows that nothing happened, and does it again.
    if pushing.await.unwrap().is_err() {
        bench.sqlite.push(&"in".into(), &["a".into()]).await.unwrap();
    }
    assert_eq!(bench.sqlite.peek(&"in".into(), 9).await.unwrap(), ["a".into()]);
    assert!(bench.sqlite.reached_since().await.is_some());
}

#[tokio::test]
async fn a_folder_that_belongs_to_others_is_told() {
    let bench = Bench::new().await;
    let file = bench.folder.path().join("a file");
    std::fs::write(&file, "").unwrap();
    let queue = SqliteQueue::new(SqliteOptions::new(file.join("below")));
    let advice = queue.advise().await.unwrap();
    assert_eq!(advice[0].gravity, Gravity::Fatal, "{advice:?}");
    assert!(advice[0].advice.contains("CONSERVER_DATA_DIR"), "{advice:?}");
    assert!(queue.workers().await.expect_err("there is no folder").is_unavailable());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_removed_takes_nothing_more_and_no_other_is_made_beside_it() {
    let bench = Bench::new().await;
    push(&bench.queue(), "in", &["before"]).await;
    let mut lease = bench.queue().keeper(&worker(&bench.queue()).await).unwrap();
    for file in ["conserver.db", "conserver.db-wal", "conserver.db-shm"] {
        std::fs::remove_file(bench.folder.path().join(file)).unwrap();
    }
    for _ in 0..2 {
        let push = bench.sqlite.push(&"in".into(), &["a".into()]).await.expect_err("nobody will find it");
        assert!(
            push.is_unavailable() && push.chain().contains("was removed while it was in use"),
            "{}",
            push.chain()
        );
        let read = bench.sqlite.peek(&"in".into(), 9).await.expect_err("nothing is there");
        assert!(read.is_unavailable() && read.chain().contains("was removed"), "{}", read.chain());
    }
    let renewed = std::thread::spawn(move || lease.renew(Duration::ZERO)).join().unwrap();
    assert!(renewed.is_err_and(|error| error.is_unavailable()));
    let other =
        bench.other().push(&"in".into(), &["b".into()]).await.expect_err("somebody uses the other one");
    let user = format!("process {} uses it", std::process::id());
    assert!(other.is_unavailable() && other.chain().contains(&user), "{}", other.chain());
    assert!(!bench.folder.path().join("conserver.db").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_replaced_is_told_and_the_new_one_taken_up() {
    let bench = Bench::new().await;
    push(&bench.queue(), "in", &["a"]).await;
    bench.change("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let file = |name: &str| bench.folder.path().join(name);
    std::fs::copy(file("conserver.db"), file("copy")).unwrap();
    push(&bench.queue(), "in", &["gone with the file"]).await;
    for log in ["conserver.db-wal", "conserver.db-shm"] {
        std::fs::remove_file(file(log)).unwrap();
    }
    std::fs::rename(file("copy"), file("conserver.db")).unwrap();
    let there = async |queue: &SqliteQueue| queue.peek(&"in".into(), 9).await;
    assert_eq!(there(&bench.sqlite).await.unwrap(), ["a".into()]);
    bench.sqlite.push(&"in".into(), &["b".into()]).await.unwrap();
    for queue in [&bench.sqlite, &bench.other()] {
        assert_eq!(there(queue).await.unwrap(), ["a".into(), "b".into()]);
    }
}
