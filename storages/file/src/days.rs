//! Which day folders there are.
//!
//! For a vCon that is not where its id or its marker says, as one that the Python server wrote may be, each day folder
//! is asked for one name, the newest first. The list is kept in memory and
//! read again when something was not found: it takes a look at the folders of years and months, which hold nothing
//! but folders, and never at a folder with files in it. The folder of the archive itself is not listed either, for it
//! may hold millions of files: years are asked for one by one.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;

/// The years that have folders; a vCon of another year lies flat.
const YEARS: RangeInclusive<i16> = 1900..=2199;

/// The day folders of one archive, as far as known.
#[derive(Debug, Default)]
pub(crate) struct Days {
    known: Mutex<Arc<BTreeSet<Date>>>,
}

impl Days {
    /// The known days.
    pub(crate) fn known(&self) -> Arc<BTreeSet<Date>> {
        Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks which folders there are now.
    pub(crate) fn refresh(&self, base: &Path) -> io::Result<Arc<BTreeSet<Date>>> {
        let mut days = BTreeSet::new();
        for year in YEARS {
            let folder = base.join(format!("{year:04}"));
            for (month, folder) in numbered_folders(&folder)? {
                for (day, _) in numbered_folders(&folder)? {
                    days.extend(Date::new(year, month, day).ok());
                }
            }
        }
        let days = Arc::new(days);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&days);
        Ok(days)
    }
}

/// The day that a vCon's folder is named after: the date in `created_at` as it stands there, whatever its offset.
pub(crate) fn day_of(created_at: &str) -> Option<Date> {
    let (date, rest) = created_at.split_at_checked(10)?;
    let date: Date = date.parse().ok()?;
    (rest.starts_with(['T', 't', ' ']) || rest.is_empty())
        .then_some(date)
        .filter(|date| YEARS.contains(&date.year()))
}

/// The folder of a day.
pub(crate) fn folder(base: &Path, day: Date) -> PathBuf {
    base.join(format!("{:04}/{:02}/{:02}", day.year(), day.month(), day.day()))
}

/// The folders in here whose names are two digits.
fn numbered_folders(folder: &Path) -> io::Result<Vec<(i8, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry?;
        let number =
            entry.file_name().to_str().filter(|name| name.len() == 2).and_then(|name| name.parse().ok());
        folders.extend(number.map(|number| (number, entry.path())));
    }
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_day_is_the_one_that_is_written() {
        for text in ["2026-01-05T23:30:00-11:00", "2026-01-05T00:10:00Z", "2026-01-05 12:00:00", "2026-01-05"]
        {
            assert_eq!(day_of(text), Some(date(2026, 1, 5)), "{text}");
        }
        for text in
            ["", "yesterday", "2026-13-05T00:00:00Z", "2026-01-05x", "0001-01-01T00:00:00Z", "äääääääääää"]
        {
            assert_eq!(day_of(text), None, "{text}");
        }
    }

    #[test]
    fn only_folders_of_days_are_found() {
        let base = tempfile::tempdir().unwrap();
        for path in ["2026/01/05", "2025/12/31", "2026/01/xx", "2026/02/30", "notes/01/01", "2026/1/5"] {
            fs::create_dir_all(base.path().join(path)).unwrap();
        }
        let days = Days::default();
        assert!(days.known().is_empty());
        days.refresh(base.path()).unwrap();
        assert!(days.known().iter().copied().eq([date(2025, 12, 31), date(2026, 1, 5)]));
    }
}
