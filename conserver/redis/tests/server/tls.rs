//! TLS with an authority of the site's own.

use std::time::Duration;

use conserver_core::queue::{ClaimRequest, Lane, Queue};
use conserver_core::{ErrorKind, Secret};
use conserver_redis::{RedisOptions, RedisQueue};
use conserver_testkit::queue_suite::{claim_within, finish_all, ids, push, shares, worker};
use conserver_testkit::redis::{RedisOptions as ServerOptions, RedisServer};

fn tls() -> RedisServer {
    RedisServer::start_with(ServerOptions { tls: true, ..ServerOptions::default() })
}

fn trusting(server: &RedisServer, authority: &RedisServer) -> RedisQueue {
    let ca = authority.certificate().expect("it speaks TLS").ca.display().to_string();
    let url = format!("{}/?ssl_ca_certs={ca}&ssl_cert_reqs=required", server.url());
    RedisQueue::new(RedisOptions::new(Secret::new(url))).expect("the address is fine")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_connections_speak_tls() {
    let server = tls();
    let redis = std::sync::Arc::new(trusting(&server, &server));
    let queue: std::sync::Arc<dyn Queue> = redis.clone();
    let worker = worker(&queue).await;
    let lists = shares(&["in"]);
    let request = ClaimRequest { rooms: &[4], lists: &lists, lane: Lane::Main };
    let (claimed, _) = tokio::join!(
        claim_within(&queue, &worker, &request, Duration::from_secs(60)),
        push(&queue, "in", &["a"])
    );
    assert_eq!(ids(&claimed.leases), ["a"]);
    let mut keeper = queue.keeper(&worker).unwrap();
    assert!(tokio::task::spawn_blocking(move || keeper.renew(Duration::ZERO)).await.unwrap().unwrap());
    finish_all(&queue, &worker, claimed.leases).await;
}

#[tokio::test]
async fn another_authority_is_refused_in_plain_words() {
    let (server, other) = (tls(), tls());
    let error = trusting(&server, &other).ping().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
    assert!(error.is_permanent() && error.chain().contains("certificate"), "{error:?}");
    assert!(error.chain().contains("ssl_ca_certs=FILE"), "{error:?}");
    // Without a file the system's roots are asked, which do not know it either.
    let unknown = RedisQueue::new(RedisOptions::new(Secret::new(server.url()))).unwrap();
    let error = unknown.ping().await.unwrap_err();
    assert!(error.chain().contains("certificate"), "{error:?}");
}

#[tokio::test]
async fn plain_text_to_a_tls_port_does_not_hang() {
    let server = tls();
    let url = server.url().replace("rediss://", "redis://");
    let queue = RedisQueue::new(RedisOptions::new(Secret::new(url))).unwrap();
    let error =
        tokio::time::timeout(Duration::from_secs(60), queue.ping()).await.expect("it ends").unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
}
