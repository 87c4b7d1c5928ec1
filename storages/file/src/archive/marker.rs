//! Where a vCon lies whose id does not suggest it.
//!
//! A save has to find the older file of an id, and may not ask every day folder for it. Where the id suggests the folder
//! (see [`likely_days`](crate::name::likely_days)), a look there will do. For every other vCon a symbolic link in the
//! folder `.where`, which leads nowhere and costs no block on the disk, says the day in its text.
//!
//! Markers are not synced: a vCon whose marker was lost in a power failure is found by asking every day folder.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use crate::name::FileName;

/// The markers of one archive.
#[derive(Debug)]
pub(super) struct Markers {
    folder: PathBuf,
    dir_permissions: u32,
}

impl Markers {
    pub(super) fn new(base: &Path, dir_permissions: u32) -> Self {
        Self { folder: base.join(".where"), dir_permissions }
    }

    /// The day that is noted for a name.
    pub(super) fn read(&self, name: &FileName) -> io::Result<Option<Date>> {
        match fs::read_link(self.place(name)) {
            Ok(text) => Ok(text.to_str().and_then(|text| text.parse().ok())),
            // No marker, or something else in its place, says nothing.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Notes a day, in place of what was noted. Only under the lock of the archive.
    pub(super) fn write(&self, name: &FileName, day: Date) -> io::Result<()> {
        let new = self.folder.join(format!(".new-{}", std::process::id()));
        let make = || symlink(day.to_string(), &new);
        match make() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir(&self.folder)?;
                fs::set_permissions(&self.folder, Permissions::from_mode(self.dir_permissions))?;
                make()?;
            }
            // Left over by a process of the same number that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&new)?;
                make()?;
            }
            other => other?,
        }
        fs::rename(&new, self.place(name))
    }

    /// Removes what is noted, if anything is.
    pub(super) fn remove(&self, name: &FileName) -> io::Result<()> {
        match fs::remove_file(self.place(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn place(&self, name: &FileName) -> PathBuf {
        self.folder.join(name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use conserver_core::vcon::VconId;
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_last_day_noted_is_read_until_it_is_removed() {
        let base = tempfile::tempdir().unwrap();
        let markers = Markers::new(base.path(), 0o755);
        let [one, other] = ["one", "../other"].map(|id| FileName::of(&VconId::new(id)).unwrap());
        assert_eq!(markers.read(&one).unwrap(), None);
        markers.remove(&one).unwrap();
        for day in [date(2026, 1, 5), date(1999, 12, 31)] {
            markers.write(&one, day).unwrap();
            assert_eq!(markers.read(&one).unwrap(), Some(day));
        }
        assert_eq!(markers.read(&other).unwrap(), None);
        markers.remove(&one).unwrap();
        assert_eq!(markers.read(&one).unwrap(), None);
    }

    #[test]
    fn what_is_no_marker_says_nothing() {
        let base = tempfile::tempdir().unwrap();
        let markers = Markers::new(base.path(), 0o755);
        let name = FileName::of(&VconId::new("one")).unwrap();
        fs::create_dir(base.path().join(".where")).unwrap();
        symlink("/etc", markers.place(&name)).unwrap();
        assert_eq!(markers.read(&name).unwrap(), None);
        fs::remove_file(markers.place(&name)).unwrap();
        fs::write(markers.place(&name), "2026-01-05").unwrap();
        assert_eq!(markers.read(&name).unwrap(), None);
    }
}
