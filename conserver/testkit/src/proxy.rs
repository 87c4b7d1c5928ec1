//! A proxy between a program and its Redis that breaks things on purpose.
//!
//! It passes bytes until told otherwise: it cuts connections, refuses new ones for a while, or lets a claim or a
//! settlement reach the server and loses the reply. Requests are told apart by their arguments, so that a script may
//! change and keeps being found.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// After a reply began to come, nothing more for so long means that all of it is there.
const QUIET: Duration = Duration::from_millis(50);

/// What asks for something whose reply may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Takes ids. Only a reply that brings some is lost.
    Claim,
    /// Ends leases.
    Settle,
}

/// A proxy on a free loopback port. It ends with its owner.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    refusing: AtomicBool,
    ended: AtomicBool,
    /// The next reply to lose.
    armed: Mutex<Option<Request>>,
    lost: AtomicUsize,
    connections: Mutex<Vec<Arc<Connection>>>,
}

#[derive(Debug)]
struct Connection {
    client: TcpStream,
    server: TcpStream,
    /// The reply that is on its way and may be lost.
    held: Mutex<Option<Request>>,
}

impl Proxy {
    /// Starts one before the server at this address.
    pub fn start(upstream: impl Into<String>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let shared = Arc::new(Shared {
            upstream: upstream.into(),
            refusing: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            armed: Mutex::new(None),
            lost: AtomicUsize::new(0),
            connections: Mutex::default(),
        });
        let accepting = shared.clone();
        thread::spawn(move || accepting.accept(&listener));
        Self { port, shared }
    }

    /// Its address as a Redis URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Cuts all connections; new ones are welcome.
    pub fn cut(&self) {
        for connection in self.shared.connections.lock().expect("no panic while held").drain(..) {
            connection.cut();
        }
    }

    /// Cuts all connections and every new one until [`Self::resume`].
    pub fn refuse(&self) {
        self.shared.refusing.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Ends an outage.
    pub fn resume(&self) {
        self.shared.refusing.store(false, Ordering::SeqCst);
    }

    /// Loses the reply of the next such request, after the server has answered, and cuts its connection.
    pub fn lose_reply_of(&self, request: Request) {
        *self.shared.armed.lock().expect("no panic while held") = Some(request);
    }

    /// How many replies were lost.
    pub fn lost(&self) -> usize {
        self.shared.lost.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.refuse();
        // Wakes the thread that accepts, which then sees that this is the end.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            let Ok(client) = client else { continue };
            if !self.refusing.load(Ordering::SeqCst) {
                // A server that is away is what the client gets to feel.
                let _ = self.clone().connect(client);
            }
        }
    }

    fn connect(self: Arc<Self>, client: TcpStream) -> std::io::Result<()> {
        let server = TcpStream::connect(&self.upstream)?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (requests, replies) = (client.try_clone()?, server.try_clone()?);
        let connection = Arc::new(Connection { client, server, held: Mutex::new(None) });
        self.connections.lock().expect("no panic while held").push(connection.clone());
        let (shared, other) = (self.clone(), connection.clone());
        thread::spawn(move || {
            // However a direction ends, the other one ends with it.
            let _ = shared.pass_requests(requests, &connection);
            connection.cut();
        });
        thread::spawn(move || {
            let _ = self.pass_replies(replies, &other);
            other.cut();
        });
        Ok(())
    }

    fn pass_requests(&self, mut from: TcpStream, connection: &Connection) -> std::io::Result<()> {
        let (mut buffer, mut pending) = ([0; 64 << 10], Vec::new());
        loop {
            let read = from.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            pending.extend_from_slice(&buffer[..read]);
            while let Some((length, arguments)) = first_command(&pending) {
                self.look_at(&arguments, connection);
                (&connection.server).write_all(&pending[..length])?;
                pending.drain(..length);
            }
        }
    }

    /// Holds the reply of the request that is waited for.
    fn look_at(&self, arguments: &[Vec<u8>], connection: &Connection) {
        let mut armed = self.armed.lock().expect("no panic while held");
        if let Some(request) = *armed
            && kind_of(arguments) == Some(request)
        {
            *armed = None;
            *connection.held.lock().expect("no panic while held") = Some(request);
        }
    }

    fn pass_replies(&self, mut from: TcpStream, connection: &Connection) -> std::io::Result<()> {
        let mut buffer = [0; 64 << 10];
        loop {
            let read = from.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            let held = *connection.held.lock().expect("no panic while held");
            let Some(request) = held else {
                (&connection.client).write_all(&buffer[..read])?;
                continue;
            };
            let mut reply = buffer[..read].to_vec();
            from.set_read_timeout(Some(QUIET))?;
            while let Ok(more) = from.read(&mut buffer)
                && more > 0
            {
                reply.extend_from_slice(&buffer[..more]);
            }
            from.set_read_timeout(None)?;
            if request == Request::Settle || brings_ids(&reply) {
                self.lost.fetch_add(1, Ordering::SeqCst);
                return Ok(());
            }
            // It brought nothing: the next one is waited for.
            *connection.held.lock().expect("no panic while held") = None;
            *self.armed.lock().expect("no panic while held") = Some(request);
            (&connection.client).write_all(&reply)?;
        }
    }
}

