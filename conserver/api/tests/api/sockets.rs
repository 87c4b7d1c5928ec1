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
        let _ = tokio::time::timeout(Duration::from_secs(30), read).await.expect("it does not hang");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_headers_is_refused() {
    let served = served().await;
    let many: String = (0..5000).map(|n| format!("x-{n}: 1\r\n")).collect();
    let answer = served.say(format!("GET /health HTTP/1.1\r\nhost: x\r\n{many}\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431") || answer.is_empty(), "{answer}");
    let long = format!("GET /health HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    let answer = served.say(long.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431") || answer.is_empty(), "{answer}");
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
