//! The collector's HTTP side: one request for each connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use prost::Message;

use super::{Attributes, Received};

/// Serves until the process ends.
pub(super) fn serve(listener: &TcpListener, received: &Arc<Mutex<Received>>) {
    for stream in listener.incoming().flatten() {
        let received = Arc::clone(received);
        // A client that hangs up in the middle has sent nothing.
        std::thread::spawn(move || drop(answer(stream, &received)));
    }
}

fn answer(mut stream: TcpStream, received: &Mutex<Received>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
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
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}
