//! The configuration file: shown, checked, replaced.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conserver_core::config::env::Vars;
use conserver_core::config::{self, Loaded};
use conserver_core::registry::Registry;

/// Where the configuration lies, and what it is checked with.
#[derive(Clone)]
pub struct ConfigFile {
    /// The file.
    pub path: PathBuf,
    /// Its text, where it came from a pipe and cannot be read again.
    pub given: Option<Arc<str>>,
    /// Where variables come from.
    pub vars: Arc<dyn Vars + Send + Sync>,
    /// The kinds of links and storages of this build.
    pub registry: Arc<Registry>,
}

impl ConfigFile {
    /// Reads and checks it.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn load(&self) -> std::io::Result<Loaded> {
        Ok(self.check(&self.read()?))
    }

    /// The same, with every link and storage built for a try: what the daemon asks of a file before it works with it.
    ///
    /// # Errors
    /// As [`ConfigFile::load`].
    pub fn load_whole(&self) -> std::io::Result<Loaded> {
        Ok(self.check_whole(&self.read()?))
    }

    pub(crate) fn read(&self) -> std::io::Result<String> {
        match &self.given {
            Some(text) => Ok(text.to_string()),
            None => std::fs::read_to_string(&self.path),
        }
    }

    /// Checks a text as if it stood in the file.
    pub(crate) fn check(&self, text: &str) -> Loaded {
        config::load(text, &self.path.display().to_string(), &*self.vars, &self.registry)
    }

    /// The same, with every link and storage built for a try.
    pub(crate) fn check_whole(&self, text: &str) -> Loaded {
        self.check(text).try_build(&self.path.display().to_string(), &self.registry)
    }

    /// Keeps the old text beside the file, and puts the new one in its place: in one step where the file can be replaced.
    pub(crate) fn replace(&self, text: &str) -> std::io::Result<()> {
        if self.given.is_some() {
            return Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "it was read from a pipe"));
        }
        // A link stays a link: what it points to is replaced.
        let path = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let folder = path.parent().unwrap_or(Path::new("."));
        if path.exists() {
            std::fs::copy(&path, beside(&path, "bak"))?;
        }
        let new = beside(&path, "new");
        let written = put(&new, text, &path).and_then(|()| std::fs::rename(&new, &path));
        match written {
            Ok(()) => std::fs::File::open(folder)?.sync_all(),
            // A file that is mounted by itself cannot be replaced.
            Err(error) if matches!(error.kind(), ErrorKind::ResourceBusy | ErrorKind::CrossesDevices) => {
                let _ = std::fs::remove_file(&new);
                overwrite(&path, text)
            }
            Err(error) => {
                let _ = std::fs::remove_file(&new);
                Err(error)
            }
        }
    }
}

/// Writes a new file with the permissions of an old one.
fn put(new: &Path, text: &str, old: &Path) -> std::io::Result<()> {
    let mut file = std::fs::File::create(new)?;
    file.write_all(text.as_bytes())?;
    if let Ok(old) = std::fs::metadata(old) {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()
}

/// Writes over a file in its place.
fn overwrite(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).truncate(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    path.with_file_name(name)
}
