//! The process that runs a filter, from inside.
//!
//! It is this very program, started with [`ARGUMENT`]. Its standard input is a socket: settings come in once, then
//! documents, one after the other, and for each goes out one byte. Before each document it sets its own limits on
//! processor time and memory, so that the kernel ends it wherever it is then; it also ends with its socket. A
//! decision and the kind of a failure leave it, and nothing of the document.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::program::Program;

/// The argument that makes the program such a process.
pub const ARGUMENT: &str = "jq-host";

/// Set in an answer: it was the last one of this process.
const LAST: u8 = 0x80;

/// How deep a filter may recurse, in bytes of stack.
const STACK_BYTES: usize = 64 << 20;

/// A parsed document may take this many times the bytes of its text.
const PARSED: u64 = 8;

/// What a host is told first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) filter: String,
    pub(super) cpu_seconds: u32,
    pub(super) memory: u64,
}

/// What became of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Whether the filter matches.
    Decided(bool),
    /// The filter failed.
    Failed(Fault),
}

/// Why a filter failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Something was taken for text.
    NotText,
    /// Something is of another type than the filter takes it for.
    Type,
    /// The filter raised an error itself, or was stopped by a function.
    Own,
    /// The document cannot be read.
    Document,
}

impl Fault {
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::NotText => "the filter fails on this vCon: it takes something for text that is none",
            Self::Type => {
                "the filter fails on this vCon: it meets a value of a type that it cannot work with; `?` and `//` help \
                 where members may be missing"
            }
            Self::Own => "the filter fails on this vCon, by an error of its own",
            Self::Document => "the filter cannot read this vCon",
        }
    }
}

const ANSWERS: [Answer; 6] = [
    Answer::Decided(false),
    Answer::Decided(true),
    Answer::Failed(Fault::NotText),
    Answer::Failed(Fault::Type),
    Answer::Failed(Fault::Own),
    Answer::Failed(Fault::Document),
];

/// The answer that a byte means, and whether the host ends with it.
pub(super) fn decode(byte: u8) -> Option<(Answer, bool)> {
    ANSWERS.get(usize::from(byte & !LAST)).map(|answer| (*answer, byte & LAST != 0))
}

fn encode(answer: Answer, is_last: bool) -> u8 {
    let at = ANSWERS.iter().position(|known| *known == answer).expect("every answer is in the list");
    at as u8 | if is_last { LAST } else { 0 }
}

/// Serves the socket at standard input until it closes.
pub fn serve() -> ExitCode {
    // No dump of what was in a document.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let served = setrlimit(Resource::Core, none).map_err(io::Error::from).and_then(|()| {
        let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        let work = thread::Builder::new().name("jq".to_owned()).stack_size(STACK_BYTES);
        work.spawn(move || talk(socket))?.join().unwrap_or_else(|_| Err(io::Error::other("it panicked")))
    });
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn talk(mut socket: UnixStream) -> io::Result<()> {
    let Some(length) = next_length(&mut socket)? else { return Ok(()) };
    let settings: Settings = serde_json::from_slice(&receive(&mut socket, length)?)?;
    let program = Program::compile(&settings.filter).map_err(io::Error::other)?;
    let base = data_bytes()?;
    while let Some(length) = next_length(&mut socket)? {
        // Before the document comes in: the limit may still be that of a smaller one.
        limit(&settings, base, length)?;
        let document = receive(&mut socket, length)?;
        let answer = program.run(&document);
        // What was taken is not always given back: this process has to begin anew before that counts against others.
        drop(document);
        let is_last = data_bytes()?.saturating_sub(base) > settings.memory / 2;
        socket.write_all(&[encode(answer, is_last)])?;
        if is_last {
            break;
        }
    }
    Ok(())
}

/// The length of what comes next; `None` at the end.
fn next_length(socket: &mut UnixStream) -> io::Result<Option<u64>> {
    let mut length = [0; 8];
    match socket.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => read.map(|()| Some(u64::from_be_bytes(length))),
    }
}

fn receive(socket: &mut UnixStream, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    socket.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn limit(settings: &Settings, base: u64, document: u64) -> io::Result<()> {
    let memory = base.saturating_add(settings.memory).saturating_add(document.saturating_mul(PARSED));
    set_soft(Resource::Data, memory)?;
    // Whole seconds: what began is not counted.
    let used = clock_gettime(ClockId::ProcessCPUTime).tv_sec.unsigned_abs() + 1;
    set_soft(Resource::Cpu, used + u64::from(settings.cpu_seconds))
}

fn set_soft(resource: Resource, soft: u64) -> io::Result<()> {
    let maximum = getrlimit(resource).maximum;
    let soft = maximum.map_or(soft, |maximum| soft.min(maximum));
    setrlimit(resource, Rlimit { current: Some(soft), maximum }).map_err(Into::into)
}

/// What [`Resource::Data`] bounds: writable memory of this process's own, in bytes.
fn data_bytes() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/statm")?;
    let pages = status.split(' ').nth(5).and_then(|pages| pages.trim().parse::<u64>().ok());
    let pages = pages.ok_or_else(|| io::Error::other("no figure of memory"))?;
    Ok(pages * rustix::param::page_size() as u64)
}
