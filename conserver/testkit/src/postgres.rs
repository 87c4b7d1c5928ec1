//! A private PostgreSQL: its cluster in a folder of its own, a socket there, and a free loopback port.
//!
//! A start takes about a second, so the tests of one process share a server ([`PostgresServer::shared`]) and each has
//! a database of its own; tests that stop or kill the server start their own. Data is synced as in production.
//! Over TCP a password is asked for and TLS is offered; over the socket everybody is trusted.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Signal, geteuid};
use tempfile::TempDir;

use crate::certificate::Certificate;
use crate::process::{OwnedProcess, free_port, program, wait_until};

/// How long a server may take to start or to stop.
const LIMIT: Duration = Duration::from_secs(60);

/// The superuser of the cluster.
pub const USER: &str = "postgres";

/// The superuser's password over TCP.
pub const PASSWORD: &str = "open sesame";

/// A private server. It and its data are gone when this is dropped.
#[derive(Debug)]
pub struct PostgresServer {
    // Before the folder: the process has to end first.
    process: Option<OwnedProcess>,
    port: u16,
    account: Option<Account>,
    certificate: Certificate,
    folder: TempDir,
}

/// A database of its own in a server.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// The server's port on 127.0.0.1.
    pub port: u16,
    /// The folder of the server's socket, for a client that wants no password.
    pub socket: PathBuf,
}

