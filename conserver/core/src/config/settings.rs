//! How this process runs: resolved from the environment, overridden by what the file says.

mod change;
mod environment;
mod file;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use conserver_vcon::{BodyShape, Limits};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::env::{self, Vars};
use super::raw::RawFile;
use super::report::Report;
use crate::story::Memory;
use crate::{QueueName, Secret};

/// The settings of a process. Plain data; [`Settings::default`] is what holds with an empty environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The YAML file, as it was named.
    pub config_file: PathBuf,
    /// Redis, with credentials; `None`: the embedded backend in [`Settings::data_dir`].
    pub redis_url: Option<Secret>,
    /// Folder of the embedded backend, as it was named.
    pub data_dir: PathBuf,
    /// Worker processes; at least 1.
    pub workers: usize,
    /// Threads of each worker's runtime; `None`: cores shared out among the workers.
    pub threads: Option<usize>,
    /// vCons in flight per worker, for chains that do not say; at least 1.
    pub concurrency: usize,
    /// How ids are taken from lists.
    pub delivery: Delivery,
    /// Which list is served next.
    pub claim_order: ClaimOrder,
    /// How long a stop waits for what is in flight.
    pub drain_timeout: Duration,
    /// Time to live of a document after it is done; `None`: for ever.
    pub vcon_expiry: Option<Duration>,
    /// Time to live of the search sets; `None`: for ever.
    pub index_expiry: Option<Duration>,
    /// Time to live of a trace context; `None`: for ever.
    pub context_expiry: Option<Duration>,
    /// How long the document of a dead letter is kept at least; `None`: its time to live is left alone.
    pub dlq_expiry: Option<Duration>,
    /// Name of the sorted set of all ids.
    pub sorted_set: String,
    /// Whether a document that the store does not have is looked for in the storages.
    pub storage_fallback: bool,
    /// How links write bodies.
    pub body_shape: BodyShape,
    /// Whether copies leave in the 0.0.1 format.
    pub legacy_egress: bool,
    /// A document larger than this is never loaded, in bytes.
    pub max_document_bytes: usize,
    /// Documents that one worker holds at once, in bytes.
    pub max_bytes_in_flight: usize,
    /// How much is remembered of what became of each vCon.
    pub stories: Memory,
    /// Domain from which the ids of new vCons are made.
    pub uuid_domain: String,
    /// The REST API.
    pub api: ApiSettings,
    /// Logs.
    pub log: LogSettings,
    /// OTLP; `None`: nothing is exported.
    pub otlp: Option<OtlpSettings>,
    /// Host and port of a StatsD server.
    pub statsd: Option<String>,
    /// What the API reports about this build.
    pub version: VersionSettings,
}

/// How ids are taken from lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// Nothing is lost when a process dies; a vCon may run more than once.
    #[default]
    AtLeastOnce,
    /// As the Python server: what a dying process held is lost.
    AtMostOnce,
}

/// Which list is served next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimOrder {
    /// All lists in turn, by the `weight` of their chains.
    #[default]
    Weighted,
    /// As the Python server: the first list of the file that has something.
    Strict,
}

/// The REST API.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiSettings {
    /// Address and port.
    pub listen: String,
    /// Path under which it is served, beside `/`; without a slash at the end.
    pub root_path: String,
    /// Header that carries the key, lowercase.
    pub header: String,
    /// Keys; none: the API is open, and stays on this machine.
    pub keys: Vec<ApiKey>,
    /// Keys of partners that may only post to one list.
    pub ingress_auth: IndexMap<QueueName, Vec<Secret>>,
    /// Origins whose pages may call it; `*` for all. None: no page of another origin.
    pub cors: Vec<String>,
    /// What it speaks TLS with.
    pub tls: Option<TlsFiles>,
    /// Ids that a list may hold before posts to it are refused; `None`: any number.
    pub max_queue_length: Option<u64>,
    /// Status of what is refused because there is too much; `None`: 503 for what brings vCons, else 429.
    pub overload_status: Option<u16>,
    /// What becomes of requests that name a list of which no chain takes anything.
    pub unknown_lists: UnknownLists,
    /// Where it is written who changed what: JSON lines. `None`: nowhere.
    pub audit: Option<PathBuf>,
}

