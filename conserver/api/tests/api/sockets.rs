//! The server on a real socket: slow, large and many-headed clients, and its end.

use std::time::Duration;

use conserver_api::{app, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::site::{Backend, Site, small};

struct Served {
    site: Site,
    address: std::net::SocketAddr,
    stop: tokio::sync::oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<std::io::Result<()>>,
}

async fn served() -> Served {
    let site = Site::new(Backend::Redis).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let router = app(site.state.clone());
    let ended =
        tokio::spawn(async move { serve(listener, router, None, async { drop(stopped.await) }).await });
    Served { site, address, stop, ended }
}

impl Served {
    /// Sends these bytes and reads until the server has nothing more to say.
    async fn say(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The server may hang up in the middle.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(90), read).await.expect("it does not hang");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_gigabyte_is_refused_by_its_length() {
    let served = served().await;
    let answer = served
        .say(b"POST /vcon HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1073741824\r\n\r\n{")
        .await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("\"hint\""), "{answer}");
}

/// Asserts a refusal as JSON that names a way out.
#[track_caller]
fn refused(answer: &str, status: &str, hint: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{answer:.300}");
    assert!(head.contains("content-type: application/json"), "{answer:.300}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer:.300}"));
    assert!(
        body["hint"].as_str().is_some_and(|says| says.contains(hint)) && body["detail"].is_string(),
        "{body}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_cannot_be_taken_are_refused_with_a_way_out() {
    let served = served().await;
    let many: String = (0..5000).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = "y".repeat(1 << 20);
    let path = "y".repeat(70_000);
    let cases = [
        (format!("GET /health HTTP/1.1\r\nhost: x\r\n{many}\r\n"), "431", "100 header lines"),
        (format!("GET /health HTTP/1.1\r\nhost: x\r\nx: {long}\r\n\r\n"), "431", "64 kB"),
        (format!("GET /{path} HTTP/1.1\r\nhost: x\r\n\r\n"), "414", "body"),
        ("GET /health HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), "400", "HTTP/1.1"),
        ("GET /health SPDY/9\r\n\r\n".to_owned(), "400", "HTTP/1.1"),
        ("\u{16}\u{3}\u{1} a TLS client\r\n\r\n".to_owned(), "400", "https://"),
    ];
    for (head, status, hint) in cases {
        refused(&served.say(head.as_bytes()).await, status, hint);
    }
    // One that was answered before, on the same connection.
    let answers = served.say(b"GET /version HTTP/1.1\r\nhost: x\r\n\r\n\0\r\n\r\n").await;
    let (first, second) = answers.split_at(answers.rfind("HTTP/1.1 4").unwrap());
    assert!(first.starts_with("HTTP/1.1 200"), "{answers}");
    refused(second, "400", "HTTP/1.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_never_ends_is_told_so_and_silence_is_left_alone() {
    let served = served().await;
    let (slow, idle) = tokio::join!(
        served.say(b"GET /version HTTP/1.1\r\nhost: x\r\nx-slow"),
        served.say(b"GET /version HTTP/1.1\r\nhost: x\r\n\r\n")
    );
    refused(&slow, "408", "30 seconds");
    assert_eq!(idle.matches("HTTP/1.1").count(), 1, "{idle}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_dawdle_disturb_nobody_and_a_stop_ends_them() {
    let served = served().await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(b"POST /vcon HTTP/1.1\r\nhost: x\r\ncontent-le").await.unwrap();
        slow.push(stream);
    }
    let body = small(1).to_string();
    let answer = served
        .say(
            format!(
                "POST /vcon HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    served.stop.send(()).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), served.ended).await;
    ended.expect("a stop has an end").unwrap().unwrap();
    drop((slow, served.site));
}
