//! The collector's HTTP side: one request for each connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use prost::Message;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Attributes, Received};
use crate::certificate::Certificate;

/// Serves until the process ends.
#[expect(clippy::needless_pass_by_value, reason = "the thread that serves owns what it serves")]
pub(super) fn serve(listener: TcpListener, received: Arc<Mutex<Received>>, certificate: Option<Certificate>) {
    let tls = certificate.map(|files| Arc::new(config(&files)));
    for stream in listener.incoming().flatten() {
        let (received, tls) = (Arc::clone(&received), tls.clone());
        // A client that hangs up in the middle has sent nothing.
        std::thread::spawn(move || {
            let _ = match tls {
                None => answer(stream, &received),
                Some(config) => secured(config, stream).and_then(|stream| answer(stream, &received)),
            };
        });
    }
}

fn config(files: &Certificate) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let cert = CertificateDer::from_pem_file(&files.cert).expect("a certificate of ours can be read");
    let key = PrivateKeyDer::from_pem_file(&files.key).expect("a key of ours can be read");
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("ring has the usual versions").with_no_client_auth();
    config.with_single_cert(vec![cert], key).expect("certificate and key belong together")
}

fn secured(
    config: Arc<ServerConfig>,
    stream: TcpStream,
) -> std::io::Result<StreamOwned<ServerConnection, TcpStream>> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

fn answer(stream: impl Read + Write, received: &Mutex<Received>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Attributes::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let taken = {
        let mut received = received.lock().expect("nothing panics while it holds this lock");
        received.headers = headers;
        match path.as_str() {
            "/v1/traces" => Message::decode(&*body).map(|traces| received.take_traces(traces)).is_ok(),
            "/v1/metrics" => Message::decode(&*body).map(|metrics| received.take_metrics(metrics)).is_ok(),
            _ => false,
        }
    };
    let status = if taken { "200 OK" } else { "400 Bad Request" };
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )?;
    stream.flush()
}
