//! Every environment variable that has an effect, as a documented constant.
//!
//! The file says what the pipeline does, the environment how this process runs. [`ALL`] is the table from which
//! `--help` and the docs are made. Values are looked up through [`Vars`], so that a test brings its own.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Where variables are looked up.
pub trait Vars {
    /// The value of a variable; `None` if it is not set.
    fn get(&self, name: &str) -> Option<String>;

    /// Whether what a reference to a variable brings is unknown rather than missing: then nothing is said about it.
    fn is_unknown(&self) -> bool {
        false
    }
}

/// No environment: a file is looked at where its variables are not known, as in CI.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unknown;

impl Vars for Unknown {
    fn get(&self, _: &str) -> Option<String> {
        None
    }

    fn is_unknown(&self) -> bool {
        true
    }
}

/// The environment of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Process;

impl Vars for Process {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }
}

impl Vars for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }
}

impl Vars for HashMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }
}

/// Loads `.env` of `directory` into the environment of this process; variables that are set already win. A line that
/// cannot be read costs itself: answers a sentence about each, with its number. To be called first of all, while the process
/// has one thread.
///
/// # Errors
/// The sentence for the operator, when the file is there and cannot be read.
pub fn load_dotenv(directory: &Path) -> Result<Vec<String>, String> {
    let file = directory.join(".env");
    // A Python environment may have this name, and opening a pipe would wait for somebody to write.
    if !file.metadata().is_ok_and(|found| found.is_file()) {
        return Ok(Vec::new());
    }
    let bytes = std::fs::read(&file)
        .map_err(|error| format!("`{}` cannot be read: {}", file.display(), error.kind()))?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines: Vec<&str> = text.lines().collect();
    let (mut odd, mut at) = (Vec::new(), 0);
    while at < lines.len() {
        let count = lines_of_value(&lines[at..]);
        let assignment = lines[at..at + count].join("\n");
        // The parser's own text may quote the line, and with it a secret.
        if dotenvy::from_read(assignment.as_bytes()).is_err() {
            odd.push(format!("`{}` line {} is no `NAME=value`, and is passed over", file.display(), at + 1));
            at += 1;
        } else {
            at += count;
        }
    }
    Ok(odd)
}

/// How many lines the first assignment takes: more than one where a quote at the beginning of its value ends further down.
fn lines_of_value(lines: &[&str]) -> usize {
    let value = lines.first().and_then(|line| line.split_once('=')).map(|(_, value)| value.trim_start());
    let Some(quote) = value.and_then(|value| value.chars().next()).filter(|c| matches!(c, '"' | '\'')) else {
        return 1;
    };
    let opened = value.unwrap_or_default();
    if opened[1..].contains(quote) {
        return 1;
    }
    lines.iter().skip(1).position(|line| line.contains(quote)).map_or(1, |last| last + 2)
}

/// Whether whoever looks at the terminal wants colours and the like.
pub fn wants_colours(vars: &dyn Vars) -> bool {
    vars.get(NO_COLOR).is_none_or(|value| value.is_empty()) && can_move(vars)
}

/// Whether the terminal can do more than print line after line.
pub fn can_move(vars: &dyn Vars) -> bool {
    vars.get(TERM).is_none_or(|value| value != "dumb")
}

/// What a variable is about, for grouping in help and docs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Which file, which backend, how many workers.
    Process,
    /// How long things are kept.
    Retention,
    /// The documents.
    Document,
    /// The REST API.
    Api,
    /// Logs, metrics, traces.
    Telemetry,
    /// Credentials that links and storages fall back to.
    Credentials,
}

/// One variable of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What holds if it is not set, as one would write it; empty: nothing.
    pub default: &'static str,
    /// What it does, one or two sentences.
    pub meaning: &'static str,
    /// What it is about.
    pub group: Group,
}

