//! The file as any other program sees it: plain SQL, which reads beside all writers.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use tokio::runtime::Runtime;

/// A look at the file.
pub(crate) struct File {
    folder: PathBuf,
    runtime: Mutex<Runtime>,
    pool: SqlitePool,
}

impl File {
    pub(crate) fn open(folder: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.join("conserver.db"))
            .pragma("query_only", "1")
            .busy_timeout(Duration::from_secs(30));
        let pool = runtime
            .block_on(async { SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options) });
        Self { folder: folder.to_owned(), runtime: Mutex::new(runtime), pool }
    }

    /// The first columns of a query with one text in it.
    fn texts(&self, sql: &'static str, value: &str) -> Vec<String> {
        let query = sqlx::query_scalar(sql).bind(value.to_owned());
        self.runtime.lock().unwrap().block_on(query.fetch_all(&self.pool)).unwrap()
    }

    /// One number.
    pub(super) fn number(&self, sql: &'static str, value: &str) -> usize {
        let query = sqlx::query_scalar::<_, Option<i64>>(sql).bind(value.to_owned());
        let number = self.runtime.lock().unwrap().block_on(query.fetch_optional(&self.pool)).unwrap();
        usize::try_from(number.flatten().unwrap_or(0)).unwrap()
    }

    pub(crate) fn len(&self, list: &str) -> usize {
        self.number("SELECT length FROM list WHERE name = ?", list)
    }

    /// A whole list.
    pub(super) fn list(&self, list: &str) -> Vec<String> {
        let sql = "SELECT e.id FROM list l JOIN entry e ON e.list = l.key AND e.state = 0 WHERE l.name = ? ORDER BY place";
        self.texts(sql, list)
    }

    /// The ids that are in flight with one process, or with all.
    pub(super) fn held(&self, pid: Option<u32>) -> Vec<String> {
        let of = pid.map(|pid| pid.to_string()).unwrap_or_default();
        let sql = "SELECT e.id FROM worker w JOIN entry e ON e.worker = w.key AND e.state = 2 \
                   WHERE ?1 = '' OR w.pid = CAST(?1 AS INTEGER)";
        self.texts(sql, &of)
    }

    /// How many workers of a process are registered.
    pub(super) fn workers(&self, pid: u32) -> usize {
        self.number("SELECT count(*) FROM worker WHERE pid = CAST(? AS INTEGER)", &pid.to_string())
    }

    /// All documents.
    pub(super) fn documents(&self) -> Vec<Value> {
        let sql = "SELECT CAST(json AS TEXT) FROM document WHERE ? = ''";
        self.texts(sql, "").iter().map(|json| serde_json::from_str(json).unwrap()).collect()
    }

    /// Places that ought to be empty, with how much is there.
    pub(super) fn left(&self) -> Vec<(String, usize)> {
        let lists = "SELECT name FROM list WHERE length > 0 AND name NOT IN (?, 'out')";
        let mut left: Vec<(String, usize)> =
            self.texts(lists, "").into_iter().map(|list| (list.clone(), self.len(&list))).collect();
        let elsewhere = "SELECT count(*) FROM entry WHERE state <> 0 AND ? = ''";
        left.push(("what is held, parked, delayed or suspect".to_owned(), self.number(elsewhere, "")));
        let wrong = "SELECT count(*) FROM list WHERE ? = '' AND length <> \
                     (SELECT count(*) FROM entry WHERE list = key AND state = 0)";
        left.push(("lengths that are wrong".to_owned(), self.number(wrong, "")));
        left
    }

    /// The dead letters: list and id.
    pub(super) fn dead(&self) -> Vec<(String, String)> {
        let lists = self.texts("SELECT name FROM list WHERE name LIKE ?", "DLQ:%");
        lists
            .into_iter()
            .flat_map(|list| self.list(&list).into_iter().map(move |id| (list.clone(), id)))
            .collect()
    }

    /// What is wrong with the file itself.
    pub(super) fn damage(&self) -> Vec<String> {
        let told = self.texts("SELECT integrity_check FROM pragma_integrity_check WHERE ? = ''", "");
        told.into_iter().filter(|line| line != "ok").collect()
    }

    /// The process that is in the middle of a transaction.
    pub(super) fn holder(&self) -> Option<u32> {
        let inode = std::fs::metadata(self.folder.join("conserver.db-shm")).ok()?.ino();
        let locks = std::fs::read_to_string("/proc/locks").ok()?;
        let end = format!(":{inode} 120 120");
        let line = locks.lines().find(|line| line.contains(" WRITE ") && line.ends_with(&end))?;
        line.split_whitespace().nth(4)?.parse().ok()
    }
}
