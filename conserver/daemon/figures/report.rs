//! How a child tells its figures and what happened: JSON lines on what was its standard output.
//!
//! A thread of its own writes them. A supervisor that does not read holds up this thread and nothing else. Standard
//! output itself becomes standard error, so that a link that prints cannot disturb the lines.

use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use conserver_core::event::live;

use super::{EVERY, Told, Turns};

/// Asks the thread to tell at once, and to say when it has.
static ASK: OnceLock<Sender<Sender<()>>> = OnceLock::new();

/// A supervisor that does not read keeps nobody from ending for longer than this.
const PATIENCE: Duration = Duration::from_millis(500);

/// Takes over standard output, and tells the supervisor from now on. To be called before anybody prints.
pub(crate) fn report() -> std::io::Result<()> {
    let pipe = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    let (ask, asked) = channel();
    if ASK.set(ask).is_ok() {
        live::keep();
        std::thread::Builder::new()
            .name("figures".to_owned())
            .spawn(move || tell(File::from(pipe), &asked))?;
    }
    Ok(())
}

/// Tells once more, before this process ends. Does nothing in a process that has nobody to tell.
pub(crate) fn flush() {
    let (done, told) = channel();
    if ASK.get().is_some_and(|ask| ask.send(done).is_ok()) {
        let _ = told.recv_timeout(PATIENCE);
    }
}

fn tell(mut pipe: File, asked: &Receiver<Sender<()>>) {
    let mut turns = Turns::default();
    let mut lines = Vec::new();
    loop {
        let asked = match asked.recv_timeout(EVERY) {
            Ok(done) => Some(done),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        lines.clear();
        for told in Told::of_this_process(turns.end_second() || asked.is_some()) {
            if serde_json::to_writer(&mut lines, &told).is_err() {
                return;
            }
            lines.push(b'\n');
        }
        // Without a supervisor there is nobody to tell.
        if pipe.write_all(&lines).is_err() {
            return;
        }
        if let Some(done) = asked {
            let _ = done.send(());
        }
    }
}
