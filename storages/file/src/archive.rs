//! The folder and the files in it. Everything here blocks.
//!
//! Reading takes no lock: a file is whole at every moment. Writing takes one short lock on the folder, across
//! processes, so that of two writers of one id that put it under different days one does not remove the other's file
//! as the old one.

mod marker;
mod write;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use conserver_core::Result;
use conserver_core::vcon::{Limits, Vcon, VconId};
use flate2::read::GzDecoder;
use jiff::civil::Date;

use self::marker::Markers;
use crate::days::{self, Days};
use crate::error::{classify, gone, unreadable};
use crate::name::{FileName, likely_days};
use crate::options::FileOptions;

/// A folder of vCons.
#[derive(Debug)]
pub(crate) struct Archive {
    options: FileOptions,
    days: Days,
    markers: Markers,
    /// Whether this process has seen the folder: before that its absence means an empty archive, afterwards an outage.
    was_there: AtomicBool,
}

impl Archive {
    pub(crate) fn new(options: FileOptions) -> Self {
        let markers = Markers::new(&options.path, options.dir_permissions);
        Self { options, days: Days::default(), markers, was_there: AtomicBool::new(false) }
    }

    /// Reads a vCon back.
    pub(crate) fn get(&self, id: &VconId) -> Result<Option<Vcon>> {
        // What cannot have a file has none.
        let Ok(name) = FileName::of(id) else { return Ok(None) };
        let asked = self.days.known();
        let likely = self.likely_folders(id, &name)?;
        let others = asked.iter().rev().map(|day| days::folder(&self.options.path, *day));
        if let Some(vcon) = self.look(id, &name, likely.into_iter().chain(others))? {
            return Ok(Some(vcon));
        }
        // Another process may have made a folder, or moved the file while we looked.
        let known = self.refresh_days()?;
        let likely = self.likely_folders(id, &name)?;
        let others = known.difference(&asked).map(|day| days::folder(&self.options.path, *day));
        let found = self.look(id, &name, likely.into_iter().chain(others))?;
        if found.is_none() {
            self.is_there()?;
        }
        Ok(found)
    }

    /// Removes every file of an id and the day folders that this leaves empty.
    pub(crate) fn delete(&self, id: &VconId) -> Result<bool> {
        let Ok(name) = FileName::of(id) else { return Ok(false) };
        if !self.is_there()? {
            return Ok(false);
        }
        let _lock = self.lock()?;
        let base = &self.options.path;
        let known = self.refresh_days()?;
        let folders = known.iter().map(|day| days::folder(base, *day)).chain([base.clone()]);
        let files = files_in(folders, &name)?;
        self.remove(&files)?;
        self.markers.remove(&name).map_err(|error| classify("remove a marker", base, error))?;
        files.iter().filter_map(|file| file.parent()).for_each(|folder| self.remove_empty(folder));
        Ok(!files.is_empty())
    }

    /// Makes the folder, writes a file and removes it.
    pub(crate) fn check(&self) -> Result<()> {
        let base = &self.options.path;
        self.make_folder(base)?;
        let written =
            tempfile::Builder::new().prefix(".check-").tempfile_in(base).and_then(|file| file.close());
        written.map_err(|error| classify("write a file", base, error))
    }

    /// The folders where a save of ours put the vCon: one that its id suggests, or the one that its marker names.
    fn likely_folders(&self, id: &VconId, name: &FileName) -> Result<Vec<PathBuf>> {
        let base = &self.options.path;
        let marked = self.markers.read(name).map_err(|error| classify("look for a marker", base, error))?;
        let days = likely_days(id).into_iter().chain(marked);
        Ok(days.map(|day| days::folder(base, day)).chain([base.clone()]).collect())
    }

