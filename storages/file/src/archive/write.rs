//! Saving: every vCon of a batch is written beside its place and synced, then all are renamed, then the folders are
//! synced, and only then are older files of the same ids removed. At no moment is an id without a whole file.

use std::collections::{HashMap, HashSet};
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use conserver_core::vcon::{Vcon, VconId, View};
use conserver_core::{Applied, Error, Result};
use flate2::{Compression, GzBuilder};
use jiff::civil::Date;
use tempfile::NamedTempFile;

use super::{Archive, files_in, sync_folder};
use crate::days;
use crate::error::{classify, too_large};
use crate::name::{FileName, likely_days};

/// A vCon that is written and synced beside its place.
struct Staged {
    index: usize,
    id: VconId,
    name: FileName,
    /// The day whose folder it goes to; `None`: the archive's own.
    day: Option<Date>,
    file: NamedTempFile,
    folder: PathBuf,
    place: PathBuf,
}

/// A vCon that is in its place, with the older files of its id.
struct Placed {
    index: usize,
    folder: PathBuf,
    older: Vec<PathBuf>,
}

impl Archive {
    /// Saves a batch: one result for each vCon.
    pub(crate) fn save(&self, vcons: &[Vcon]) -> Vec<Result<()>> {
        let mut results: Vec<Result<()>> = vcons.iter().map(|_| Ok(())).collect();
        for round in rounds(vcons) {
            if let Err(error) = self.save_distinct(vcons, &round, &mut results) {
                // It concerns the archive, not one of its vCons.
                for index in round {
                    let same = classify("save a vCon", &self.options.path, io::Error::other(error.chain()));
                    results[index] = Err(same.applied(error.get_applied()));
                }
            }
        }
        results
    }

    /// Saves vCons of different ids.
    fn save_distinct(&self, vcons: &[Vcon], round: &[usize], results: &mut [Result<()>]) -> Result<()> {
        self.make_folder(&self.options.path)?;
        let mut staged = Vec::with_capacity(round.len());
        for &index in round {
            match self.stage(index, &vcons[index]) {
                Ok(file) => staged.push(file),
                Err(error) => results[index] = Err(error),
            }
        }
        // All are written before the first is synced, so that the disk has them together.
        staged.retain(|staged| {
            let synced = staged.file.as_file().sync_all();
            results[staged.index] = synced.map_err(|error| classify("write a vCon", &staged.place, error));
            results[staged.index].is_ok()
        });
        if staged.is_empty() {
            return Ok(());
        }

        let lock = self.lock()?;
        let mut placed = Vec::with_capacity(staged.len());
        for staged in staged {
            let index = staged.index;
            match self.place(staged) {
                Ok(file) => placed.push(file),
                Err(error) => results[index] = Err(error),
            }
        }
        // Only a writer that is going to remove something has to keep the others out until it has.
        let lock = placed.iter().any(|placed| !placed.older.is_empty()).then_some(lock);
        let failed = sync_each(placed.iter().map(|placed| placed.folder.as_path()));
        for placed in &placed {
            results[placed.index] = match failed.get(placed.folder.as_path()) {
                // The older file stays: after a crash it may be the only one.
                Some(kind) => {
                    Err(classify("sync a vCon", &placed.folder, (*kind).into()).applied(Applied::Unknown))
                }
                None => self.remove(&placed.older).map_err(|error| error.applied(Applied::Unknown)),
            };
        }
        drop(lock);
        Ok(())
    }

    /// Writes a vCon beside its place.
    fn stage(&self, index: usize, vcon: &Vcon) -> Result<Staged> {
        let name = FileName::of(vcon.id())?;
        let json = vcon.render(View::Read);
        let (size, limit) = (json.len() as u64, self.options.max_file_size);
        if size > limit {
            return Err(too_large(size, limit));
        }
        let created = vcon.text("created_at").filter(|_| self.options.organize_by_date);
        let day = created.and_then(|created| days::day_of(&created));
        let folder =
            day.map_or_else(|| self.options.path.clone(), |day| days::folder(&self.options.path, day));
        let place = folder.join(name.file(self.options.compression));
        let file = self.create_beside(&folder)?;
        self.write(&file, &json).map_err(|error| classify("write a vCon", &place, error))?;
        Ok(Staged { index, id: vcon.id().clone(), name, day, file, folder, place })
    }

    /// Creates a file in this folder, which is made if need be.
    fn create_beside(&self, folder: &Path) -> Result<NamedTempFile> {
        let create = || tempfile::Builder::new().prefix(".").suffix(".tmp").tempfile_in(folder);
        let mut created = create();
        // A delete elsewhere may remove the folder as empty, right after it was made.
        for _ in 0..3 {
            match &created {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.make_folder(folder)?;
                    created = create();
                }
                _ => break,
            }
        }
        created.map_err(|error| classify("write a vCon", folder, error))
    }

    fn write(&self, file: &NamedTempFile, json: &[u8]) -> io::Result<()> {
        let mut file = file.as_file();
        file.set_permissions(Permissions::from_mode(self.options.file_permissions))?;
        if self.options.compression {
            let mut packed = GzBuilder::new().write(file, Compression::default());
            packed.write_all(json)?;
            packed.finish().map(drop)
        } else {
            file.write_all(json)
        }
    }

    /// Puts a vCon into its place, looks for older files of its id, and notes the place if the id does not suggest it.
    fn place(&self, staged: Staged) -> Result<Placed> {
        let Staged { index, id, name, day, file, folder, place } = staged;
        let unknown = |error: Error| error.applied(Applied::Unknown);
        let before = self.likely_folders(&id, &name)?;
        file.persist(&place).map_err(|error| classify("write a vCon", &place, error.error))?;
        let mut older = files_in(before.into_iter().chain([folder.clone()]), &name).map_err(unknown)?;
        older.retain(|path| *path != place);
        let noted = match day.filter(|day| !likely_days(&id).contains(day)) {
            Some(day) => self.markers.write(&name, day),
            None => self.markers.remove(&name),
        };
        noted.map_err(|error| unknown(classify("write a marker", &self.options.path, error)))?;
        Ok(Placed { index, folder, older })
    }

    /// Makes a folder and those above it, with the permissions of the options, durably. Folders that are there are
    /// left alone.
    pub(super) fn make_folder(&self, folder: &Path) -> Result<()> {
        self.try_make_folder(folder).map_err(|error| classify("make a folder", folder, error))?;
        self.was_there.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn try_make_folder(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.exists()).collect();
        for folder in missing.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
            match fs::create_dir(folder) {
                Ok(()) => fs::set_permissions(folder, Permissions::from_mode(self.options.dir_permissions))?,
                // Somebody else has just made it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            sync_folder(
                folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")),
            )?;
        }
        if folder.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }
}

/// The batch in rounds within which no id occurs twice: a later vCon of an id comes in a later round.
fn rounds(vcons: &[Vcon]) -> Vec<Vec<usize>> {
    let mut seen = HashMap::new();
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for (index, vcon) in vcons.iter().enumerate() {
        let round = seen.entry(vcon.id()).and_modify(|round| *round += 1).or_insert(0_usize);
        if *round == rounds.len() {
            rounds.push(Vec::new());
        }
        rounds[*round].push(index);
    }
    rounds
}

/// Syncs each folder once; says which failed.
fn sync_each<'a>(folders: impl Iterator<Item = &'a Path>) -> HashMap<&'a Path, io::ErrorKind> {
    let folders: HashSet<&Path> = folders.collect();
    folders.into_iter().filter_map(|folder| Some((folder, sync_folder(folder).err()?.kind()))).collect()
}
