//! How the lines of the log leave a process: over a bounded queue, by a thread of its own.
//!
//! Whoever logs never waits and never fails. A reader that does not read fills the queue; one that is gone, or a full
//! disk, refuses the line. What is lost that way is counted, and told as soon as a line can be written again.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use conserver_core::clock::Seldom;
use conserver_core::event::LogLineLost;

/// Bytes that may wait to be written.
const WAITING: usize = 4 << 20;
/// A log that cannot be written keeps no process from ending for longer than this.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long until a pipe that is full, and does not let us wait for it, is tried again.
const PAUSE: Duration = Duration::from_millis(20);
/// Losses are told no more often.
const TELL: Duration = Duration::from_secs(1);

/// The log of this process.
static LOG: OnceLock<Log> = OnceLock::new();

/// The way to the thread that writes.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    jobs: Sender<Job>,
    state: Arc<State>,
}

#[derive(Debug)]
enum Job {
    Line(Vec<u8>),
    /// Says when everything before it is written.
    Flush(Sender<()>),
}

#[derive(Debug, Default)]
struct State {
    waiting: AtomicUsize,
    lost: AtomicU64,
}

impl Log {
    /// The log on standard error, which is one for the whole process.
    pub(crate) fn of_this_process() -> Self {
        let start = || match rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 3) {
            Ok(stderr) => Self::start(File::from(stderr)),
            // No descriptor is left: nothing is written, and all of it counted.
            Err(_) => Self { jobs: channel().0, state: Arc::default() },
        };
        LOG.get_or_init(start).clone()
    }

    fn start(out: impl Write + Send + 'static) -> Self {
        let (jobs, queue) = channel();
        let state = Arc::<State>::default();
        let mut writer =
            Writer { out, state: state.clone(), torn: false, told: 0, seldom: Seldom::every(TELL) };
        // Without the thread every line is lost, which is counted.
        let _ = std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.serve(&queue));
        Self { jobs, state }
    }

    /// Waits until what was logged so far is written, for a short time at most.
    fn finish(&self) {
        let (done, written) = channel();
        if self.jobs.send(Job::Flush(done)).is_ok() {
            let _ = written.recv_timeout(PATIENCE);
        }
    }
}

/// Writes what is left, before this process ends; not for long.
pub(crate) fn flush() {
    if let Some(log) = LOG.get() {
        log.finish();
    }
}

impl Write for Log {
    /// One call is one line.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let size = line.len();
        let fits = self.state.waiting.fetch_add(size, Relaxed) + size <= WAITING;
        if !fits || self.jobs.send(Job::Line(line.to_vec())).is_err() {
            self.state.waiting.fetch_sub(size, Relaxed);
            self.state.lose();
        }
        Ok(size)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl State {
    fn lose(&self) {
        self.lost.fetch_add(1, Relaxed);
        LogLineLost.emit();
    }
}

/// What the thread holds.
struct Writer<W> {
    out: W,
    state: Arc<State>,
    /// The last line ended in the middle.
    torn: bool,
    /// So many lost lines were told.
    told: u64,
    seldom: Seldom,
}

impl<W: Write> Writer<W> {
    fn serve(&mut self, queue: &Receiver<Job>) {
        for job in queue {
            match job {
                Job::Line(line) => {
                    let written = self.write(&line);
                    self.state.waiting.fetch_sub(line.len(), Relaxed);
                    if written { self.tell() } else { self.state.lose() }
                }
                // Whoever asked may have lost patience.
                Job::Flush(done) => drop(done.send(())),
            }
        }
    }

    /// Whether the whole line was written.
    fn write(&mut self, line: &[u8]) -> bool {
        if self.torn && !self.put(b"\n") {
            return false;
        }
        self.torn = false;
        self.put(line)
    }

    fn put(&mut self, mut rest: &[u8]) -> bool {
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(count) if count > 0 => {
                    rest = &rest[count..];
                    self.torn = !rest.is_empty();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Somebody made the pipe one that does not wait.
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(PAUSE),
                Ok(_) | Err(_) => return false,
            }
        }
        true
    }

    /// Tells what was lost. That line takes the way of all others.
    fn tell(&mut self) {
        let lost = self.state.lost.load(Relaxed);
        if lost > self.told && self.seldom.is_time() {
            tracing::warn!(
                lines = lost - self.told,
                "the log is written again; lines before this one are lost"
            );
            self.told = lost;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, Result};
    use std::sync::Mutex;

    use super::*;

    /// A disk with room for so much, or a reader that is gone.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(usize, Vec<u8>)>>);

    impl Disk {
        fn with_room_for(bytes: usize) -> Self {
            let disk = Self::default();
            disk.make_room(bytes);
            disk
        }

        fn make_room(&self, bytes: usize) {
            self.0.lock().unwrap().0 += bytes;
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().1.clone()).unwrap()
        }
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            let mut disk = self.0.lock().unwrap();
            let fits = bytes.len().min(disk.0);
            disk.0 -= fits;
            disk.1.extend(&bytes[..fits]);
            if fits > 0 { Ok(fits) } else { Err(Error::from(ErrorKind::StorageFull)) }
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_costs_lines_and_nobody_an_error() {
        let disk = Disk::with_room_for(8);
        let mut log = Log::start(disk.clone());
        for line in ["one\n", "two and more\n", "three\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        log.finish();
        assert_eq!(log.state.lost.load(Relaxed), 2);
        disk.make_room(100);
        log.write_all(b"four\n").unwrap();
        log.finish();
        assert_eq!(disk.text(), "one\ntwo \nfour\n", "a torn line does not spoil the next");
        assert_eq!(log.state.waiting.load(Relaxed), 0);
    }

    #[test]
    fn what_was_lost_is_told_when_there_is_room_again() {
        let told = Disk::with_room_for(usize::MAX);
        let subscriber = {
            let told = told.clone();
            tracing_subscriber::fmt()
                .without_time()
                .with_ansi(false)
                .with_writer(move || told.clone())
                .finish()
        };
        let disk = Disk::default();
        let (jobs, queue) = channel();
        let state = Arc::<State>::default();
        let (out, seldom) = (disk.clone(), Seldom::every(TELL));
        let mut writer = Writer { out, state, torn: false, told: 0, seldom };
        jobs.send(Job::Line(b"one\n".to_vec())).unwrap();
        jobs.send(Job::Line(b"two\n".to_vec())).unwrap();
        drop(jobs);
        tracing::subscriber::with_default(subscriber, || {
            writer.serve(&queue);
            assert_eq!(told.text(), "");
            disk.make_room(100);
            assert!(writer.write(b"three\n"));
            writer.tell();
        });
        assert!(told.text().contains("lines=2"), "{}", told.text());
    }

    #[test]
    fn a_reader_that_does_not_read_holds_up_nobody() {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut log = Log::start(writer);
        let line = [b'x'; 1 << 16];
        for _ in 0..100 {
            log.write_all(&line).unwrap();
        }
        assert!(log.state.lost.load(Relaxed) > 20);
        drop(reader);
        log.finish();
        assert_eq!(log.state.waiting.load(Relaxed), 0, "and one that is gone refuses the rest");
    }

    #[test]
    fn a_full_pipe_that_does_not_wait_is_tried_again() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let mut log = Log::start(writer);
        let line = [b'x'; 1 << 16];
        for _ in 0..4 {
            log.write_all(&line).unwrap();
        }
        let mut read = vec![0; 4 << 16];
        std::io::Read::read_exact(&mut reader, &mut read).unwrap();
        assert_eq!(log.state.lost.load(Relaxed), 0);
    }
}
