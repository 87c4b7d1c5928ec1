//! One multiplexed connection that is made when it is needed and made anew when it broke.
//!
//! It does not retry: a call that failed is the caller's to repeat. It only forgets a connection that is of no
//! more use, so that the next call finds the server where it is then (a restarted one, or another master).

use std::sync::Mutex;
use std::time::{Duration, Instant};

use conserver_core::{Error, ErrorKind, Result, Secret};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisError, RedisResult, Value};

use crate::address::{Address, shown};
use crate::error::{breaks_connection, classify};
use crate::reply::array;
use crate::script::Script;

/// Longest wait for a connection.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection that nobody used for so long is asked whether it still stands before anything is sent on it: servers and
/// proxies drop what is idle, and a command that fails for that would have to be repeated by somebody who cannot know
/// whether it was done.
const QUIET: Duration = Duration::from_millis(100);

/// Finds the server and holds one connection to it.
pub struct Client {
    address: tokio::sync::Mutex<Address>,
    shown: String,
    response_timeout: Duration,
    current: Mutex<Option<Live>>,
}

/// A connection in use.
#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    /// Tells a broken connection from its successor.
    made: Instant,
    /// When it was last known to stand.
    used: Instant,
    server: Server,
}

/// Which server a connection speaks with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Random for each start of a server.
    pub run_id: String,
    /// Since when this client has been connected to it without a break.
    pub since: Instant,
}

impl Client {
    /// Reads the address; connects on first use. No single answer may take longer than `response_timeout`.
    ///
    /// # Errors
    /// `Invalid` if the address cannot be read.
    pub fn new(address: &Secret, response_timeout: Duration) -> Result<Self> {
        Ok(Self {
            shown: shown(address),
            address: tokio::sync::Mutex::new(Address::parse(address)?),
            response_timeout,
            current: Mutex::new(None),
        })
    }

    /// The address without credentials.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Runs one command.
    pub async fn command(&self, doing: &str, command: &Cmd) -> Result<Value> {
        self.raw(doing, command).await?.map_err(|e| classify(doing, e))
    }

    /// Runs a pipeline; answers each command's reply, an error among them included.
    pub async fn pipeline(&self, doing: &str, pipeline: &Pipeline) -> Result<Vec<Value>> {
        if pipeline.is_empty() {
            return Ok(Vec::new());
        }
        let live = self.live(doing).await?;
        let mut connection = live.connection;
        let answer = connection.send_packed_commands(pipeline, 0, pipeline.len()).await;
        let answers = self.told(doing, live.made, answer)?;
        for answer in &answers {
            if let Value::ServerError(error) = answer {
                self.forget(live.made, &error.clone().into());
            }
        }
        Ok(answers)
    }

    /// Runs a pipeline; an error of any command is the call's.
    pub(crate) async fn all(&self, doing: &str, pipeline: &Pipeline) -> Result<Vec<Value>> {
        let answers = self.pipeline(doing, pipeline).await?;
        answers.into_iter().map(|a| a.extract_error().map_err(|e| classify(doing, e))).collect()
    }

    /// Runs a pipeline as one transaction and answers each command's reply; any error in it is the call's.
    pub(crate) async fn transaction(&self, doing: &str, pipeline: &Pipeline) -> Result<Vec<Value>> {
        let live = self.live(doing).await?;
        let mut connection = live.connection;
        // MULTI and the replies that only say that a command waits are passed over.
        let answer = connection.send_packed_commands(pipeline, pipeline.len() + 1, 1).await;
        let answer = answer.and_then(|mut done| done.pop().unwrap_or(Value::Nil).extract_error());
        array(self.told(doing, live.made, answer)?, doing)
    }

    /// Runs a script by its digest, loading it where the server does not have it (after a restart or failover).
    pub(crate) async fn script(&self, doing: &str, script: &Script, command: &Cmd) -> Result<Value> {
        match self.raw(doing, command).await? {
            Err(error) if error.code() == Some("NOSCRIPT") => {
                self.command(doing, &script.load()).await?;
                self.command(doing, command).await
            }
            answer => answer.map_err(|e| classify(doing, e)),
        }
    }

    /// The server that the current connection speaks with, if there is one.
    pub(crate) fn server(&self) -> Option<Server> {
        self.current.lock().expect("no panic while held").as_ref().map(|live| live.server.clone())
    }

