//! Whether the file that a connection has open still lies at its path.
//!
//! A commit into a file that was removed or replaced succeeds, and nobody ever finds what it wrote. So each one is
//! followed by a look at the path before anybody hears that it was kept: two calls of the system, a few microseconds.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use conserver_core::{Applied, Error, ErrorKind, Result};

use crate::base::Place;

/// Device and inode of a file.
pub(crate) type Identity = (u64, u64);

/// The files that a connection has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Presence {
    database: Option<Identity>,
    log: Option<Identity>,
}

impl Place {
    /// What lies at the paths now.
    pub(crate) fn presence(&self) -> Presence {
        Presence { database: self.lies_there(), log: identity(&self.log()) }
    }

    /// The database that lies there now, if there is one.
    pub(crate) fn lies_there(&self) -> Option<Identity> {
        identity(&self.database())
    }

    /// Fails unless what was opened still lies there.
    pub(crate) fn still_has(&self, opened: Presence) -> Result<()> {
        if self.presence() == opened { Ok(()) } else { Err(self.gone()) }
    }

    /// The error of those who have a file open that is no longer there.
    pub(crate) fn gone(&self) -> Error {
        let file = self.database();
        let says = match self.lies_there() {
            Some(_) => format!("`{}` was replaced while it was in use", file.display()),
            None => format!(
                "`{}` was removed while it was in use: put it back, or restart to begin with an empty one",
                file.display()
            ),
        };
        Error::new(ErrorKind::Unavailable, says).applied(Applied::Unknown)
    }

    /// Fails where the file is missing and a running process still uses the one that was there: what went into a new
    /// one would be looked at by nobody.
    pub(crate) fn may_be_made(&self) -> Result<()> {
        if self.lies_there().is_some() {
            return Ok(());
        }
        let file = self.database();
        let Some(user) = user_of_removed(&real(&file)) else { return Ok(()) };
        let says = format!(
            "`{}` was removed while process {user} uses it: put it back, or end that process to begin with an empty one",
            file.display()
        );
        Err(Error::new(ErrorKind::Unavailable, says))
    }
}

fn identity(path: &Path) -> Option<Identity> {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// The process that has this file open although it was removed, as far as the system lets us look.
fn user_of_removed(path: &Path) -> Option<u32> {
    let removed = PathBuf::from(format!("{} (deleted)", path.display()));
    let uses = |process: &fs::DirEntry| {
        let files = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        files.map(|file| fs::read_link(file.path())).any(|link| link.is_ok_and(|link| link == removed))
    };
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes.filter(uses).find_map(|process| process.file_name().to_str()?.parse().ok())
}

/// A path without symbolic links, also where its end is missing.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => real(parent).join(name),
        _ => std::env::current_dir().unwrap_or_default(),
    })
}
