//! Three Sentinels, a master that is killed, and the replica that takes over.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use conserver_core::queue::{ClaimRequest, Lane, Queue};
use conserver_core::{Secret, WorkerId};
use conserver_redis::{RedisOptions, RedisQueue};
use conserver_testkit::free_port;
use conserver_testkit::queue_suite::*;
use conserver_testkit::redis::{RedisOptions as ServerOptions, RedisServer};

use crate::support::{ask, connect};

/// A Sentinel that ends with the test, however that ends: a shell waits on a pipe from it.
struct Sentinel {
    guard: Child,
    port: u16,
}

impl Sentinel {
    fn start(folder: &Path, number: usize, master: u16) -> Self {
        let port = free_port();
        let file = folder.join(format!("sentinel-{number}.conf"));
        let config = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor main 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n",
            folder.display()
        );
        std::fs::write(&file, config).expect("the folder can be written to");
        let guard = Command::new("sh")
            .args([
                "-c",
                r#"redis-server "$1" --sentinel & pid=$!; read -r _; kill -s KILL $pid; wait"#,
                "guard",
            ])
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell can be started; redis-server comes with: apt-get install redis-server");
        Self { guard, port }
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_goes_on_with_the_new_master() {
    let mut master = RedisServer::start();
    let args = ["--replicaof", "127.0.0.1", &master.port().to_string()].map(str::to_owned).to_vec();
    let replica = RedisServer::start_with(ServerOptions { args, ..ServerOptions::default() });
    let sentinels: Vec<Sentinel> =
        (0..3).map(|n| Sentinel::start(replica.folder(), n, master.port())).collect();
    for sentinel in &sentinels {
        knows_all(sentinel).await;
    }
    let hosts: Vec<String> =
        sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
    let url = format!("redis+sentinel://{}/main", hosts.join(","));
    let redis = std::sync::Arc::new(RedisQueue::new(RedisOptions::new(Secret::new(url))).unwrap());
    let queue: std::sync::Arc<dyn Queue> = redis.clone();

    let worker = worker(&queue).await;
    let all: Vec<String> = (0..50).map(|n| format!("id {n}")).collect();
    push(&queue, "in", &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let leases = claim(&queue, &worker, &["in"], 10).await;
    assert_eq!(leases.len(), 10);
    let first = redis.server().expect("it is connected").run_id;
    let raw = connect(&master.url()).await;
    until("the replica has it all", async || {
        (ask::<i64>(&raw, &["WAIT", "1", "100"]).await == 1).then_some(())
    })
    .await;
    master.kill();

    let killed = Instant::now();
    let batch: Vec<_> = leases.into_iter().map(leaving).collect();
    until("the new master confirms", async || match queue.settle(&worker, &batch).await {
        Ok(_) => Some(()),
        Err(error) => {
            assert!(error.is_unavailable(), "{error:?}");
            None
        }
    })
    .await;
    report(&format!(
        "from the death of the master to the first confirmed settlement: {:?}",
        killed.elapsed()
    ));
    assert_ne!(redis.server().expect("it is connected").run_id, first);
    let mut done = batch.len();
    while done < all.len() {
        renew(&queue, &worker).await;
        let lists = shares(&["in"]);
        let request = ClaimRequest { rooms: &[8], lists: &lists, lane: Lane::Main };
        let leases = claim_within(&queue, &worker, &request, Duration::from_secs(5)).await.leases;
        done += leases.len();
        settle(&queue, &worker, &leases.into_iter().map(leaving).collect::<Vec<_>>()).await;
    }
    let raw = connect(&replica.url()).await;
    assert_eq!(ask::<Vec<String>>(&raw, &["LRANGE", "out", "0", "-1"]).await, all);
}

#[tokio::test]
async fn an_unknown_master_is_named() {
    let master = RedisServer::start();
    let sentinel = Sentinel::start(master.folder(), 0, master.port());
    until("the Sentinel is up", async || std::net::TcpStream::connect(("127.0.0.1", sentinel.port)).ok())
        .await;
    let url = format!("redis+sentinel://127.0.0.1:{}/nobody", sentinel.port);
    let redis = RedisQueue::new(RedisOptions::new(Secret::new(url))).unwrap();
    let error = redis.ping().await.unwrap_err();
    assert!(error.is_unavailable() && error.chain().contains("nobody"), "{error:?}");
}

fn leaving(lease: conserver_core::queue::Lease) -> conserver_core::queue::Settlement {
    use conserver_core::queue::{End, Finish, Settlement};
    let egress = vec![("out".into(), lease.entry.id.clone())];
    Settlement::new(lease, End::Finish(Box::new(Finish { egress, ..Finish::default() })))
}

async fn renew(queue: &std::sync::Arc<dyn Queue>, worker: &WorkerId) {
    let mut keeper = queue.keeper(worker).expect("there is a keeper");
    let renewed = tokio::task::spawn_blocking(move || keeper.renew(Duration::ZERO)).await.expect("no panic");
    assert!(renewed.expect("the new master answers"));
}

/// Waits until a Sentinel knows the others and the replica.
async fn knows_all(sentinel: &Sentinel) {
    let url = format!("redis://127.0.0.1:{}", sentinel.port);
    until("the Sentinel is up", async || std::net::TcpStream::connect(("127.0.0.1", sentinel.port)).ok())
        .await;
    let raw = connect(&url).await;
    until("the Sentinels know each other", async || {
        let about: Vec<String> = ask(&raw, &["SENTINEL", "MASTER", "main"]).await;
        let of = |name: &str| about.chunks_exact(2).find(|pair| pair[0] == name).map(|pair| pair[1].clone());
        (of("num-slaves")? == "1" && of("num-other-sentinels")? == "2").then_some(())
    })
    .await;
}

/// Figures are told, not asserted.
#[expect(clippy::print_stderr, reason = "shown with --nocapture")]
fn report(figures: &str) {
    eprintln!("{figures}");
}
