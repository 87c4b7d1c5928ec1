//! The least of a Redis client: commands into a buffer, replies out of one. What the floor is measured with.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, bail};

/// A reply; bulk strings are places in the connection's buffer.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Int(i64),
    Bulk(std::ops::Range<usize>),
    Nil,
    Array(Vec<Reply>),
}

/// A connection. Commands gather until a reply is asked for.
pub(crate) struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    buffer: Vec<u8>,
    /// What of the buffer has been read.
    read: usize,
    filled: usize,
}

impl Connection {
    pub(crate) fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("connect to Redis")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, out: Vec::new(), buffer: vec![0; 1 << 20], read: 0, filled: 0 })
    }

    /// Begins a command of this many arguments.
    pub(crate) fn begin(&mut self, arguments: usize) -> &mut Self {
        let _ = write!(self.out, "*{arguments}\r\n");
        self
    }

    /// Adds an argument.
    pub(crate) fn arg(&mut self, argument: &[u8]) -> &mut Self {
        self.arg_parts(&[argument])
    }

    /// Adds an argument made of parts.
    pub(crate) fn arg_parts(&mut self, parts: &[&[u8]]) -> &mut Self {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let _ = write!(self.out, "${length}\r\n");
        for part in parts {
            self.out.extend_from_slice(part);
        }
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// Adds an argument that lies in the reply buffer, changed: without its last byte, and with `tail`.
    pub(crate) fn arg_spliced(&mut self, place: std::ops::Range<usize>, tail: &[u8]) -> &mut Self {
        let body = place.start..place.end - 1;
        let _ = write!(self.out, "${}\r\n", body.len() + tail.len());
        self.out.extend_from_slice(&self.buffer[body]);
        self.out.extend_from_slice(tail);
        self.out.extend_from_slice(b"\r\n");
        self
    }

    /// One whole command.
    pub(crate) fn command(&mut self, arguments: &[&[u8]]) -> &mut Self {
        self.begin(arguments.len());
        for argument in arguments {
            self.arg(argument);
        }
        self
    }

    /// Sends what has gathered.
    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    /// Sends what has gathered and reads one reply. Places in replies hold until [`Connection::forget`].
    pub(crate) fn reply(&mut self) -> anyhow::Result<Reply> {
        if !self.out.is_empty() {
            self.flush()?;
        }
        self.parse()
    }

    /// Gives the room of replies that were read back.
    pub(crate) fn forget(&mut self) {
        self.buffer.copy_within(self.read..self.filled, 0);
        self.filled -= self.read;
        self.read = 0;
    }

    pub(crate) fn bytes(&self, place: &std::ops::Range<usize>) -> &[u8] {
        &self.buffer[place.clone()]
    }

    fn parse(&mut self) -> anyhow::Result<Reply> {
        let line = self.line()?;
        let kind = self.buffer[line.start];
        let number = || -> anyhow::Result<i64> {
            Ok(std::str::from_utf8(&self.buffer[line.start + 1..line.end])?.parse()?)
        };
        Ok(match kind {
            b':' => Reply::Int(number()?),
            b'+' => Reply::Bulk(line.start + 1..line.end),
            b'$' => match usize::try_from(number()?) {
                Err(_) => Reply::Nil,
                Ok(length) => {
                    let start = self.read;
                    self.need(start + length + 2)?;
                    self.read = start + length + 2;
                    Reply::Bulk(start..start + length)
                }
            },
            b'*' => {
                let items = number()?;
                Reply::Array((0..items).map(|_| self.parse()).collect::<anyhow::Result<_>>()?)
            }
            _ => bail!("Redis says {}", String::from_utf8_lossy(&self.buffer[line])),
        })
    }

    fn line(&mut self) -> anyhow::Result<std::ops::Range<usize>> {
        let start = self.read;
        let mut at = start;
        loop {
            if let Some(end) = self.buffer[at..self.filled].windows(2).position(|w| w == b"\r\n") {
                self.read = at + end + 2;
                return Ok(start..at + end);
            }
            at = self.filled.saturating_sub(1).max(start);
            self.need(self.filled + 1)?;
        }
    }

    fn need(&mut self, filled: usize) -> anyhow::Result<()> {
        while self.filled < filled {
            if self.buffer.len() < filled.max(self.filled + 65_536) {
                self.buffer.resize(filled.max(self.buffer.len() * 2), 0);
            }
            let n = self.stream.read(&mut self.buffer[self.filled..])?;
            if n == 0 {
                bail!("Redis closed the connection");
            }
            self.filled += n;
        }
        Ok(())
    }
}

impl Reply {
    pub(crate) fn items(self) -> Vec<Reply> {
        match self {
            Reply::Array(items) => items,
            _ => Vec::new(),
        }
    }

    pub(crate) fn int(&self) -> i64 {
        match self {
            Reply::Int(n) => *n,
            _ => -1,
        }
    }
}