impl Database {
    /// Its address with user and password.
    pub fn url(&self) -> String {
        let password = PASSWORD.replace(' ', "%20");
        format!("postgres://{USER}:{password}@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// Runs SQL with `psql` and returns what it printed: rows as lines, columns separated by `|`.
    ///
    /// # Panics
    /// If the server refuses it.
    pub fn psql(&self, sql: &str) -> String {
        let output = Command::new(postgres_program("psql"))
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", USER, "-d", &self.name])
            .args(["-p", &self.port.to_string(), "-h"])
            .arg(&self.socket)
            .args(["-c", sql])
            .output()
            .expect("psql can be executed");
        assert!(output.status.success(), "`{sql}`: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }
}

/// Whom the server runs as, where the tests run as root: PostgreSQL refuses to.
#[derive(Debug, Clone, Copy)]
struct Account {
    uid: u32,
    gid: u32,
}

impl PostgresServer {
    /// The server that the tests of this process share.
    ///
    /// # Panics
    /// If PostgreSQL is not installed, or does not start.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<PostgresServer> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts a server of its own.
    ///
    /// # Panics
    /// If PostgreSQL is not installed, or does not start.
    pub fn start() -> Self {
        let folder =
            tempfile::Builder::new().prefix("conserver-pg-").tempdir().expect("a folder for PostgreSQL");
        let certificate = Certificate::write_to(folder.path());
        let account = geteuid().is_root().then(Account::find);
        let mut server = Self { process: None, port: 0, account, certificate, folder };
        server.create_cluster();
        // Somebody else may take the port between our look and the server's.
        for _ in 0..5 {
            server.port = free_port();
            if server.try_start() {
                return server;
            }
        }
        panic!("postgres does not start: {}", server.log());
    }

    /// Starts it again on the same port with the same data, after [`Self::stop`] or [`Self::kill`].
    ///
    /// # Panics
    /// If it is still running, or does not start.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "the server is still running: stop or kill it first");
        // Backends of a killed server end on their own; until then the new one refuses the data.
        let started = wait_until(LIMIT, || self.try_start());
        assert!(started, "postgres does not start again: {}", self.log());
    }

    /// Ends it, closing all connections, and waits for its end.
    pub fn stop(&mut self) {
        self.end(Signal::INT);
    }

    /// `kill -9`, and waits for its end.
    pub fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    /// Creates an empty database.
    pub fn create_database(&self) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.database("postgres").psql(&format!("CREATE DATABASE {name}"));
        self.database(&name)
    }

    /// An existing database.
    pub fn database(&self, name: &str) -> Database {
        Database { name: name.to_owned(), port: self.port, socket: self.folder.path().to_owned() }
    }

    /// The certificate files: TLS is offered on the port.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    fn create_cluster(&self) {
        let folder = self.folder.path();
        let password = folder.join("password");
        fs::write(&password, PASSWORD).expect("the password can be written");
        // The authority's certificate is for clients to read.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        for path in [folder, &password, &self.certificate.cert, &self.certificate.key] {
            if let Some(account) = self.account {
                chown(path, Some(account.uid), Some(account.gid)).expect("root may give files away");
            }
        }
        let output = self
            .command("initdb")
            .args([
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C",
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
            ])
            .arg(format!("--username={USER}"))
            .arg(format!("--pwfile={}", password.display()))
            .arg(format!("--pgdata={}", self.data().display()))
            .output()
            .expect("initdb can be executed");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn try_start(&mut self) -> bool {
        let log = fs::File::create(self.log_file()).expect("the log can be created");
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        let settings = [
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("unix_socket_directories", self.folder.path().display().to_string()),
            ("ssl", "on".to_owned()),
            ("ssl_cert_file", self.certificate.cert.display().to_string()),
            ("ssl_key_file", self.certificate.key.display().to_string()),
            ("fsync", "on".to_owned()),
            ("max_connections", "200".to_owned()),
        ];
        for (name, value) in settings {
            command.args(["-c", &format!("{name}={value}")]);
        }
        command.stdout(Stdio::null()).stderr(log);
        let started = OwnedProcess::spawn(&mut command, "QUIT", self.folder.path());
        let mut process = started.expect("postgres can be executed");
        wait_until(LIMIT, || process.ended().is_some() || self.log().contains("ready to accept connections"));
        let is_up = process.ended().is_none();
        self.process = is_up.then_some(process);
        is_up
    }

    fn end(&mut self, signal: Signal) {
        if let Some(mut process) = self.process.take() {
            process.signal(signal);
            process.wait(LIMIT);
        }
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(postgres_program(name));
        command.current_dir(self.folder.path()).env("LC_ALL", "C").env_remove("PGDATA");
        if let Some(account) = self.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("postgres.log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // QUIT, not KILL: the server then takes its backends and its shared memory along.
        self.end(Signal::QUIT);
    }
}

impl Account {
    /// The account `postgres` of the Debian package, or else `nobody`.
    fn find() -> Self {
        let accounts = fs::read_to_string("/etc/passwd").expect("/etc/passwd can be read");
        let find = |name: &str| {
            let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2);
            Some(Self { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
        };
        let account = find("postgres").or_else(|| find("nobody"));
        account
            .expect("tests as root need an account `postgres` or `nobody`: PostgreSQL refuses to run as root")
    }
}

/// A program of the server's package, which Debian does not put into `PATH`.
fn postgres_program(name: &str) -> PathBuf {
    program(&[name], &["/usr/lib/postgresql/*/bin"], "postgresql")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_is_empty_and_its_own() {
        let (one, two) =
            (PostgresServer::shared().create_database(), PostgresServer::shared().create_database());
        one.psql("CREATE TABLE t AS SELECT 1 AS a");
        assert_eq!(one.psql("SELECT a FROM t"), "1");
        assert_eq!(two.psql("SELECT to_regclass('t') IS NULL"), "t");
        assert_eq!(one.psql("SHOW fsync"), "on");
    }

    #[test]
    fn a_killed_server_comes_back_with_its_data_and_goes_with_its_owner() {
        let mut server = PostgresServer::start();
        let database = server.create_database();
        database.psql("CREATE TABLE t AS SELECT 7 AS a");
        server.kill();
        server.restart();
        assert_eq!(database.psql("SELECT a FROM t"), "7");
        let folder = server.folder.path().to_owned();
        drop(server);
        assert!(!folder.exists());
    }
}
