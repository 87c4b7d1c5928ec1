//! `/health` and `/ready`: alive is not the same as at work.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use conserver_testkit::daemon::Signal;

use crate::site::{Site, until};

const CONFIG: &str = "
conserver: 1
chains:
  main: {links: [], ingress_lists: [in], egress_lists: [out]}
";

/// Status and body of a GET, or nothing while nobody listens.
pub(crate) fn get(address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

#[test]
fn an_instance_is_ready_while_its_workers_claim_and_alive_even_without_redis() {
    let mut site = Site::new(CONFIG);
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let daemon = site.setup.run(1, &["--listen", &address]);
    let status = |path: &str| get(&address, path).map(|(status, _)| status);
    until("it is ready", || status("/ready") == Some(200) && status("/api/ready") == Some(200));
    assert_eq!(status("/health"), Some(200));
    let (unknown, body) = get(&address, "/nothing").unwrap();
    assert!(unknown == 404 && body.contains("/docs"), "{body}");

    site.redis.stop();
    until("it is not ready without Redis", || status("/ready") == Some(503));
    assert_eq!(status("/health"), Some(200), "alive all the same");

    site.redis.restart();
    until("it is ready again", || status("/ready") == Some(200));
    drop(daemon);
}

#[test]
fn a_start_without_redis_is_alive_and_goes_on_when_it_comes() {
    let mut site = Site::new(CONFIG);
    site.redis.stop();
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let daemon = site.setup.launch(1, &["--listen", &address]);
    let status = |path: &str| get(&address, path).map(|(status, _)| status);
    until("it is alive", || status("/health") == Some(200));
    assert_eq!(status("/ready"), Some(503));
    assert!(daemon.usual_workers().is_empty(), "there is nothing to work on");
    site.redis.restart();
    until("it is ready", || status("/ready") == Some(200));
}

#[test]
fn one_that_waits_for_redis_ends_when_it_is_asked_to() {
    let mut site = Site::new(CONFIG);
    site.redis.stop();
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let mut daemon = site.setup.launch(1, &["--listen", &address]);
    until("it is alive", || get(&address, "/health").is_some());
    assert!(daemon.stop().success());
    assert!(get(&address, "/health").is_none(), "its API has ended, too");
}

#[test]
fn a_frozen_worker_is_not_ready() {
    let site = Site::new(CONFIG);
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let daemon = site.setup.run(1, &["--listen", &address]);
    until("it is ready", || get(&address, "/ready").is_some_and(|(status, _)| status == 200));
    let worker = daemon.usual_workers().pop().unwrap();
    worker.signal(Signal::STOP);
    until("it is not ready", || get(&address, "/ready").is_some_and(|(status, _)| status == 503));
    worker.signal(Signal::CONT);
    until("it is ready again", || get(&address, "/ready").is_some_and(|(status, _)| status == 200));
}
