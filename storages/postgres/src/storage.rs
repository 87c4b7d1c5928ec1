//! The contract. A batch is one statement; where the server refuses its data, it is halved until the bad row stands
//! alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use conserver_core::registry::BuildContext;
use conserver_core::storage::{Storage, StorageInfo};
use conserver_core::vcon::{Limits, Vcon, VconId};
use conserver_core::{Class, Error, ErrorKind, Result};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgQueryResult;
use uuid::Uuid;

use crate::error::{DEADLOCK, UNDEFINED_TABLE, UNIQUE_VIOLATION, classify, has_code};
use crate::jsonb::Jsonb;
use crate::options::PostgresOptions;
use crate::row::Row;
use crate::server::{Server, Transaction};
use crate::table::{RACE, Table};

/// How many vCons one save takes.
const MAX_BATCH: usize = 256;

/// How many bytes of JSON one statement carries, unless a single document has more: far below the server's limit of
/// 1 GB for a message.
const MAX_STATEMENT_BYTES: usize = 8 << 20;

/// How often a statement is sent again because it met other first saves of its ids.
const FIRST_SAVE_ROUNDS: usize = 5;

/// A table of vCons.
#[derive(Debug)]
pub struct PostgresStorage {
    server: Server,
    table: Table,
    // Whether the table has been seen or made; unset again when a save finds it gone.
    is_ready: AtomicBool,
    legacy: bool,
}

impl PostgresStorage {
    /// A storage in the table that the options name. Nothing is connected yet.
    ///
    /// # Errors
    /// `Invalid` if `url` or `sslmode` cannot be read.
    pub fn new(options: &PostgresOptions, cx: &BuildContext) -> Result<Self> {
        Ok(Self {
            server: Server::new(options)?,
            table: Table::new(&options.table_name, options.index_json),
            is_ready: AtomicBool::new(false),
            legacy: cx.legacy_egress,
        })
    }

    async fn ensure_table(&self) -> Result<()> {
        if !self.is_ready.load(Ordering::Relaxed) {
            let transaction = self.server.begin().await?;
            match self.table.ensure(transaction).await {
                Err(error) if !has_code(&error, RACE) => return Err(classify("prepare the table", error)),
                _ => self.is_ready.store(true, Ordering::Relaxed),
            }
        }
        Ok(())
    }

    /// Saves rows in order, a later one of an id after an earlier one; one result for each.
    async fn save_rows(&self, rows: &[Row]) -> Vec<Result<()>> {
        let mut results = Vec::with_capacity(rows.len());
        let mut todo = statements(rows);
        todo.reverse();
        while let Some(part) = todo.pop() {
            match self.upsert(part).await {
                Ok(()) => results.extend(part.iter().map(|_| Ok(()))),
                Err(error) if error.is_permanent() && part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    todo.extend([second, first]);
                }
                Err(error) => {
                    // What is away for these rows is away for the rest.
                    let until = if error.is_unavailable() { rows.len() } else { results.len() + part.len() };
                    results.extend(rows[results.len()..until].iter().map(|_| Err(error.repeat())));
                    if error.is_unavailable() {
                        break;
                    }
                }
            }
        }
        results
    }

    /// Writes rows with one statement: all of them or none.
    async fn upsert(&self, rows: &[Row]) -> Result<()> {
        // First saves of an id at once: the statement settles them by `id`, but the unique `uuid` may notice first, or
        // each waits for the other at another of the two indexes until the server ends one of them. As soon as one has
        // got through, the rest are updates; where many meet, that may take more than one round.
        let mut rounds = 0..FIRST_SAVE_ROUNDS;
        loop {
            let error = match self.send(self.server.begin().await?, rows).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if has_code(&error, &[UNIQUE_VIOLATION, DEADLOCK]) && rounds.next().is_some() {
                continue;
            }
            if has_code(&error, &[UNDEFINED_TABLE]) {
                self.is_ready.store(false, Ordering::Relaxed);
            }
            return Err(classify("save", error));
        }
    }

    async fn send(&self, mut transaction: Transaction, rows: &[Row]) -> sqlx::Result<()> {
        // A statement may not touch a row twice; the later one wins. In the order of ids, so that concurrent statements
        // do not wait for each other in a circle.
        let rows: BTreeMap<Uuid, &Row> = rows.iter().map(|row| (row.id, row)).collect();
        let ids: Vec<Uuid> = rows.keys().copied().collect();
        let column = |of: fn(&Row) -> Option<&str>| rows.values().map(|row| of(row)).collect::<Vec<_>>();
        let documents: Vec<Jsonb<'_>> = rows.values().map(|row| Jsonb(&row.json)).collect();
        let statement = sqlx::query(AssertSqlSafe(Arc::clone(&self.table.upsert)))
            .bind(ids)
            .bind(column(|row| Some(&row.version)))
            .bind(column(|row| row.created_at.as_deref()))
            .bind(column(|row| row.subject.as_deref()))
            .bind(documents)
            .persistent(false);
        statement.execute(&mut *transaction).await?;
        transaction.commit().await
    }
}

