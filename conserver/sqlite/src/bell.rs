//! Wakes idle workers of all processes: a file that is written to after ids came, and watched by those who wait.
//!
//! Only a hint: without it, the poll finds what came. Watching the database instead would ring before the commit can
//! be seen.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::net::unix::pipe::Receiver;

/// One end of the bell, for those who ring.
#[derive(Clone)]
pub(crate) struct Bell {
    path: PathBuf,
    file: Arc<OnceLock<Option<File>>>,
}

impl Bell {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, file: Arc::default() }
    }

    /// Rings. The folder is there: something was committed in it.
    pub(crate) fn ring(&self) {
        let file = self.file.get_or_init(|| open(&self.path));
        if let Some(file) = file {
            // Nothing depends on it.
            let _ = rustix::io::pwrite(file, b"!", 0);
        }
    }

    /// Listens from now on; must be called inside the runtime. `None` where the system has no more watches to give.
    pub(crate) fn listen(&self) -> Option<Ear> {
        open(&self.path)?;
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        inotify::add_watch(&fd, &self.path, WatchFlags::MODIFY).ok()?;
        // It is read like a pipe: small records, no end.
        Receiver::from_file_unchecked(File::from(fd)).ok().map(Ear)
    }
}

/// One that hears it. What rang since the last time is heard at once.
pub(crate) struct Ear(Receiver);

impl Ear {
    /// Waits until it rings.
    pub(crate) async fn hear(&self) {
        if self.0.readable().await.is_err() {
            return std::future::pending().await;
        }
        let mut events = [0_u8; 4096];
        while self.0.try_read(&mut events).is_ok_and(|read| read > 0) {}
    }
}

fn open(path: &PathBuf) -> Option<File> {
    File::options().create(true).truncate(false).write(true).open(path).ok()
}
