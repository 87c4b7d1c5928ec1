//! Servers that cannot be reached or do not let us in.

use std::time::{Duration, Instant};

use conserver_core::backend::Gravity;
use conserver_core::queue::Queue;
use conserver_core::{ErrorKind, Secret};
use conserver_redis::{RedisOptions, RedisQueue};
use conserver_testkit::free_port;

use crate::support::Bench;

fn queue(url: &str, timeout: Duration) -> RedisQueue {
    let mut options = RedisOptions::new(Secret::new(url));
    options.response_timeout = timeout;
    RedisQueue::new(options).expect("the address is fine")
}

const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_wrong_password_is_refused_for_good_and_never_shown() {
    let bench = Bench::with(&["--requirepass", "sesame"], |_| ()).await;
    for (url, says) in [
        (bench.server.url(), "refused our credentials"),
        (bench.server.url().replace("redis://", "redis://:open@"), "refused our credentials"),
    ] {
        let error = queue(&url, LONG).ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
        assert!(error.is_permanent() && error.chain().contains(says), "{error:?}");
        assert!(!format!("{error:?}").contains("open@"), "{error:?}");
    }
    let url = bench.server.url().replace("redis://", "redis://:sesame@");
    let queue = queue(&url, LONG);
    queue.ping().await.unwrap();
    assert!(!queue.shown().contains("sesame"));
    let mut keeper = queue.keeper(&"nobody".into()).unwrap();
    assert!(!tokio::task::spawn_blocking(move || keeper.renew(Duration::ZERO)).await.unwrap().unwrap());
}

#[tokio::test]
async fn a_server_that_is_down_is_unavailable_at_once() {
    let url = format!("redis://127.0.0.1:{}", free_port());
    let start = Instant::now();
    let error = queue(&url, LONG).ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.chain().contains(&url) && error.chain().contains("cannot reach Redis"), "{error:?}");
    assert!(start.elapsed() < LONG);
}

#[tokio::test]
async fn a_frozen_server_ends_the_wait_and_is_found_again() {
    let bench = Bench::with(&[], |options| options.response_timeout = Duration::from_millis(300)).await;
    bench.redis.ping().await.unwrap();
    bench.server.pause();
    let error = bench.redis.push(&"in".into(), &["a".into()]).await.unwrap_err();
    assert!(error.is_unavailable() && error.get_applied() == conserver_core::Applied::Unknown, "{error:?}");
    bench.server.resume();
    bench.redis.ping().await.unwrap();
}

#[tokio::test]
async fn a_socket_is_as_good_as_a_port() {
    let bench = Bench::new().await;
    let socket = bench.server.folder().join("redis.sock");
    let server = conserver_testkit::redis::RedisServer::start_with(conserver_testkit::redis::RedisOptions {
        args: vec!["--unixsocket".to_owned(), socket.display().to_string()],
        ..Default::default()
    });
    let url = format!("unix://{}?db=3", socket.display());
    let queue = queue(&url, LONG);
    queue.push(&"in".into(), &["a".into()]).await.unwrap();
    let raw = crate::support::connect(&format!("{}/3", server.url())).await;
    assert_eq!(crate::support::ask::<i64>(&raw, &["LLEN", "in"]).await, 1);
}

#[tokio::test]
async fn the_first_command_after_the_server_dropped_its_connections_is_done() {
    let bench = Bench::with(&[], |_| ()).await;
    let push = async |id: &str| bench.redis.push(&"in".into(), &[id.into()]).await;
    push("a").await.unwrap();
    bench.redis.ping().await.unwrap();
    let mut other = redis::Client::open(bench.server.url()).unwrap().get_connection().unwrap();
    redis::cmd("CLIENT").arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"]).exec(&mut other).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(push("b").await.unwrap(), 2);
}

#[tokio::test]
async fn a_user_without_info_can_work() {
    let bench = Bench::with(&[], |_| ()).await;
    let mut admin = redis::Client::open(bench.server.url()).unwrap().get_connection().unwrap();
    let rights = ["SETUSER", "app", "on", ">x", "~*", "&*", "+@all", "-info"];
    redis::cmd("ACL").arg(&rights).exec(&mut admin).unwrap();
    let queue = queue(&bench.server.url().replace("redis://", "redis://app:x@"), LONG);
    let advice = queue.advise().await.unwrap();
    assert!(advice.iter().all(|finding| finding.gravity != Gravity::Fatal), "{advice:?}");
    assert!(advice[0].found.contains("unknown") && advice[0].advice.contains("+info"), "{advice:?}");
    queue.push(&"in".into(), &["a".into()]).await.unwrap();
}
