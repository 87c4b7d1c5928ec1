//! What to know about a folder before relying on it, in plain language.

use std::path::Path;
use std::time::{Duration, Instant};

use conserver_core::backend::{Advice, Gravity};
use conserver_core::{Error, Result};
use rustix::fs::{Access, StatVfs};
use rustix::io::Errno;
use sqlx::Row;

use crate::queue::SqliteQueue;
use crate::session::{failed, rows, sql};
use crate::writer::Keep;

/// A commit above this is worth a word.
const SLOW: Duration = Duration::from_millis(50);
/// Less free space than this is worth a word.
const LITTLE: u64 = 256 << 20;
/// A log larger than this is worth a word: it is written into the file at a sixteenth of it.
const LONG_LOG: u64 = 256 << 20;

/// File systems by the number that the kernel gives them, and whether the processes of several machines share them.
const FILE_SYSTEMS: &[(u64, &str, bool)] = &[
    (0x6969, "NFS", true),
    (0xff53_4d42, "CIFS", true),
    (0xfe53_4d42, "SMB", true),
    (0x517b, "SMB", true),
    (0x0102_1997, "9P", true),
    (0x00c3_6400, "Ceph", true),
    (0x0bd0_0bd0, "Lustre", true),
    (0x0102_1994, "tmpfs", false),
];

impl SqliteQueue {
    /// Looks at the folder, its file system, free space, the file and its format, and how long a commit takes.
    pub(crate) async fn look_at_file(&self) -> Result<Vec<Advice>> {
        let directory = self.place.directory();
        if let Some(refused) = refusal(directory) {
            return Ok(vec![refused]);
        }
        let mut findings = vec![file_system(directory), space(directory)];
        if findings.iter().any(|finding| finding.gravity == Gravity::Fatal) {
            return Ok(findings);
        }
        let commit = match self.commit_time().await {
            Ok(took) => took,
            Err(error) if error.is_permanent() => return Ok(vec![unusable(&error)]),
            Err(error) => return Err(error),
        };
        let text = format!(
            "every acknowledged write is on the disk; that takes {:.1} ms",
            commit.as_secs_f64() * 1e3
        );
        findings.push(match commit > SLOW {
            true => Advice::new(
                Gravity::Warning,
                "persistence",
                text,
                "a faster disk takes in and finishes more vCons",
            ),
            false => Advice::good("persistence", text),
        });
        findings.push(self.size().await?);
        Ok(findings)
    }

    /// How long the best of three commits takes that changes something.
    async fn commit_time(&self) -> Result<Duration> {
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let start = Instant::now();
            self.write(Keep::Durable, "try a commit", |session| {
                Box::pin(async move {
                    let next = "UPDATE meta SET value = value + 1 WHERE name = 'token'";
                    session.run(sql(next)).await.map(drop)
                })
            })
            .await?;
            best = best.min(start.elapsed());
        }
        Ok(best)
    }

    async fn size(&self) -> Result<Advice> {
        let mut reader = self.base().await?.reader().await?;
        let look = "SELECT p.page_count * s.page_size, f.freelist_count * s.page_size, u.user_version, sqlite_version() \
                    FROM pragma_page_count p, pragma_page_size s, pragma_freelist_count f, pragma_user_version u";
        let row = rows(&mut reader, sql(look)).await?.remove(0);
        let number = |n: usize| row.try_get::<i64, _>(n).map(i64::cast_unsigned).map_err(failed);
        let log = std::fs::metadata(self.place.log()).map_or(0, |log| log.len());
        let (version, found): (String, String) = (
            row.try_get(3).map_err(failed)?,
            format!("{} of which {} are free, and {} of log", size(number(0)?), size(number(1)?), size(log)),
        );
        let found = format!("format {} by SQLite {version}, {found}", number(2)?);
        if log > LONG_LOG {
            let advice = "a program that reads the file for long keeps the log from being written into it: end that one";
            return Ok(Advice::new(Gravity::Warning, "file", found, advice));
        }
        Ok(Advice::good("file", found))
    }
}