impl Connection {
    fn cut(&self) {
        // Whoever has closed its end already has what it wants.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

/// The first whole command of a stream: its length in bytes and its arguments.
fn first_command(stream: &[u8]) -> Option<(usize, Vec<Vec<u8>>)> {
    let mut at = 0;
    let count = number(stream, &mut at, b'*')?;
    let mut arguments = Vec::new();
    for _ in 0..count {
        let length = number(stream, &mut at, b'$')?;
        arguments.push(stream.get(at..at + length)?.to_vec());
        at += length + 2;
    }
    (at <= stream.len()).then_some((at, arguments))
}

/// Reads `<mark><digits>\r\n`.
fn number(stream: &[u8], at: &mut usize, mark: u8) -> Option<usize> {
    let line = stream.get(*at..)?;
    let end = line.windows(2).position(|pair| pair == b"\r\n")?;
    assert_eq!(line[0], mark, "clients send commands as arrays of strings");
    let digits = std::str::from_utf8(&line[1..end]).expect("a length is written in digits");
    *at += end + 2;
    Some(digits.parse().expect("a length is a number"))
}

/// What a command is, by the arguments of the scripts: a claim says its lane, a settlement the kind of its first end.
fn kind_of(arguments: &[Vec<u8>]) -> Option<Request> {
    if !arguments.first()?.eq_ignore_ascii_case(b"EVALSHA") {
        return None;
    }
    let argument = |n: usize| arguments.get(2 + n).map(Vec::as_slice).unwrap_or_default();
    match (argument(3), argument(6)) {
        (b"main", _) => Some(Request::Claim),
        (_, b"F" | b"R" | b"X" | b"G") => Some(Request::Settle),
        _ => None,
    }
}

/// Whether the reply of a claim has an entry: the only text in it with a bare line feed.
fn brings_ids(reply: &[u8]) -> bool {
    reply.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(arguments: &[&str]) -> Vec<u8> {
        let mut text = format!("*{}\r\n", arguments.len());
        arguments.iter().for_each(|argument| text += &format!("${}\r\n{argument}\r\n", argument.len()));
        text.into_bytes()
    }

    #[test]
    fn commands_are_cut_out_of_a_stream_and_recognised() {
        let claim = command(&["EVALSHA", "d", "0", "worker", "5", "main", "0"]);
        let settle = command(&["evalsha", "d", "0", "worker", "1", "2", "3", "1", "F", "list"]);
        let renew = command(&["EVALSHA", "d", "0", "worker", "6000", "0"]);
        let stream = [claim.clone(), settle.clone(), renew].concat();
        let (length, arguments) = first_command(&stream).unwrap();
        assert_eq!((length, kind_of(&arguments)), (claim.len(), Some(Request::Claim)));
        let (length, arguments) = first_command(&stream[length..]).unwrap();
        assert_eq!((length, kind_of(&arguments)), (settle.len(), Some(Request::Settle)));
        assert_eq!(kind_of(&first_command(&stream[claim.len() + settle.len()..]).unwrap().1), None);
        assert!(first_command(&claim[..claim.len() - 1]).is_none());
    }

    #[test]
    fn a_reply_is_lost_after_the_server_has_answered() {
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let proxy = Proxy::start(server.local_addr().unwrap().to_string());
        let answering = thread::spawn(move || {
            let (mut peer, _) = server.accept().unwrap();
            let mut seen = [0; 1000];
            for answer in [&b"+none\r\n"[..], b"$5\r\n1\n2\n3\r\n"] {
                assert!(peer.read(&mut seen).unwrap() > 0);
                peer.write_all(answer).unwrap();
            }
            peer.read(&mut seen).unwrap_or(0)
        });
        proxy.lose_reply_of(Request::Claim);
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
        let claim = command(&["EVALSHA", "d", "0", "worker", "5", "main", "0"]);
        let mut seen = [0; 1000];
        client.write_all(&claim).unwrap();
        assert_eq!(client.read(&mut seen).unwrap(), b"+none\r\n".len());
        client.write_all(&claim).unwrap();
        assert_eq!((client.read(&mut seen).unwrap_or(0), proxy.lost()), (0, 1));
        assert_eq!(answering.join().unwrap(), 0);
    }
}