    /// Looks for a vCon in these folders, in this order.
    fn look(
        &self,
        id: &VconId,
        name: &FileName,
        folders: impl Iterator<Item = PathBuf>,
    ) -> Result<Option<Vcon>> {
        for folder in folders {
            // As the Python server prefers them, should there be both.
            for compressed in [self.options.compression, !self.options.compression] {
                let path = folder.join(name.file(compressed));
                if let Some(json) = read(&path, compressed)? {
                    self.was_there.store(true, Ordering::Relaxed);
                    return parse(id, json, &path).map(Some);
                }
            }
        }
        Ok(None)
    }

    /// Removes files and makes that durable.
    fn remove(&self, files: &[PathBuf]) -> Result<()> {
        for file in files {
            match fs::remove_file(file) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(classify("remove a vCon", file, error)),
            }
        }
        for folder in files.iter().filter_map(|file| file.parent()) {
            sync_folder(folder).map_err(|error| classify("remove a vCon", folder, error))?;
        }
        Ok(())
    }

    /// Removes a folder and those above it, up to the archive's own, as long as they are empty.
    fn remove_empty(&self, folder: &Path) {
        let below = folder.ancestors().take_while(|folder| *folder != self.options.path);
        // The first that is not empty, or that somebody has just begun to fill, ends it.
        let _ = below.map(fs::remove_dir).find(io::Result::is_err);
    }

    /// Whether the archive's folder is there; an error if it was and is not any more.
    fn is_there(&self) -> Result<bool> {
        let base = &self.options.path;
        match fs::metadata(base) {
            Ok(found) if found.is_dir() => {
                self.was_there.store(true, Ordering::Relaxed);
                Ok(true)
            }
            Ok(_) => Err(classify("look for a vCon", base, io::ErrorKind::NotADirectory.into())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(classify("look for a vCon", base, error))
            }
            Err(_) if self.was_there.load(Ordering::Relaxed) => Err(gone(base)),
            Err(_) => Ok(false),
        }
    }

    fn refresh_days(&self) -> Result<Arc<BTreeSet<Date>>> {
        let base = &self.options.path;
        self.days.refresh(base).map_err(|error| classify("look for day folders", base, error))
    }

    /// Takes the lock that writers share, across processes; it ends with the file.
    fn lock(&self) -> Result<File> {
        let path = self.options.path.join(".lock");
        let file = File::options().create(true).append(true).open(&path);
        let locked = file.and_then(|file| match file.lock() {
            // A file system without locks: better one stale file some day than no file at all.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
            Err(error) => Err(error),
            Ok(()) => Ok(file),
        });
        locked.map_err(|error| classify("take the lock", &self.options.path, error))
    }
}

/// Every file of this name in these folders.
fn files_in(folders: impl Iterator<Item = PathBuf>, name: &FileName) -> Result<Vec<PathBuf>> {
    let names = [name.file(false), name.file(true)];
    let mut found = Vec::new();
    for path in folders.flat_map(|folder| names.each_ref().map(|name| folder.join(name))) {
        match fs::symlink_metadata(&path) {
            Ok(_) => found.push(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(classify("look for a vCon", &path, error)),
        }
    }
    Ok(found)
}

/// Reads a file; `None` if there is none.
fn read(path: &Path, compressed: bool) -> Result<Option<Bytes>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(classify("read a vCon", path, error)),
    };
    let mut json = Vec::new();
    if compressed {
        // One byte more than is accepted: a small file may unpack to any size.
        let limit = Limits::default().max_bytes as u64 + 1;
        let unpacked = GzDecoder::new(file).take(limit).read_to_end(&mut json);
        unpacked.map_err(|error| unreadable(path, error))?;
    } else {
        { file }.read_to_end(&mut json).map_err(|error| classify("read a vCon", path, error))?;
    }
    Ok(Some(json.into()))
}

fn parse(id: &VconId, json: Bytes, path: &Path) -> Result<Vcon> {
    Vcon::parse(id.clone(), json, &Limits::default()).map_err(|error| unreadable(path, error))
}

/// Makes the entries of a folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
