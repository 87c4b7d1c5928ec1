//! One request as it goes over the wire, with the headers that a client has.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::site::LIMIT;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Sends a request; `None` if nobody is there or the connection ends.
pub(super) fn send(address: &str, line: &str, headers: &[&str], body: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let head = format!("host: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}");
    write!(stream, "{line} HTTP/1.1\r\n{head}\r\n{body}").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some(Answer { status: head.split(' ').nth(1)?.parse().ok()?, body: body.to_owned() })
}