    /// A connection of its own that gets the server's pushes (RESP3).
    pub(crate) async fn pushes(
        &self,
        sender: tokio::sync::mpsc::UnboundedSender<redis::PushInfo>,
    ) -> Result<MultiplexedConnection> {
        let config = self.config().set_push_sender(sender);
        let doing = "open the wake-up connection";
        let opened = async {
            let client = match &mut *self.address.lock().await {
                Address::Direct(client) => (**client).clone(),
                Address::Sentinel(sentinel) => sentinel.async_get_client().await?,
            };
            let info = client.get_connection_info().clone();
            let settings = info.redis_settings().clone().set_protocol(redis::ProtocolVersion::RESP3);
            let client = redis::Client::open(info.set_redis_settings(settings))?;
            client.get_multiplexed_async_connection_with_config(&config).await
        };
        within(doing, &self.shown, opened).await
    }

    /// A synchronous connection, for a thread that no runtime can block.
    pub(crate) fn blocking(address: &Secret, timeout: Duration) -> Result<redis::Connection> {
        let doing = "open the lease connection";
        let opened = match Address::parse(address)? {
            Address::Direct(client) => client.get_connection_with_timeout(timeout),
            Address::Sentinel(mut sentinel) => {
                sentinel.get_client().and_then(|client| client.get_connection_with_timeout(timeout))
            }
        };
        let connection = opened.map_err(|e| classify(doing, e))?;
        connection.set_read_timeout(Some(timeout)).map_err(|e| classify(doing, e))?;
        connection.set_write_timeout(Some(timeout)).map_err(|e| classify(doing, e))?;
        Ok(connection)
    }

    async fn raw(&self, doing: &str, command: &Cmd) -> Result<RedisResult<Value>> {
        let live = self.live(doing).await?;
        let mut connection = live.connection;
        let answer = connection.send_packed_command(command).await.and_then(Value::extract_error);
        if let Err(error) = &answer {
            self.forget(live.made, error);
        }
        Ok(answer)
    }

    fn told<T>(&self, doing: &str, made: Instant, answer: RedisResult<T>) -> Result<T> {
        answer.map_err(|error| {
            self.forget(made, &error);
            classify(doing, error)
        })
    }

    fn forget(&self, made: Instant, error: &RedisError) {
        if breaks_connection(error) {
            self.drop_made(made);
        }
    }

    /// Lets go of a connection, but not of its successor.
    fn drop_made(&self, made: Instant) {
        let mut current = self.current.lock().expect("no panic while held");
        if current.as_ref().is_some_and(|live| live.made == made) {
            *current = None;
        }
    }

    async fn live(&self, doing: &str) -> Result<Live> {
        if let Some(live) = self.standing().await {
            return Ok(live);
        }
        let mut address = self.address.lock().await;
        if let Some(live) = self.current.lock().expect("no panic while held").clone() {
            return Ok(live);
        }
        let config = self.config();
        let opened = async {
            let mut connection = match &mut *address {
                Address::Direct(client) => {
                    client.get_multiplexed_async_connection_with_config(&config).await?
                }
                Address::Sentinel(sentinel) => sentinel.get_async_connection_with_config(&config).await?,
            };
            let info = redis::cmd("INFO").arg("server").query_async::<String>(&mut connection).await;
            let info = match info {
                // A server or a user without it can be worked with all the same.
                Err(error) if matches!(error.code(), Some("ERR" | "NOPERM")) => String::new(),
                info => info?,
            };
            let run_id = info.lines().find_map(|l| l.strip_prefix("run_id:")).unwrap_or_default().to_owned();
            Ok((connection, run_id))
        };
        let (connection, run_id) = within(doing, &self.shown, opened).await?;
        let made = Instant::now();
        let live = Live { connection, made, used: made, server: Server { run_id, since: made } };
        *self.current.lock().expect("no panic while held") = Some(live.clone());
        Ok(live)
    }

    /// The connection there is, unless it was dropped while nobody used it.
    async fn standing(&self) -> Option<Live> {
        let mut live = self.current.lock().expect("no panic while held").clone()?;
        if live.used.elapsed() > QUIET {
            let ping = redis::cmd("PING");
            let answer = tokio::time::timeout(CONNECT_TIMEOUT, live.connection.send_packed_command(&ping));
            match answer.await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => self.forget(live.made, &error),
                Err(_) => self.drop_made(live.made),
            }
        }
        let mut current = self.current.lock().expect("no panic while held");
        let current = current.as_mut()?;
        current.used = Instant::now();
        Some(current.clone())
    }

    fn config(&self) -> AsyncConnectionConfig {
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(self.response_timeout))
    }
}

async fn within<T>(doing: &str, shown: &str, opened: impl Future<Output = RedisResult<T>>) -> Result<T> {
    match tokio::time::timeout(CONNECT_TIMEOUT, opened).await {
        Ok(answer) => answer.map_err(|e| classify(doing, e).context(format!("connect to `{shown}`"))),
        Err(_) => {
            Err(Error::new(ErrorKind::Unavailable, format!("`{shown}` did not answer within 5 s"))
                .context(doing))
        }
    }
}
