//! What stands under `options:` of a PostgreSQL storage.

use std::path::PathBuf;
use std::time::Duration;

use conserver_core::config::coerce;
use conserver_core::{Error, ErrorKind, Result, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// PostgreSQL cuts longer names off.
const MAX_NAME_BYTES: usize = 63;

/// Options of a PostgreSQL storage. All have defaults.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PostgresOptions {
    /// Where the server is, all in one: `postgres://user:password@host:5432/database?sslmode=require`. Takes the place
    /// of `host`, `port`, `user`, `password` and `database`.
    #[serde(alias = "uri", alias = "dsn", deserialize_with = "opt_secret")]
    #[schemars(with = "Option<String>")]
    pub url: Option<Secret>,

    /// The server's name or address, or the folder of its socket. Default `localhost`.
    pub host: String,

    /// The server's port. Default 5432.
    #[serde(deserialize_with = "coerce::integer")]
    #[schemars(with = "coerce::Integer<u16>")]
    pub port: u16,

    /// The database. Default `vcon_db`.
    #[serde(alias = "dbname", deserialize_with = "coerce::text")]
    #[schemars(with = "coerce::Text")]
    pub database: String,

    /// The user. Default `postgres`.
    #[serde(alias = "username", deserialize_with = "coerce::text")]
    #[schemars(with = "coerce::Text")]
    pub user: String,

    /// The user's password. Default: none, or what `~/.pgpass` or `PGPASSWORD` say.
    #[serde(deserialize_with = "secret")]
    #[schemars(with = "coerce::Text")]
    pub password: Secret,

    /// The table, made if it is missing. A name with a dot is not a name with a schema. Default `vcons`.
    #[serde(alias = "table", deserialize_with = "coerce::text")]
    #[schemars(with = "coerce::Text")]
    pub table_name: String,

    /// Encryption: `disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`. Default: what `PGSSLMODE`
    /// says, or `prefer`.
    pub sslmode: Option<String>,

    /// A file with the certificates to trust, PEM. Default: the public authorities.
    pub sslrootcert: Option<PathBuf>,

    /// Connections that one worker process keeps at most. Default 8.
    #[serde(deserialize_with = "coerce::integer")]
    #[schemars(with = "coerce::Integer<u32>")]
    pub pool_size: u32,

    /// How long to wait for a connection, new or free. Default `5s`.
    #[serde(deserialize_with = "coerce::duration")]
    #[schemars(with = "coerce::DurationText")]
    pub connect_timeout: Duration,

    /// How long one statement may take in the server. Default `30s`; `0s`: no limit.
    #[serde(deserialize_with = "coerce::duration")]
    #[schemars(with = "coerce::DurationText")]
    pub statement_timeout: Duration,

    /// Whether a new table gets an index over the whole document, for queries with `@>`. It makes saving several times
    /// slower. Default `true`, as with the Python server.
    #[serde(deserialize_with = "coerce::boolean")]
    #[schemars(with = "coerce::Boolean")]
    pub index_json: bool,

    /// Without effect, as with the Python server.
    pub name: Option<String>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            url: None,
            host: "localhost".to_owned(),
            port: 5432,
            database: "vcon_db".to_owned(),
            user: "postgres".to_owned(),
            password: Secret::default(),
            table_name: "vcons".to_owned(),
            sslmode: None,
            sslrootcert: None,
            pool_size: 8,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            index_json: true,
            name: None,
        }
    }
}

