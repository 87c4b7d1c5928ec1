//! Documents that follow the settle script: each is written or left exactly as the script decided.

use conserver_core::queue::{End, Finish, Settled, Settlement, Strikes};
use conserver_core::store::{DocumentWrite, Encoding};
use conserver_testkit::queue_suite::*;

use crate::settle::writing;
use crate::support::Bench;

async fn document(bench: &Bench, id: &str) -> Option<String> {
    bench.words(&["GET", &format!("vcon:{id}")]).await
}

#[tokio::test]
async fn one_batch_writes_what_may_be_written_and_nothing_else() {
    let bench = Bench::following().await;
    let queue = bench.queue();
    let (slow, quick) = (worker(&queue).await, worker(&queue).await);
    for id in ["lost", "there", "odd"] {
        bench.words::<()>(&["SET", &format!("vcon:{id}"), "old", "PX", "600000"]).await;
    }
    push(&queue, "in", &["lost", "there", "odd", "new"]).await;
    let mut leases = claim(&queue, &slow, &["in"], 4).await;
    // The first one is taken away from this worker and finished by another.
    bench.words::<i64>(&["LREM", &format!("cs:infl:{{in}}:{slow}"), "1", &entry(&leases[0])]).await;
    bench.run::<i64>("HDEL cs:busy lost").await;
    push(&queue, "in", &["lost"]).await;
    let again = claim(&queue, &quick, &["in"], 1).await.pop().unwrap();
    assert_eq!(settle(&queue, &quick, &[writing(again, "newer")]).await, [Settled::Applied]);
    bench.run::<i64>("DEL vcon:odd").await;
    bench.words::<i64>(&["HSET", "vcon:odd", "not", "ours"]).await;

    let batch: Vec<_> = leases.drain(..).map(|lease| writing(lease, "written")).collect();
    for round in 0..2 {
        let settled = settle(&queue, &slow, &batch).await;
        if round == 0 {
            assert_eq!(
                (&settled[0], &settled[1], &settled[3]),
                (&Settled::Gone, &Settled::Applied, &Settled::Applied)
            );
            assert!(
                matches!(&settled[2], Settled::Refused(says) if says.contains("`vcon:odd` holds a hash")),
                "{settled:?}"
            );
        } else {
            assert_eq!(settled, vec![Settled::Gone; 4]);
        }
        assert_eq!(document(&bench, "lost").await.as_deref(), Some("newer"));
        assert_eq!(document(&bench, "there").await.as_deref(), Some("written"));
        assert_eq!(document(&bench, "new").await.as_deref(), Some("written"));
        assert_eq!(bench.run::<String>("HGET vcon:odd not").await, "ours");
        for (id, least, most) in
            [("lost", 540_000, 600_000), ("there", 540_000, 600_000), ("new", 3_540_000, 3_600_000)]
        {
            let left: i64 = bench.words(&["PTTL", &format!("vcon:{id}")]).await;
            assert!(left > least && left <= most, "{id}: {left}");
        }
        assert!(bench.run::<Vec<String>>("KEYS cs:aside*").await.is_empty());
    }
}

#[tokio::test]
async fn where_the_script_cannot_go_on_no_document_is_written() {
    let bench = Bench::following().await;
    for key in ["cs:busy", "cs:parked", "cs:expiring"] {
        bench.run::<()>("FLUSHALL").await;
        let queue = bench.queue();
        let worker = worker(&queue).await;
        push(&queue, "in", &["a", "b", "c"]).await;
        for id in ["a", "c"] {
            bench.words::<()>(&["SET", &format!("vcon:{id}"), "old", "PX", "600000"]).await;
        }
        let leases = claim(&queue, &worker, &["in"], 3).await;
        let batch: Vec<_> = leases.into_iter().map(|lease| crate::settle::expiring(lease, "out")).collect();
        bench.spoil(key).await;
        let before = bench.snapshot().await;
        queue.settle(&worker, &batch).await.unwrap_err();
        assert_eq!(bench.snapshot().await, before, "{key}");
        assert!(bench.run::<i64>("PTTL vcon:a").await > 0, "{key}");
    }
}