#[async_trait]
impl Storage for PostgresStorage {
    fn info(&self) -> StorageInfo {
        StorageInfo::new("postgres").batch(MAX_BATCH).uuid_only()
    }

    async fn save(&self, batch: &[Vcon]) -> Vec<Result<()>> {
        if let Err(error) = self.ensure_table().await {
            return batch.iter().map(|_| Err(error.repeat())).collect();
        }
        let mut rows = Vec::with_capacity(batch.len());
        let mut refused = BTreeMap::new();
        for (index, vcon) in batch.iter().enumerate() {
            match Row::of(vcon, self.legacy) {
                Ok(row) => rows.push(row),
                Err(error) => drop(refused.insert(index, error)),
            }
        }
        let mut saved = self.save_rows(&rows).await.into_iter();
        let result = |index| match refused.remove(&index) {
            Some(error) => Err(error),
            None => saved.next().expect("there is one result for each row"),
        };
        (0..batch.len()).map(result).collect()
    }

    async fn get(&self, id: &VconId) -> Result<Option<Vcon>> {
        // What cannot have a row has none.
        let Some(uuid) = id.as_uuid() else { return Ok(None) };
        let mut transaction = self.server.begin().await?;
        let sql = AssertSqlSafe(Arc::clone(&self.table.select));
        let found: sqlx::Result<Option<Option<String>>> =
            sqlx::query_scalar(sql).bind(uuid).persistent(false).fetch_optional(&mut *transaction).await;
        let json = match found {
            Ok(row) => row.flatten(),
            Err(error) if has_code(&error, &[UNDEFINED_TABLE]) => None,
            Err(error) => return Err(classify("read", error)),
        };
        let parse = |json| Vcon::parse(id.clone(), Bytes::from(json), &Limits::default());
        json.map(parse).transpose().map_err(|error| {
            Error::new(ErrorKind::Invalid, format!("the row of `{uuid}` holds no vCon")).source(error)
        })
    }

    async fn delete(&self, id: &VconId) -> Result<bool> {
        let Some(uuid) = id.as_uuid() else { return Ok(false) };
        let sql = AssertSqlSafe(Arc::clone(&self.table.delete));
        let mut transaction = self.server.begin().await?;
        let deleted: sqlx::Result<PgQueryResult> =
            sqlx::query(sql).bind(uuid).persistent(false).execute(&mut *transaction).await;
        match deleted {
            Ok(done) => {
                transaction.commit().await.map_err(|error| classify("delete", error))?;
                Ok(done.rows_affected() > 0)
            }
            Err(error) if has_code(&error, &[UNDEFINED_TABLE]) => Ok(false),
            Err(error) => Err(classify("delete", error)),
        }
    }

    async fn check(&self) -> Result<()> {
        self.ensure_table().await?;
        let mut transaction = self.server.begin().await?;
        match self.table.obstacle(&mut transaction).await.map_err(|error| classify("check", error))? {
            None => Ok(()),
            Some(obstacle) => Err(Error::new(ErrorKind::Unauthorized, obstacle).class(Class::Unavailable)),
        }
    }
}

/// The rows in runs that one statement can carry.
fn statements(mut rows: &[Row]) -> Vec<&[Row]> {
    let mut parts = Vec::new();
    while !rows.is_empty() {
        let mut bytes = 0;
        let fits = |row: &&Row| {
            bytes += row.json.len();
            bytes <= MAX_STATEMENT_BYTES
        };
        let count = rows.iter().take(MAX_BATCH).take_while(fits).count().max(1);
        let (part, rest) = rows.split_at(count);
        parts.push(part);
        rows = rest;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bytes: usize) -> Row {
        let json = Bytes::from(vec![b' '; bytes]);
        Row { id: Uuid::nil(), version: String::new(), created_at: None, subject: None, json }
    }

    #[test]
    fn a_statement_carries_a_bounded_number_of_rows_and_bytes() {
        let sizes = |rows: &[Row]| statements(rows).iter().map(|part| part.len()).collect::<Vec<_>>();
        let small: Vec<Row> = (0..600).map(|_| row(10)).collect();
        assert_eq!(sizes(&small), [256, 256, 88]);
        let half = MAX_STATEMENT_BYTES / 2;
        assert_eq!(sizes(&[row(half), row(half), row(1), row(2 * half + 1), row(1)]), [2, 1, 1, 1]);
        assert!(sizes(&[]).is_empty());
    }
}
