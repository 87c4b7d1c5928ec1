//! The table: its SQL, and how a missing one is made.
//!
//! A table that is there is used as it is, the Python server's included: that one has no unique `uuid`, takes null in
//! `updated_at` and `vcon_json`, and is written with the same statement.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::error::UNIQUE_VIOLATION;
use crate::server::Transaction;

/// Somebody else made the table at the same time: it exists, or its type does.
pub(crate) const RACE: &[&str] = &["42P07", "42710", UNIQUE_VIOLATION];

/// The key of the lock under which tables are made; any number that others do not use.
const LOCK: i64 = 0x76_636f_6e73;

/// The statements for one table. None is kept prepared: a pooler may give the next one to another connection.
#[derive(Debug)]
pub(crate) struct Table {
    /// The name in quotes.
    quoted: String,
    index_json: bool,
    pub(crate) upsert: Arc<str>,
    pub(crate) select: Arc<str>,
    pub(crate) delete: Arc<str>,
}

impl Table {
    pub(crate) fn new(name: &str, index_json: bool) -> Self {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let upsert = format!(
            "INSERT INTO {quoted} (id, vcon, uuid, created_at, updated_at, subject, vcon_json) \
             SELECT id, vcon, id, coalesce(created_at::timestamp, localtimestamp), localtimestamp, subject, vcon_json \
             FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[]) \
             AS row (id, vcon, created_at, subject, vcon_json) \
             ON CONFLICT (id) DO UPDATE SET vcon = excluded.vcon, uuid = excluded.uuid, \
             created_at = excluded.created_at, updated_at = excluded.updated_at, subject = excluded.subject, \
             vcon_json = excluded.vcon_json"
        );
        let select = format!("SELECT vcon_json::text FROM {quoted} WHERE id = $1");
        let delete = format!("DELETE FROM {quoted} WHERE id = $1");
        Self { quoted, index_json, upsert: upsert.into(), select: select.into(), delete: delete.into() }
    }

    /// Makes table and indexes if they are missing; waits for whoever else is at it.
    pub(crate) async fn ensure(&self, mut transaction: Transaction) -> sqlx::Result<()> {
        // Looked for first: who may not make tables may still use one.
        if self.exists(&mut transaction).await? {
            return Ok(());
        }
        let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).persistent(false);
        lock.execute(&mut *transaction).await?;
        if self.exists(&mut transaction).await? {
            return Ok(());
        }
        // The name is quoted; the rest is ours.
        transaction.execute(AssertSqlSafe(self.definition())).await?;
        transaction.commit().await
    }

    /// Whether a row could be written now: `None`, or what stands in the way.
    pub(crate) async fn obstacle(&self, connection: &mut PgConnection) -> sqlx::Result<Option<&'static str>> {
        let sql = "SELECT current_setting('transaction_read_only') = 'on', \
                   has_table_privilege(to_regclass($1), 'INSERT') AND has_table_privilege(to_regclass($1), 'UPDATE')";
        let (read_only, may_write): (bool, Option<bool>) =
            sqlx::query_as(sql).bind(&self.quoted).persistent(false).fetch_one(connection).await?;
        Ok(match (read_only, may_write) {
            (true, _) => Some("the server is read-only, as a standby is"),
            (false, Some(false)) => Some("the user may not INSERT and UPDATE"),
            (false, _) => None,
        })
    }

    async fn exists(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        let sql = "SELECT to_regclass($1) IS NOT NULL";
        sqlx::query_scalar(sql).bind(&self.quoted).persistent(false).fetch_one(connection).await
    }

    fn definition(&self) -> String {
        let quoted = &self.quoted;
        let table = format!(
            "CREATE TABLE {quoted} (id uuid PRIMARY KEY, vcon text NOT NULL, uuid uuid UNIQUE NOT NULL, \
             created_at timestamp NOT NULL, updated_at timestamp DEFAULT current_timestamp, subject text, \
             vcon_json jsonb NOT NULL)"
        );
        // Without names of their own indexes are named after the table, and never like one that is there.
        let by_date = format!("CREATE INDEX ON {quoted} (created_at)");
        let by_json = format!("CREATE INDEX ON {quoted} USING gin (vcon_json)");
        let mut statements = vec![table, by_date];
        statements.extend(self.index_json.then_some(by_json));
        statements.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_quoted_name() {
        let table = Table::new("my \"odd\".table; DROP", false);
        assert_eq!(&*table.delete, "DELETE FROM \"my \"\"odd\"\".table; DROP\" WHERE id = $1");
    }

    #[test]
    fn the_index_over_the_document_can_be_left_out() {
        assert!(Table::new("t", true).definition().contains("gin"));
        assert!(!Table::new("t", false).definition().contains("gin"));
    }
}