/// As `73.1 GiB`.
fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20)];
    let (name, shift) = units.into_iter().find(|(_, shift)| bytes >> shift > 0).unwrap_or(("KiB", 10));
    format!("{:.1} {name}", bytes as f64 / (1_u64 << shift) as f64)
}

/// A file that can never be used as it is.
fn unusable(error: &Error) -> Advice {
    let advice = "name another folder with `data_dir` or CONSERVER_DATA_DIR, or restore what belongs here";
    Advice::new(Gravity::Fatal, "file", error.chain(), advice)
}

/// Why this process may not write here, if the system says so.
fn refusal(directory: &Path) -> Option<Advice> {
    let made = std::fs::create_dir_all(directory);
    let shown = directory.display();
    let found = match made {
        Err(cause) => format!("the folder `{shown}` cannot be made: {cause}"),
        Ok(()) if rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK).is_err() => {
            format!("this process may not write in `{shown}`")
        }
        Ok(()) => {
            let file = directory.join("conserver.db");
            // Asked, not opened: closing it would drop the locks that SQLite holds on it for this process.
            let cause = rustix::fs::access(&file, Access::WRITE_OK).err()?;
            if cause == Errno::NOENT {
                return None;
            }
            format!("this process may not write `{}`: {cause}", file.display())
        }
    };
    let advice = "give it to the user that runs the conserver, mount it writable, or name another folder with \
                  `data_dir` or CONSERVER_DATA_DIR";
    Some(Advice::new(Gravity::Fatal, "folder", found, advice))
}

fn file_system(directory: &Path) -> Advice {
    let number = rustix::fs::statfs(directory).map_or(0, |stat| stat.f_type as u64 & 0xffff_ffff);
    let shown = directory.display();
    match FILE_SYSTEMS.iter().find(|(known, ..)| *known == number) {
        Some((_, name, true)) => Advice::new(
            Gravity::Fatal,
            "file system",
            format!("`{shown}` lies on {name}, where SQLite's locks and shared memory do not work"),
            "use a disk of this machine, or Redis: `redis: {url: redis://host}`",
        ),
        Some((_, name, false)) => Advice::new(
            Gravity::Warning,
            "file system",
            format!("`{shown}` lies on {name}: all is gone when the machine restarts"),
            "use a folder on a disk",
        ),
        None => Advice::good("file system", format!("`{shown}` lies on a disk of this machine")),
    }
}

fn space(directory: &Path) -> Advice {
    let free = rustix::fs::statvfs(directory)
        .map_or(u64::MAX, |stat: StatVfs| stat.f_bavail.saturating_mul(stat.f_frsize));
    if free < LITTLE {
        let found = format!("only {} are free", size(free));
        return Advice::new(
            Gravity::Warning,
            "space",
            found,
            "make room: on a full disk nothing is taken in or finished",
        );
    }
    Advice::good("space", format!("{} are free", size(free)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_made_is_told_with_a_way_out() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let finding = refusal(&file.path().join("below a file")).expect("nobody can make that");
        assert_eq!(finding.gravity, Gravity::Fatal);
        assert!(
            finding.found.contains("below a file") && finding.advice.contains("CONSERVER_DATA_DIR"),
            "{finding:?}"
        );
    }

    #[test]
    fn sizes_have_a_unit_that_fits() {
        let sizes = [0, 20 << 10, 1 << 20, 74_877 << 20].map(size);
        assert_eq!(sizes, ["0.0 KiB", "20.0 KiB", "1.0 MiB", "73.1 GiB"]);
    }

    #[test]
    fn a_temporary_folder_is_fit_to_be_used() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refusal(folder.path()).is_none());
        assert!(file_system(folder.path()).gravity < Gravity::Fatal);
    }
}