impl PostgresOptions {
    /// What is wrong with options that parsed.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if let Err(error) = self.connect_options() {
            problems.push(error.to_string());
        }
        if self.table_name.is_empty() || self.table_name.contains('\0') {
            problems.push("`table_name` is no name; the default is `vcons`".to_owned());
        }
        if self.table_name.len() > MAX_NAME_BYTES {
            problems.push(format!(
                "`table_name` is longer than the {MAX_NAME_BYTES} bytes that PostgreSQL keeps of a name"
            ));
        }
        if self.pool_size == 0 {
            problems.push("`pool_size` is 0, so nothing could be saved; the default is 8".to_owned());
        }
        if self.connect_timeout.is_zero() {
            problems
                .push("`connect_timeout` is 0, so no connection could be made; the default is 5s".to_owned());
        }
        problems
    }

    /// Where and how to connect.
    pub(crate) fn connect_options(&self) -> Result<PgConnectOptions> {
        let invalid = |message: &str| Error::new(ErrorKind::Invalid, message);
        let mut options = match &self.url {
            // The cause is left out: it may quote the text, and that has the password in it.
            Some(url) => url.expose().parse().map_err(|_| {
                invalid("`url` is no address of a PostgreSQL server; write `postgres://user:password@host:5432/database`")
            })?,
            None => self.plain_options(),
        };
        if let Some(mode) = &self.sslmode {
            let mode: PgSslMode = mode.parse().map_err(|_| {
                invalid("`sslmode` is none of `disable`, `allow`, `prefer`, `require`, `verify-ca`, `verify-full`")
            })?;
            options = options.ssl_mode(mode);
        }
        if let Some(path) = &self.sslrootcert {
            options = options.ssl_root_cert(path);
        }
        // PgBouncer refuses a startup parameter that it does not know; no number of ours needs it.
        Ok(options.application_name("conserver").extra_float_digits(None).disable_statement_logging())
    }

    fn plain_options(&self) -> PgConnectOptions {
        let options = PgConnectOptions::new().port(self.port).database(&self.database).username(&self.user);
        let options =
            if self.host.starts_with('/') { options.socket(&self.host) } else { options.host(&self.host) };
        if self.password.is_empty() { options } else { options.password(self.password.expose()) }
    }
}

/// A password that is all digits is one, too.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    coerce::text(deserializer).map(Secret::new)
}

fn opt_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(coerce::opt_text(deserializer)?.map(Secret::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> PostgresOptions {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_python_servers_options_are_read() {
        let options = parse(
            r#"{"user": "u", "password": 1234, "host": "db", "port": "5433", "database": "d", "table_name": "t", "name": "postgres"}"#,
        );
        let connect = options.connect_options().unwrap();
        assert_eq!((connect.get_host(), connect.get_port()), ("db", 5433));
        assert_eq!((connect.get_username(), connect.get_database()), ("u", Some("d")));
        assert_eq!((options.password.expose(), options.table_name.as_str()), ("1234", "t"));
        assert!(options.problems().is_empty());
    }

    #[test]
    fn other_spellings_mean_the_same() {
        let options =
            parse(r#"{"table": "t", "dbname": "d", "username": "u", "uri": "postgres://a:b@c:1/e"}"#);
        assert_eq!(
            (options.table_name.as_str(), options.database.as_str(), options.user.as_str()),
            ("t", "d", "u")
        );
        let connect = options.connect_options().unwrap();
        assert_eq!((connect.get_host(), connect.get_port(), connect.get_database()), ("c", 1, Some("e")));
    }

    #[test]
    fn a_folder_as_host_is_the_folder_of_the_socket() {
        let connect = parse(r#"{"host": "/run/postgresql"}"#).connect_options().unwrap();
        assert_eq!(connect.get_socket().unwrap().to_str(), Some("/run/postgresql"));
    }

    #[test]
    fn what_cannot_work_is_told_without_secrets() {
        let options = parse(
            r#"{"url": "postgres://user:hunter2@[", "table_name": "", "pool_size": 0, "connect_timeout": "0s"}"#,
        );
        let problems = options.problems();
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(!format!("{problems:?} {options:?}").contains("hunter2"));
        assert_eq!(parse(r#"{"sslmode": "always"}"#).problems().len(), 1);
        assert_eq!(parse(&format!(r#"{{"table": "{}"}}"#, "t".repeat(64))).problems().len(), 1);
    }
}