#[tokio::test]
async fn a_worker_that_was_declared_dead_writes_nothing() {
    let bench = Bench::following().await;
    let queue = bench.queue();
    let (slow, quick) = (worker(&queue).await, worker(&queue).await);
    push(&queue, "in", &["a"]).await;
    let late = [writing(claim(&queue, &slow, &["in"], 1).await.pop().unwrap(), "late")];
    queue.recover(&slow, &Strikes::none()).await.unwrap();
    let lease = claim(&queue, &quick, &["in"], 1).await.pop().unwrap();
    for before in [None, Some("in time")] {
        assert_eq!(settle(&queue, &slow, &late).await, [Settled::Gone]);
        assert_eq!(document(&bench, "a").await.as_deref(), before);
        bench.words::<()>(&["SET", "vcon:a", "in time"]).await;
    }
    finish_all(&queue, &quick, vec![lease]).await;
    assert_eq!(document(&bench, "a").await.as_deref(), Some("in time"));
}

#[tokio::test]
async fn something_else_under_our_name_is_no_obstacle() {
    let bench = Bench::following().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    bench.words::<()>(&["SET", "vcon:a", "old"]).await;
    bench.spoil("cs:aside").await;
    push(&queue, "in", &["a"]).await;
    let batch = [writing(claim(&queue, &worker, &["in"], 1).await.pop().unwrap(), "written")];
    for expected in [Settled::Applied, Settled::Gone] {
        assert_eq!(settle(&queue, &worker, &batch).await, [expected]);
        assert_eq!(document(&bench, "a").await.as_deref(), Some("written"));
    }
}

#[tokio::test]
async fn a_document_that_two_items_write_is_what_the_last_one_says() {
    let bench = Bench::following().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a", "b"]).await;
    let leases = claim(&queue, &worker, &["in"], 2).await;
    let both = leases.into_iter().zip(["first", "second"]).map(|(lease, json)| {
        let document = DocumentWrite { id: "a".into(), json: json.into(), encoding: Encoding::Text };
        Settlement::new(
            lease,
            End::Finish(Box::new(Finish { documents: vec![document], ..Finish::default() })),
        )
    });
    let batch: Vec<_> = both.collect();
    assert_eq!(settle(&queue, &worker, &batch).await, vec![Settled::Applied; 2]);
    assert_eq!(document(&bench, "a").await.as_deref(), Some("second"));
}

#[tokio::test]
async fn many_documents_follow_by_themselves() {
    let bench = Bench::new().await;
    let queue = bench.queue();
    let worker = worker(&queue).await;
    let ids: Vec<String> = (0..64).map(|n| format!("id {n}")).collect();
    push(&queue, "in", &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let leases = claim(&queue, &worker, &["in"], 64).await;
    let text = |id: &str| format!("{id}: {}", "x".repeat(4000));
    let batch: Vec<_> = leases
        .into_iter()
        .map(|lease| {
            let json = text(lease.entry.id.as_str());
            writing(lease, &json)
        })
        .collect();
    bench.run::<()>("CONFIG RESETSTAT").await;
    assert_eq!(settle(&queue, &worker, &batch).await, vec![Settled::Applied; 64]);
    for id in &ids {
        assert_eq!(document(&bench, id).await, Some(text(id)));
    }
    assert_eq!(calls(&bench, "exec").await, 1);
    assert_eq!(calls(&bench, "evalsha").await, 0);
}

/// How often the server ran a command.
async fn calls(bench: &Bench, command: &str) -> u64 {
    let all: String = bench.run("INFO commandstats").await;
    let line = all.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

fn entry(lease: &conserver_core::queue::Lease) -> String {
    format!("{}|{}", lease.entry.token, lease.entry.id)
}
