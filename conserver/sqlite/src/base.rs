//! The file: where it lies, how connections are made, and its format.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use conserver_core::{Class, Error, ErrorKind, Result};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Row, SqliteConnection};

use crate::error::{classify, is_busy};
use crate::session::script;

/// What lifts a file from one format to the next; the first makes an empty one ours. A new format adds a line here, and
/// never changes one that was released.
const FORMATS: &[&str] = &[
    include_str!("sql/schema.sql"),
    include_str!("sql/since.sql"),
    include_str!("sql/story.sql"),
    include_str!("sql/notes.sql"),
];
/// `cons`, in the header of the file.
const APPLICATION: i32 = 0x636f_6e73;

/// How long an opening waits for other processes that open, or recover after a crash.
const OPENING: Duration = Duration::from_secs(10);
/// Pages in the log after which it is written into the file (16 MiB): a vCon is seldom written twice within it, so a
/// larger one saves nothing and takes longer to read after a crash.
const CHECKPOINT: u32 = 4096;
/// Memory for pages, of each connection that writes: negative, in KiB.
const CACHE: i32 = -16_384;
/// Statements that a connection keeps prepared: some grow with their batch, each size is another one.
const STATEMENTS: usize = 256;

/// Rows that a connection's thread may be ahead: with fewer it would wait for its reader in the middle of a batch.
const ROWS: usize = 512;

/// The files of one folder.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    directory: PathBuf,
}

impl Place {
    pub(crate) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The database. Beside it SQLite keeps its log (`-wal`) and what the processes share about it (`-shm`).
    pub(crate) fn database(&self) -> PathBuf {
        self.directory.join("conserver.db")
    }

    /// What was committed and is not in the database yet.
    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("conserver.db-wal")
    }

    /// What the processes share about the log: the locks lie on it.
    pub(crate) fn shared(&self) -> PathBuf {
        self.directory.join("conserver.db-shm")
    }

    /// Written to when ids came, for others to hear.
    pub(crate) fn bell(&self) -> PathBuf {
        self.directory.join("conserver.bell")
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(self.database())
            .foreign_keys(false)
            .busy_timeout(OPENING)
            .statement_cache_capacity(STATEMENTS)
            .row_buffer_size(ROWS)
            .disable_statement_logging()
    }

    /// A connection that writes. Makes folder and file where they are missing, and lifts an older format.
    pub(crate) async fn writer(&self) -> Result<SqliteConnection> {
        self.may_be_made()?;
        std::fs::create_dir_all(&self.directory).map_err(|cause| {
            Error::new(
                ErrorKind::Unavailable,
                format!("cannot make the folder `{}`", self.directory.display()),
            )
            .source(cause)
        })?;
        let options = self
            .options()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", CHECKPOINT.to_string())
            .pragma("cache_size", CACHE.to_string());
        let start = Instant::now();
        let mut db = loop {
            match options.connect().await {
                Ok(db) => break db,
                // Two processes that make a file at once: one of them makes it.
                Err(error) if is_busy(&error) && start.elapsed() < OPENING => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(self.opening(error)),
            }
        };
        let format = self.format(&mut db).await?;
        if format < FORMATS.len() {
            self.lift(&mut db).await?;
        }
        // From here on whoever waits for the lock does so in steps of its own.
        sqlx::query("PRAGMA busy_timeout = 0").execute(&mut db).await.map_err(|e| self.opening(e))?;
        Ok(db)
    }

    /// Connections that only read: they hold nobody up, and nobody holds them up.
    pub(crate) fn readers(&self) -> SqlitePool {
        SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(OPENING)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(self.options().pragma("query_only", "1"))
    }

    /// The format of the file; 0 for one that was just made.
    async fn format(&self, db: &mut SqliteConnection) -> Result<usize> {
        let look = "SELECT u.user_version, a.application_id, (SELECT count(*) FROM sqlite_schema) \
                    FROM pragma_user_version u, pragma_application_id a";
        let row = sqlx::query(look).fetch_one(db).await.map_err(|e| self.opening(e))?;
        let (format, application, tables): (i64, i32, i64) = (row.get(0), row.get(1), row.get(2));
        let path = self.database();
        if application != APPLICATION && tables > 0 {
            let says = format!("`{}` is the database of another program", path.display());
            return Err(Error::new(ErrorKind::Conflict, says).class(Class::Permanent));
        }
        let format = usize::try_from(format).unwrap_or(usize::MAX);
        if format > FORMATS.len() {
            let says = format!(
                "`{}` has format {format}, this program knows {}: a newer conserver wrote it; run that one",
                path.display(),
                FORMATS.len()
            );
            return Err(Error::new(ErrorKind::Conflict, says).class(Class::Permanent));
        }
        Ok(format)
    }

    /// Brings the file to the newest format, in one transaction.
    async fn lift(&self, db: &mut SqliteConnection) -> Result<()> {
        script(db, "BEGIN IMMEDIATE").await.map_err(|e| self.opening(e))?;
        // Another process may have been faster.
        let from = self.format(db).await?;
        for text in &FORMATS[from..] {
            script(db, text).await.map_err(|e| self.opening(e))?;
        }
        let mark = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {}", FORMATS.len());
        sqlx::raw_sql(sqlx::AssertSqlSafe(mark)).execute(&mut *db).await.map_err(|e| self.opening(e))?;
        script(db, "COMMIT").await.map_err(|e| self.opening(e))?;
        tracing::info!(file = %self.database().display(), format = FORMATS.len(), "made the database");
        Ok(())
    }

    fn opening(&self, error: sqlx::Error) -> Error {
        let error = classify(&format!("open `{}`", self.database().display()), error);
        // A file that is none, or damaged, does not heal by waiting.
        if error.kind() == ErrorKind::Internal { error.class(Class::Permanent) } else { error }
    }
}
