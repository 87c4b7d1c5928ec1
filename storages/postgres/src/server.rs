//! The server, and transactions on it.
//!
//! Everything is a transaction, with unnamed statements and a limit of time that ends with it: behind a pooler the
//! connection belongs to others as soon as the transaction is over.

use std::sync::OnceLock;
use std::time::Duration;

use conserver_core::policy::within;
use conserver_core::{Error, ErrorKind, Result};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Postgres};

use crate::error::classify;
use crate::options::PostgresOptions;

/// A transaction; undone unless it is committed.
pub(crate) type Transaction = sqlx::Transaction<'static, Postgres>;

/// A server and the connections to it.
#[derive(Debug)]
pub(crate) struct Server {
    connect: PgConnectOptions,
    options: PgPoolOptions,
    // Made at first use: a pool needs a runtime around it.
    pool: OnceLock<PgPool>,
    begin: String,
}

impl Server {
    pub(crate) fn new(options: &PostgresOptions) -> Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(options.pool_size)
            .acquire_timeout(options.connect_timeout)
            // Waiting for a connection is told by the error; the driver need not warn about it as well.
            .acquire_slow_threshold(Duration::MAX);
        // Zero is the server's word for no limit.
        let limit = options.statement_timeout.as_millis();
        Ok(Self {
            connect: options.connect_options()?,
            options: pool,
            pool: OnceLock::new(),
            begin: format!("BEGIN; SET LOCAL statement_timeout = {limit}"),
        })
    }

    /// Begins a transaction. A server that refuses is told at once.
    pub(crate) async fn begin(&self) -> Result<Transaction> {
        let pool = self.pool.get_or_init(|| self.options.clone().connect_lazy_with(self.connect.clone()));
        // The pool asks a server that refuses until its time is up, and keeps the cause to itself: where it would have
        // to make a connection, the server is asked first.
        let is_full = pool.size() >= self.options.get_max_connections();
        if pool.num_idle() == 0 && !is_full {
            self.reach().await?;
        }
        match pool.begin_with(AssertSqlSafe(self.begin.clone())).await {
            Err(sqlx::Error::PoolTimedOut) if !is_full => {
                self.reach().await?;
                Err(classify("begin", sqlx::Error::PoolTimedOut))
            }
            other => other.map_err(|error| classify("begin", error)),
        }
    }

    /// Makes a connection of its own and ends it.
    async fn reach(&self) -> Result<()> {
        let doing = || format!("connect to {}", self.place());
        let patience = self.options.get_acquire_timeout();
        match within(Some(patience), PgConnection::connect_with(&self.connect)).await {
            Ok(Ok(connection)) => {
                // Whether it hears the farewell does not matter.
                drop(within(Some(patience), connection.close()).await);
                Ok(())
            }
            Ok(Err(error)) => Err(classify(&doing(), error)),
            Err(_) => {
                let says = format!("cannot {}: no answer within `connect_timeout`, {patience:?}", doing());
                Err(Error::new(ErrorKind::Unavailable, says))
            }
        }
    }

    /// Where it is, without secrets.
    pub(crate) fn place(&self) -> String {
        let database = self.connect.get_database().unwrap_or(self.connect.get_username());
        match self.connect.get_socket() {
            Some(socket) => format!("{}, database {database}", socket.display()),
            None => format!("{}:{}, database {database}", self.connect.get_host(), self.connect.get_port()),
        }
    }
}