macro_rules! variables {
    ($($group:ident { $($name:ident = $default:literal: $meaning:literal,)* })*) => {
        $($(#[doc = $meaning] pub const $name: &str = stringify!($name);)*)*

        /// Every variable that has an effect, in the order of help and docs.
        pub const ALL: &[Variable] = &[
            $($(Variable { name: $name, default: $default, meaning: $meaning, group: Group::$group },)*)*
        ];
    };
}

variables! {
    Process {
        CONSERVER_CONFIG_FILE = "./example_config.yml": "Path of the YAML file.",
        REDIS_URL = "redis://localhost": "Redis or Valkey: `redis://`, `rediss://` or `unix://`, with credentials and database.",
        CONSERVER_DATA_DIR = "./conserver-data": "Folder of the embedded backend, which a file with `conserver: 1` uses that names no Redis.",
        CONSERVER_WORKERS = "1": "Worker processes; at least 1.",
        CONSERVER_THREADS = "": "Threads of each worker's runtime; not set: one per core, shared out among the workers.",
        CONSERVER_VCON_CONCURRENCY = "1": "vCons in flight per worker and chain where the chain does not say; at least 1. Our dialect's default is 64.",
        CONSERVER_DRAIN_TIMEOUT = "30s": "How long a stop waits for what is in flight before it is given back.",
        CONSERVER_PARALLEL_STORAGE = "true": "Recognised; storages are always written in parallel.",
    }
    Retention {
        VCON_REDIS_EXPIRY = "3600": "Seconds that a document lives in Redis after it is done; 0: for ever.",
        VCON_INDEX_EXPIRY = "86400": "Seconds that the search sets (`tel:`, `mailto:`, `name:`) live; 0: for ever.",
        VCON_CONTEXT_EXPIRY = "86400": "Seconds that a trace context lives; 0: for ever.",
        VCON_DLQ_EXPIRY = "604800": "Seconds that the document of a dead letter is kept at least; 0: its time to live is left alone.",
        VCON_SORTED_SET_NAME = "vcons": "Name of the sorted set of all ids.",
    }
    Document {
        VCON_BODY_SHAPE = "native": "How links write bodies: `native` JSON values, or `text` as older versions of the Python server did.",
        EGRESS_FORMAT_VERSION = "": "`0.0.1`: copies leave for storages and webhooks in the old format.",
        VCON_STORAGE_FALLBACK_ENABLED = "true": "Whether a document that Redis does not have is looked for in the storages.",
        UUID8_DOMAIN_NAME = "strolid.com": "Domain from which the ids of new vCons are made.",
    }
    Api {
        CONSERVER_LISTEN = "127.0.0.1:8000": "Address and port of the API. Without any key it stays on this machine.",
        API_ROOT_PATH = "/api": "Path under which the API is served, beside `/`.",
        CONSERVER_API_TOKEN = "": "One key with all rights.",
        CONSERVER_API_TOKEN_FILE = "": "File with keys with all rights, one per line.",
        CONSERVER_HEADER_NAME = "x-conserver-api-token": "Header that carries the key.",
        VCON_SERVER_VERSION = "": "Version that the API reports; not set: that of the program.",
        VCON_SERVER_GIT_COMMIT = "unknown": "Commit that the API reports.",
        VCON_SERVER_BUILD_TIME = "unknown": "Build time that the API reports.",
    }
    Telemetry {
        CONSERVER_LOG = "info": "Log filter: `info`, or `info,conserver_core=debug`.",
        CONSERVER_LOG_FORMAT = "": "`json` or `pretty`; not set: pretty on a terminal, else JSON.",
        NO_COLOR = "": "Any value: no colours, and nothing in bold.",
        TERM = "": "`dumb`: no colours either, and nothing that moves.",
        CONSERVER_STATSD = "": "Host and port of a StatsD server.",
        OTEL_EXPORTER_OTLP_ENDPOINT = "": "OTLP collector; metrics and traces are exported only if it is set.",
        OTEL_EXPORTER_OTLP_PROTOCOL = "grpc": "`grpc` or `http/protobuf`.",
        OTEL_EXPORTER_OTLP_HEADERS = "": "Headers for the collector: `name=value,name=value`.",
        OTEL_SERVICE_NAME = "vcon-server": "Service name in metrics and traces.",
        OTEL_RESOURCE_ATTRIBUTES = "": "More attributes of the service: `name=value,name=value`.",
        OTEL_METRIC_EXPORT_INTERVAL = "5000": "Milliseconds between two exports of metrics.",
        OTEL_EXPORTER_OTLP_TIMEOUT = "10000": "Milliseconds that one export may take.",
        OTEL_TRACES_SAMPLER = "parentbased_always_on": "Which runs are traced: `always_on`, `always_off`, `traceidratio`, or one of these with `parentbased_` before it.",
        OTEL_TRACES_SAMPLER_ARG = "1.0": "For `traceidratio`: the part of runs that are traced.",
        OTEL_BSP_MAX_QUEUE_SIZE = "2048": "Spans that wait to be exported; further ones are dropped.",
    }
    Credentials {
        OPENAI_API_KEY = "": "Key of links that use OpenAI, where their options name none.",
        DEEPGRAM_KEY = "": "Key of links that use Deepgram, where their options name none.",
        GROQ_API_KEY = "": "Key of links that use Groq, where their options name none.",
        SXT_API_KEY = "": "Key of the `spaceandtime` storage.",
        SXT_VCON_TABLENAME = "": "Table of the `spaceandtime` storage.",
        SXT_VCON_TABLE_WRITE_BISCUI = "": "Biscuit of the `spaceandtime` storage, spelled as the Python server does.",
    }
}

/// Variables that sites set and that do nothing, each with what does it instead. `HOSTNAME` and `ENV` are not
/// among them: every shell and container sets them for reasons of its own.
pub const DEAD: &[(&str, &str)] = &[
    ("CONSERVER_START_METHOD", "workers are always started as new processes"),
    ("LOGGING_CONFIG_FILE", "set `CONSERVER_LOG` and `CONSERVER_LOG_FORMAT`"),
    ("LOG_FORMAT", "set `CONSERVER_LOG_FORMAT`"),
    ("LOG_LEVEL", "set `CONSERVER_LOG`"),
    ("SENTRY_DSN", "errors are reported through logs and `OTEL_EXPORTER_OTLP_ENDPOINT`"),
    ("TICK_INTERVAL", "metrics are gathered when they are asked for"),
    ("VCON_SORTED_FORCE_RESET", "the sorted set is kept in step by itself"),
    ("VCON_STORAGE", "name storages in the file"),
    ("WEVIATE_API_KEY", "there is no such storage"),
    ("WEVIATE_HOST", "there is no such storage"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_says_what_it_does_and_is_listed_once() {
        let mut names: Vec<_> = ALL.iter().map(|variable| variable.name).collect();
        assert!(ALL.iter().all(|variable| variable.meaning.ends_with('.')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn a_variable_that_is_set_wins_over_the_dotenv_file() {
        let directory = std::env::temp_dir().join(format!("conserver-dotenv-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        assert_eq!(load_dotenv(&directory), Ok(Vec::new()));
        let text = "\u{feff}PATH=nowhere\r\nSECRET hunter2\nMOTD=it's\nCONSERVER_DOTENV_KEY=\"a\nb\"\n\
                    OPEN='never closed\nCONSERVER_DOTENV_PROBE='a b'\n";
        std::fs::write(directory.join(".env"), text).unwrap();
        let odd = load_dotenv(&directory).unwrap();
        assert_eq!(Process.get("CONSERVER_DOTENV_PROBE").as_deref(), Some("a b"));
        assert_eq!(Process.get("CONSERVER_DOTENV_KEY").as_deref(), Some("a\nb"));
        assert_ne!(Process.get("PATH").as_deref(), Some("nowhere"));
        let numbers: Vec<_> =
            odd.iter().map(|text| text.split("line ").nth(1).unwrap()[..1].to_owned()).collect();
        assert_eq!(numbers, ["2", "3", "6"], "{odd:?}");
        assert!(odd.iter().all(|text| !text.contains("hunter2")), "{odd:?}");
        std::fs::remove_file(directory.join(".env")).unwrap();
        std::fs::create_dir(directory.join(".env")).unwrap();
        assert_eq!(load_dotenv(&directory), Ok(Vec::new()));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
