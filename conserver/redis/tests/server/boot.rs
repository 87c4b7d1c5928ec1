//! What `advise` says about servers that are set up differently.

use conserver_core::backend::{Advice, Gravity, Inspect};
use conserver_core::queue::Queue;
use conserver_core::{QueueName, Secret};
use conserver_redis::{RedisOptions, RedisQueue};
use conserver_testkit::queue_suite::{push, worker};
use conserver_testkit::redis::{AppendOnly, RedisOptions as ServerOptions, RedisServer};

use crate::support::Bench;

async fn advice(append_only: AppendOnly, args: &[&str]) -> Vec<Advice> {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    let bench = Bench::on(ServerOptions { append_only, tls: false, args }, |_| ()).await;
    bench.redis.advise().await.expect("the server answers")
}

/// A queue on the same server, as a user whose password is `secret`.
fn as_user(bench: &Bench, name: &str) -> RedisQueue {
    let url = bench.server.url().replace("redis://", &format!("redis://{name}:secret@"));
    RedisQueue::new(RedisOptions::new(Secret::new(url))).unwrap()
}

fn about<'a>(advice: &'a [Advice], subject: &str) -> &'a Advice {
    advice
        .iter()
        .find(|finding| finding.subject == subject)
        .unwrap_or_else(|| panic!("nothing about {subject}: {advice:?}"))
}

#[tokio::test]
async fn a_server_that_keeps_everything_is_good() {
    let advice = advice(AppendOnly::Always, &[]).await;
    assert!(
        advice.iter().all(|finding| finding.gravity == Gravity::Good && finding.advice.is_empty()),
        "{advice:?}"
    );
    let subjects: Vec<_> = advice.iter().map(|finding| finding.subject).collect();
    assert_eq!(subjects, ["version", "persistence", "eviction", "round trip", "layout"]);
}

#[tokio::test]
async fn what_a_crash_would_cost_is_told() {
    let off = advice(AppendOnly::No, &[]).await;
    assert_eq!(about(&off, "persistence").gravity, Gravity::Warning);
    assert!(about(&off, "persistence").advice.contains("appendonly yes"));
    let everysec = advice(AppendOnly::Everysec, &[]).await;
    assert_eq!(about(&everysec, "persistence").gravity, Gravity::Good);
    assert!(about(&everysec, "persistence").found.contains("two seconds"));
    let whenever = advice(AppendOnly::Everysec, &["--appendfsync", "no"]).await;
    assert_eq!(about(&whenever, "persistence").gravity, Gravity::Warning);
}

#[tokio::test]
async fn eviction_is_warned_of() {
    let advice = advice(AppendOnly::No, &["--maxmemory-policy", "allkeys-lru"]).await;
    let eviction = about(&advice, "eviction");
    assert_eq!(eviction.gravity, Gravity::Warning);
    assert!(eviction.found.contains("allkeys-lru") && eviction.advice.contains("noeviction"), "{eviction:?}");
}

#[tokio::test]
async fn cluster_mode_is_refused_in_plain_words() {
    let advice = advice(AppendOnly::No, &["--cluster-enabled", "yes"]).await;
    let cluster = about(&advice, "cluster");
    assert_eq!(cluster.gravity, Gravity::Fatal);
    assert!(cluster.advice.contains("single server or Sentinel"), "{cluster:?}");
}

#[tokio::test]
async fn a_replica_is_refused_in_plain_words() {
    let master = RedisServer::start();
    let port = master.port().to_string();
    let advice = advice(AppendOnly::No, &["--replicaof", "127.0.0.1", &port]).await;
    let role = about(&advice, "role");
    assert_eq!(role.gravity, Gravity::Fatal);
    assert!(role.advice.contains("redis+sentinel://"), "{role:?}");
}

#[tokio::test]
async fn another_layout_is_refused() {
    let bench = Bench::new().await;
    bench.redis.advise().await.unwrap();
    assert_eq!(bench.run::<String>("GET cs:format").await, "1");
    bench.run::<()>("SET cs:format 2").await;
    let advice = bench.redis.advise().await.unwrap();
    assert_eq!(about(&advice, "layout").gravity, Gravity::Fatal);
    assert!(about(&advice, "layout").found.contains("cs:format"));
}

#[tokio::test]
async fn a_user_who_may_not_read_settings_is_served() {
    let bench = Bench::new().await;
    bench.words::<()>(&["ACL", "SETUSER", "plain", "on", ">secret", "~*", "+@all", "-config"]).await;
    let redis = as_user(&bench, "plain");
    let advice = redis.advise().await.unwrap();
    assert!(advice.iter().all(|finding| finding.gravity < Gravity::Fatal), "{advice:?}");
    assert!(redis.ping().await.is_ok());
    let queue = bench.queue();
    let worker = worker(&queue).await;
    push(&queue, "in", &["a"]).await;
    assert!(redis.holdings(&worker).await.unwrap().is_empty());
}

#[tokio::test]
async fn rights_that_are_missing_are_named() {
    let bench = Bench::new().await;
    let lists = ["in", "out"].map(QueueName::new);
    let all = bench.redis.rights(&lists).await.unwrap();
    assert_eq!(about(&all, "rights").gravity, Gravity::Good, "{all:?}");

    bench.run::<()>("ACL SETUSER some on >secret ~vcon:* ~cs:* ~in +@all -rename").await;
    let told = as_user(&bench, "some").rights(&lists).await.unwrap();
    let rights = about(&told, "rights");
    assert_eq!(rights.gravity, Gravity::Warning);
    assert!(rights.found.ends_with("lacks rights: RENAME cs:x, LPOP out, RPUSH out"), "{rights:?}");

    bench.run::<()>("ACL SETUSER none on >secret ~* +@all -eval -evalsha").await;
    let told = as_user(&bench, "none").rights(&lists).await.unwrap();
    assert_eq!(about(&told, "rights").gravity, Gravity::Fatal);
    assert!(about(&told, "rights").found.contains("'eval'"), "{told:?}");
}
