//! Keeps vCons in a PostgreSQL table, as the Python server does.
//!
//! One row for each vCon: the document as `jsonb`, and beside it the columns that the Python server fills. A table of
//! that server is used as it is; a new one is made with the same columns. A batch is one statement.
//!
//! * [`options`]: what the file of the conserver says.
//! * `table`: the SQL, and how a missing table is made.
//! * `row`: from a document to a row.
//! * `jsonb`: what `jsonb` does not take, and how text reaches it unparsed.
//! * `storage`: the contract; a batch with a bad row in it is taken apart until the bad row stands alone.
//! * `error`: what a server's error code means for the vCon.

mod error;
mod jsonb;
pub mod options;
mod row;
mod server;
mod storage;
mod table;

use std::sync::Arc;

use conserver_core::Result;
use conserver_core::registry::{BuildContext, StorageKind};
use conserver_core::storage::Storage;

pub use options::PostgresOptions;
pub use storage::PostgresStorage;

/// The registry's entry.
#[derive(Debug)]
pub struct Postgres;

impl StorageKind for Postgres {
    const NAME: &'static str = "postgres";
    const ALIASES: &'static [&'static str] = &["storage.postgres", "postgresql"];
    type Options = PostgresOptions;

    fn check(options: &PostgresOptions) -> Vec<String> {
        options.problems()
    }

    fn build(options: PostgresOptions, cx: &BuildContext) -> Result<Arc<dyn Storage>> {
        Ok(Arc::new(PostgresStorage::new(&options, cx)?))
    }
}
