//! From a socket to the router: every wait has an end, every connection an owner.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::heads::Explained;
use crate::tls::Tls;

/// A head that is not there by then never comes; an idle connection is closed after the same time.
const HEAD: Duration = Duration::from_secs(30);
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may take to read that it was too slow.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Requests that are under way when the server stops may take this long.
const LAST: Duration = Duration::from_secs(20);
/// Connections at once; more wait until one ends.
const CONNECTIONS: usize = 8192;
/// Bytes and number of headers.
const HEADERS: usize = 64 << 10;
const HEADER_LINES: usize = 100;

/// Who is on the other end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Serves until `stop` completes and the requests under way are answered, or have had their time.
///
/// # Errors
/// None of a connection; those end by themselves.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Tls>,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut stop = std::pin::pin!(stop);
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            () = &mut stop => break,
            next = next => next,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: some will be free again.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (router, tls, stopping) = (router.clone(), tls.clone(), stopping.clone());
        tasks.spawn(async move {
            connection(stream, Peer(peer), router, tls, stopping).await;
            drop(place);
        });
    }
    drop(listener);
    stopping.cancel();
    tasks.close();
    if tokio::time::timeout(LAST, tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "stopped before every request was answered");
    }
    Ok(())
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    tls: Option<Tls>,
    stopping: CancellationToken,
) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return speak(stream, peer, router, stopping).await };
    match tokio::time::timeout(HANDSHAKE, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => speak(stream, peer, router, stopping).await,
        Ok(Err(error)) => tracing::debug!(%error, "no TLS"),
        Err(_) => tracing::debug!("no TLS within 10 s"),
    }
}

async fn speak(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
    stopping: CancellationToken,
) {
    let service = tower::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer);
        tower::ServiceExt::oneshot(router.clone(), request)
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEADERS)
        .max_headers(HEADER_LINES)
        .serve_connection(TokioIo::new(Explained::new(stream)), TowerToHyperService::new(service));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopping.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let Err(error) = ended else { return };
    tracing::debug!(%error, "a connection ended early");
    if error.is_timeout() {
        let parts = connection.into_parts();
        // One that was only idle is closed without a word.
        if !parts.read_buf.is_empty() {
            let _ = tokio::time::timeout(LAST_WORDS, parts.io.into_inner().too_late()).await;
        }
    }
}