/// One key of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What it is called in logs.
    pub name: String,
    /// The key itself.
    pub key: Secret,
    /// What it may do.
    pub role: Role,
    /// The lists that an `ingest` key may post to.
    pub lists: Vec<QueueName>,
    /// Requests per second; `None`: as many as there come.
    pub rate: Option<NonZeroU32>,
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Posts vCons to the lists that the key names, and nothing else.
    Ingest,
    /// Reads and searches vCons, and looks at queues.
    Viewer,
    /// What a viewer may do; posts and deletes vCons, takes ids from lists, replays dead letters, pauses lists.
    Operator,
    /// Everything, the configuration included.
    #[default]
    Admin,
}

/// What becomes of requests that name a list of which no chain takes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnknownLists {
    /// It is done, and told.
    #[default]
    Accept,
    /// It is not done.
    Refuse,
}

/// Where the certificate of the API lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate with its chain, PEM.
    pub cert: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The filter: `info,conserver_core=debug`.
    pub filter: String,
    /// The format; `None`: pretty on a terminal, else JSON.
    pub format: Option<LogFormat>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For people.
    Pretty,
}

impl LogSettings {
    /// What the environment says, for what has to be told before the configuration is known.
    pub fn of_environment(vars: &dyn Vars) -> Self {
        let format = vars.get(env::CONSERVER_LOG_FORMAT);
        Self { filter: "info".to_owned(), format: format.as_deref().and_then(LogFormat::named) }
    }
}

impl LogFormat {
    /// The format of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "pretty" => Some(Self::Pretty),
            _ => None,
        }
    }
}

/// OTLP. The endpoint, headers, samplers and the rest are read by its SDK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtlpSettings {
    /// How it speaks to the collector.
    pub protocol: OtlpProtocol,
    /// `service.name`, where the environment names one.
    pub service_name: Option<String>,
    /// Between two exports of metrics.
    pub interval: Duration,
}

/// How OTLP speaks to the collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OtlpProtocol {
    /// gRPC.
    #[default]
    Grpc,
    /// Protobuf over HTTP.
    Http,
}

/// What the API reports about this build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSettings {
    /// The version.
    pub version: String,
    /// The commit.
    pub commit: String,
    /// When it was built.
    pub build_time: String,
}

impl Settings {
    /// The settings of a process that reads this file in this environment.
    pub(crate) fn resolve(file_name: &str, raw: &RawFile, vars: &dyn Vars, report: &mut Report<'_>) -> Self {
        let mut settings = Self { config_file: PathBuf::from(file_name), ..Self::default() };
        environment::apply(&mut settings, vars, report);
        file::apply(&mut settings, raw, vars, report);
        settings
    }
}

impl Settings {
    /// What a document may measure.
    pub fn limits(&self) -> Limits {
        Limits { max_bytes: self.max_document_bytes, ..Limits::default() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        let hours = |hours: u64| Some(Duration::from_secs(hours * 3600));
        Self {
            config_file: PathBuf::from("./example_config.yml"),
            redis_url: Some(Secret::new(DEFAULT_REDIS)),
            data_dir: PathBuf::from("./conserver-data"),
            workers: 1,
            threads: None,
            concurrency: 1,
            delivery: Delivery::default(),
            claim_order: ClaimOrder::default(),
            drain_timeout: Duration::from_secs(30),
            vcon_expiry: hours(1),
            index_expiry: hours(24),
            context_expiry: hours(24),
            dlq_expiry: hours(7 * 24),
            sorted_set: crate::name::SORTED_SET.to_owned(),
            storage_fallback: true,
            body_shape: BodyShape::Native,
            legacy_egress: false,
            max_document_bytes: 64 << 20,
            max_bytes_in_flight: 256 << 20,
            stories: Memory { runs: 100_000, age: Duration::from_secs(24 * 3600) },
            uuid_domain: "strolid.com".to_owned(),
            api: ApiSettings::default(),
            log: LogSettings { filter: "info".to_owned(), format: None },
            otlp: None,
            statsd: None,
            version: VersionSettings {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                commit: "unknown".to_owned(),
                build_time: "unknown".to_owned(),
            },
        }
    }
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8000".to_owned(),
            root_path: "/api".to_owned(),
            header: "x-conserver-api-token".to_owned(),
            keys: Vec::new(),
            ingress_auth: IndexMap::new(),
            cors: Vec::new(),
            tls: None,
            max_queue_length: None,
            overload_status: None,
            unknown_lists: UnknownLists::default(),
            audit: None,
        }
    }
}

/// Where Redis is expected when nobody says.
const DEFAULT_REDIS: &str = "redis://localhost";
