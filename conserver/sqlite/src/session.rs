//! One connection within one transaction, with what every step of it wants to know.

use conserver_core::{Error, Result};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, QueryBuilder, Row, Sqlite, SqliteConnection};

use crate::base::Place;
use crate::clock;
use crate::error::classify;
use crate::presence::Presence;

/// A connection, and what this transaction is about.
pub(crate) struct Session {
    pub(crate) db: SqliteConnection,
    /// The time of this transaction, Unix milliseconds.
    pub(crate) now: i64,
    /// Whether ids came onto lists, so that somebody has to be woken after the commit.
    pub(crate) rings: bool,
    /// Whether each commit waits for the disk.
    pub(crate) synced: bool,
    place: Place,
    opened: Presence,
}

/// A statement with its values.
pub(crate) type Statement<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

impl Session {
    /// The session that is kept here; a new one where there is none, or the file was replaced. One whose file was
    /// removed stays, and the file with it: only a restart makes a new one.
    pub(crate) async fn kept<'s>(kept: &'s mut Option<Self>, place: &Place) -> Result<&'s mut Self> {
        if let Some(Err(gone)) = kept.as_ref().map(Self::is_in_place) {
            tracing::error!("{}", gone.chain());
            Self::give_up(kept);
            if kept.is_some() {
                return Err(gone);
            }
        }
        match kept {
            Some(session) => Ok(session),
            none => {
                let db = place.writer().await?;
                let (place, opened) = (place.clone(), place.presence());
                Ok(none.insert(Self { db, now: 0, rings: false, synced: true, place, opened }))
            }
        }
    }

    /// After an error: whatever state it is in, a new one is in none.
    pub(crate) fn give_up(kept: &mut Option<Self>) {
        if kept.as_ref().is_some_and(|session| session.place.lies_there().is_some()) {
            *kept = None;
        }
    }

    /// Fails where what is written here would be found by nobody.
    pub(crate) fn is_in_place(&self) -> Result<()> {
        self.place.still_has(self.opened)
    }

    /// Begins: nobody else writes until it ends. The driver's error where somebody else does.
    pub(crate) async fn begin(&mut self) -> sqlx::Result<()> {
        self.rings = false;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.db).await?;
        self.now = clock::now();
        Ok(())
    }

    /// Runs a statement; answers how many rows it changed.
    pub(crate) async fn run(&mut self, statement: Statement<'_>) -> Result<u64> {
        run(&mut self.db, statement).await
    }

    /// All rows of a statement.
    pub(crate) async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<SqliteRow>> {
        rows(&mut self.db, statement).await
    }

    /// The first column of the only row.
    pub(crate) async fn number(&mut self, statement: Statement<'_>) -> Result<Option<i64>> {
        let row = self.rows(statement).await?.into_iter().next();
        row.map(|row| row.try_get::<Option<i64>, _>(0).map_err(failed)).transpose().map(Option::flatten)
    }
}

/// A statement of ours.
pub(crate) fn sql(text: &'static str) -> Statement<'static> {
    sqlx::query(text)
}

/// A statement whose text grows with its values.
pub(crate) fn growing(text: &str) -> QueryBuilder<Sqlite> {
    QueryBuilder::new(text.to_owned())
}

/// Runs a statement on a connection; answers how many rows it changed.
pub(crate) async fn run(db: &mut SqliteConnection, statement: Statement<'_>) -> Result<u64> {
    statement.execute(db).await.map(|done| done.rows_affected()).map_err(failed)
}

/// All rows of a statement.
pub(crate) async fn rows(db: &mut SqliteConnection, statement: Statement<'_>) -> Result<Vec<SqliteRow>> {
    statement.fetch_all(db).await.map_err(failed)
}

/// An error of the driver in the middle of something: whoever asked says what that was.
pub(crate) fn failed(error: sqlx::Error) -> Error {
    classify("use the database", error)
}

/// Numbers as the JSON array that `json_each` reads.
pub(crate) fn numbers(numbers: &[i64]) -> String {
    serde_json::to_string(numbers).expect("numbers serialise")
}

/// Our own records always serialise.
pub(crate) fn json(record: &impl serde::Serialize) -> String {
    serde_json::to_string(record).expect("a record of strings and numbers serialises")
}

/// Several statements of a file of ours, without values.
pub(crate) async fn script(db: &mut SqliteConnection, text: &'static str) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(text)).execute(db).await.map(drop)
}
