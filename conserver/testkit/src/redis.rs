//! A private Redis (or Valkey) on a free loopback port, with its data in a folder of its own.
//!
//! Starting takes some ten milliseconds, so every test may have one. It can be stopped, killed, frozen and started
//! again on the same data and port. It speaks no Redis itself: tests bring the client they test.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::certificate::Certificate;
use crate::process::{OwnedProcess, free_port, program, wait_until};

/// How long a server may take to start or to stop.
const LIMIT: Duration = Duration::from_secs(20);

/// What the server does about durability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendOnly {
    /// Nothing is kept: a restart begins empty.
    No,
    /// Written at each command, synced once a second.
    Everysec,
    /// Synced before each reply.
    Always,
}

/// How to start the server.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// Durability; the default is [`AppendOnly::Always`].
    pub append_only: AppendOnly,
    /// Whether it speaks TLS, with a certificate of its own authority.
    pub tls: bool,
    /// More arguments, as on the command line: `["--requirepass", "…"]`.
    pub args: Vec<String>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self { append_only: AppendOnly::Always, tls: false, args: Vec::new() }
    }
}

/// A private server. It and its data are gone when this is dropped.
#[derive(Debug)]
pub struct RedisServer {
    // Before the folder: the process has to end first.
    process: Option<OwnedProcess>,
    options: RedisOptions,
    port: u16,
    certificate: Option<Certificate>,
    folder: TempDir,
}

impl RedisServer {
    /// Starts one with the default options: every write is synced.
    ///
    /// # Panics
    /// If `redis-server` is not installed, or does not start.
    pub fn start() -> Self {
        Self::start_with(RedisOptions::default())
    }

    /// Starts one with these options.
    ///
    /// # Panics
    /// If `redis-server` is not installed, or does not start.
    pub fn start_with(options: RedisOptions) -> Self {
        let folder =
            tempfile::Builder::new().prefix("conserver-redis-").tempdir().expect("a folder for Redis");
        let certificate = options.tls.then(|| Certificate::write_to(folder.path()));
        let mut server = Self { process: None, options, port: 0, certificate, folder };
        // Somebody else may take the port between our look and the server's.
        for _ in 0..5 {
            server.port = free_port();
            if server.try_start() {
                return server;
            }
        }
        panic!("redis-server does not start: {}", server.log());
    }

    /// Starts it again on the same port with the same data, after [`Self::stop`] or [`Self::kill`].
    ///
    /// # Panics
    /// If it is still running, or does not start.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "the server is still running: stop or kill it first");
        let started = self.try_start();
        assert!(started, "redis-server does not start again: {}", self.log());
    }

    /// Ends it the orderly way and waits for its end.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal(Signal::TERM);
            process.wait(LIMIT);
        }
    }

    /// `kill -9`, and waits for its end.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal_group(Signal::KILL);
            process.wait(LIMIT);
        }
    }

    /// Freezes it (SIGSTOP): connections stay open, nothing answers.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`Self::pause`].
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Its address as a URL, `redis://…` or `rediss://…`.
    pub fn url(&self) -> String {
        let scheme = if self.options.tls { "rediss" } else { "redis" };
        format!("{scheme}://{}", self.address())
    }

    /// Its address as host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate files, where it speaks TLS.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// The folder with its data and log.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn try_start(&mut self) -> bool {
        let log = fs::File::create(self.folder.path().join("redis.log")).expect("the log can be created");
        let mut command = Command::new(program(&["redis-server", "valkey-server"], &[], "redis-server"));
        command.args(self.arguments()).stdout(log).stderr(Stdio::null());
        let started = OwnedProcess::spawn(&mut command, "KILL", self.folder.path());
        let mut process = started.expect("redis-server can be executed");
        wait_until(LIMIT, || process.ended().is_some() || self.log().contains("Ready to accept connections"));
        let is_up = process.ended().is_none();
        self.process = is_up.then_some(process);
        is_up
    }

    fn arguments(&self) -> Vec<String> {
        let folder = self.folder.path().display().to_string();
        let port = self.port.to_string();
        let mut args = vec!["--bind", "127.0.0.1", "--dir", &folder, "--save", "", "--daemonize", "no"];
        match &self.options.append_only {
            AppendOnly::No => args.extend(["--appendonly", "no"]),
            AppendOnly::Everysec => args.extend(["--appendonly", "yes", "--appendfsync", "everysec"]),
            AppendOnly::Always => args.extend(["--appendonly", "yes", "--appendfsync", "always"]),
        }
        let mut args: Vec<String> = args.into_iter().map(str::to_owned).collect();
        let mut more = |name: &str, value: String| args.extend([name.to_owned(), value]);
        match &self.certificate {
            None => more("--port", port),
            Some(files) => {
                more("--port", "0".to_owned());
                more("--tls-port", port);
                more("--tls-ca-cert-file", files.ca.display().to_string());
                more("--tls-cert-file", files.cert.display().to_string());
                more("--tls-key-file", files.key.display().to_string());
                more("--tls-auth-clients", "no".to_owned());
            }
        }
        args.extend(self.options.args.iter().cloned());
        args
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("redis.log")).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("the server is running").signal(signal);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpStream;

    use super::*;

    /// A synced write may take its time on a busy disk.
    fn ask(server: &RedisServer, command: &str) -> std::io::Result<String> {
        ask_within(LIMIT, server, command)
    }

    fn ask_within(limit: Duration, server: &RedisServer, command: &str) -> std::io::Result<String> {
        let mut connection = TcpStream::connect(server.address())?;
        connection.set_read_timeout(Some(limit))?;
        connection.write_all(format!("{command}\r\n").as_bytes())?;
        let mut line = String::new();
        BufReader::new(connection).read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    #[test]
    fn a_killed_server_comes_back_with_its_data() {
        let mut server = RedisServer::start();
        assert_eq!(ask(&server, "RPUSH list one").unwrap(), ":1");
        server.kill();
        assert!(ask(&server, "PING").is_err());
        server.restart();
        assert_eq!(ask(&server, "RPUSH list two").unwrap(), ":2");
    }

    #[test]
    fn a_server_without_append_only_file_comes_back_empty() {
        let mut server =
            RedisServer::start_with(RedisOptions { append_only: AppendOnly::No, ..Default::default() });
        assert_eq!(ask(&server, "RPUSH list one").unwrap(), ":1");
        server.stop();
        server.restart();
        assert_eq!(ask(&server, "LLEN list").unwrap(), ":0");
    }

    #[test]
    fn a_paused_server_answers_only_when_resumed() {
        let server = RedisServer::start();
        server.pause();
        assert!(ask_within(Duration::from_millis(500), &server, "PING").is_err());
        server.resume();
        assert_eq!(ask(&server, "PING").unwrap(), "+PONG");
    }

    #[test]
    fn a_tls_server_takes_no_plain_text() {
        let server = RedisServer::start_with(RedisOptions { tls: true, ..Default::default() });
        assert!(server.url().starts_with("rediss://"));
        assert!(server.certificate().unwrap().ca.is_file());
        let answer = ask_within(Duration::from_millis(500), &server, "PING");
        assert_ne!(answer.unwrap_or_default(), "+PONG");
    }
}
