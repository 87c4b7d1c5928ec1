//! The floor on the file: a bare loop of the transactions that a run needs, with nothing in between. No link, no parsing,
//! no lease, no retries, no busy ids: what remains is what SQLite and the disk take.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Connection, QueryBuilder, Row, SqliteConnection};

/// Ids of one transaction, as the daemon takes them.
const BATCH: i64 = 64;

/// Starts the loops; each moves ids from `in` to `out` until stopped.
pub(crate) fn run(
    file: &Path,
    threads: usize,
    stop: &Arc<AtomicBool>,
) -> Vec<JoinHandle<anyhow::Result<()>>> {
    (0..threads)
        .map(|n| {
            let (file, stop) = (file.to_owned(), stop.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(moves(file, n as i64 + 1_000_000, stop))
            })
        })
        .collect()
}

async fn moves(file: PathBuf, worker: i64, stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .busy_timeout(Duration::ZERO)
        .foreign_keys(false)
        .statement_cache_capacity(256)
        .pragma("wal_autocheckpoint", "4096")
        .pragma("cache_size", "-16384");
    let mut db = options.disable_statement_logging().connect().await?;
    let [from, to] = [list(&mut db, "in").await?, list(&mut db, "out").await?];
    while !stop.load(Ordering::Relaxed) {
        let held = claim(&mut db, from, worker).await?;
        if held.is_empty() {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        let documents = load(&mut db, &held).await?;
        settle(&mut db, to, &held, &documents).await?;
    }
    Ok(db.close().await?)
}

async fn list(db: &mut SqliteConnection, name: &str) -> anyhow::Result<i64> {
    let make = "INSERT INTO list (name) VALUES (?) ON CONFLICT DO UPDATE SET name = name RETURNING key";
    loop {
        match sqlx::query_scalar(make).bind(name).fetch_one(&mut *db).await {
            Ok(key) => return Ok(key),
            Err(error) if is_busy(&error) => std::thread::sleep(Duration::from_micros(200)),
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "5")
}

async fn begin(db: &mut SqliteConnection, synchronous: &'static str) -> anyhow::Result<()> {
    sqlx::query(synchronous).execute(&mut *db).await?;
    while let Err(error) = sqlx::query("BEGIN IMMEDIATE").execute(&mut *db).await {
        anyhow::ensure!(is_busy(&error), error);
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// Takes ids; answers their places and texts.
async fn claim(db: &mut SqliteConnection, from: i64, worker: i64) -> anyhow::Result<Vec<(i64, String)>> {
    begin(db, "PRAGMA synchronous = NORMAL").await?;
    let take = "SELECT place, id FROM entry WHERE list = ? AND state = 0 ORDER BY place LIMIT ?";
    let rows = sqlx::query(take).bind(from).bind(BATCH).fetch_all(&mut *db).await?;
    let held: Vec<(i64, String)> = rows.iter().map(|row: &SqliteRow| (row.get(0), row.get(1))).collect();
    if !held.is_empty() {
        let hold = "UPDATE entry SET state = 2, worker = ?, token = place \
                    WHERE place IN (SELECT value FROM json_each(?))";
        sqlx::query(hold).bind(worker).bind(places(&held)).execute(&mut *db).await?;
        shift(db, from, -(held.len() as i64)).await?;
    }
    sqlx::query("COMMIT").execute(&mut *db).await?;
    Ok(held)
}

async fn load(db: &mut SqliteConnection, held: &[(i64, String)]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut look = QueryBuilder::new("SELECT id, json FROM document WHERE id IN (");
    let mut values = look.separated(", ");
    for (_, id) in held {
        values.push_bind(id.as_str());
    }
    look.push(")");
    let rows = look.build().fetch_all(db).await?;
    Ok(rows.iter().map(|row: &SqliteRow| (row.get(0), row.get(1))).collect())
}

/// Writes the documents, puts the ids on the other list, and lets go of them.
async fn settle(
    db: &mut SqliteConnection,
    to: i64,
    held: &[(i64, String)],
    documents: &[(String, Vec<u8>)],
) -> anyhow::Result<()> {
    begin(db, "PRAGMA synchronous = FULL").await?;
    let mut save = QueryBuilder::new("INSERT INTO document (id, json, expires) ");
    save.push_values(documents, |mut row, (id, json)| {
        row.push_bind(id.as_str()).push_bind(&json[..]).push("0");
    });
    save.push(" ON CONFLICT (id) DO UPDATE SET json = excluded.json");
    save.build().execute(&mut *db).await?;
    let mut push = QueryBuilder::new("INSERT INTO entry (list, state, id) ");
    push.push_values(held, |mut row, (_, id)| {
        row.push_bind(to).push("0").push_bind(id.as_str());
    });
    push.build().execute(&mut *db).await?;
    shift(db, to, held.len() as i64).await?;
    let gone = "DELETE FROM entry WHERE place IN (SELECT value FROM json_each(?))";
    sqlx::query(gone).bind(places(held)).execute(&mut *db).await?;
    sqlx::query("COMMIT").execute(&mut *db).await?;
    Ok(())
}

async fn shift(db: &mut SqliteConnection, list: i64, by: i64) -> anyhow::Result<()> {
    let shift = "UPDATE list SET length = length + ? WHERE key = ?";
    sqlx::query(shift).bind(by).bind(list).execute(db).await?;
    Ok(())
}

fn places(held: &[(i64, String)]) -> String {
    let places: Vec<i64> = held.iter().map(|(place, _)| *place).collect();
    serde_json::to_string(&places).unwrap_or_default()
}
