//! Settings from the environment, with the Python server's rules: an integer that is none is an error, a boolean that
//! is none is false.

use std::path::{Path as FilePath, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use conserver_vcon::BodyShape;

use super::{ApiKey, LogFormat, OtlpProtocol, OtlpSettings, Role, Settings};
use crate::Secret;
use crate::config::coerce::DurationText;
use crate::config::env::{self, Vars};
use crate::config::problem::Severity;
use crate::config::report::Report;

/// Fills in what the environment says.
pub(super) fn apply(settings: &mut Settings, vars: &dyn Vars, report: &mut Report<'_>) {
    let mut env = Environment { vars, report };
    env.process(settings);
    env.retention(settings);
    env.documents(settings);
    env.api(settings);
    env.log(settings);
    env.telemetry(settings);
    env.version(settings);
    for (name, instead) in env::DEAD {
        if env.text(name).is_some() {
            env.report.variable(Severity::Warning, name, "has no effect").hint(*instead);
        }
    }
}

struct Environment<'a, 'r> {
    vars: &'a dyn Vars,
    report: &'a mut Report<'r>,
}

impl Environment<'_, '_> {
    fn process(&mut self, settings: &mut Settings) {
        if let Some(url) = self.text(env::REDIS_URL) {
            settings.redis_url = Some(Secret::new(url));
        }
        if let Some(directory) = self.text(env::CONSERVER_DATA_DIR) {
            settings.data_dir = PathBuf::from(directory);
        }
        if let Some(workers) = self.at_least_one(env::CONSERVER_WORKERS) {
            settings.workers = workers;
        }
        settings.threads = self.at_least_one(env::CONSERVER_THREADS);
        if let Some(concurrency) = self.at_least_one(env::CONSERVER_VCON_CONCURRENCY) {
            settings.concurrency = concurrency;
        }
        if let Some(text) = self.text(env::CONSERVER_DRAIN_TIMEOUT) {
            match DurationText::parse(&text) {
                Ok(timeout) => settings.drain_timeout = timeout.value,
                Err(message) => {
                    self.report.variable(Severity::Error, env::CONSERVER_DRAIN_TIMEOUT, message);
                }
            }
        }
        if !self.flag(env::CONSERVER_PARALLEL_STORAGE, true) {
            let message = "has no effect: storages are always written in parallel";
            self.report.variable(Severity::Warning, env::CONSERVER_PARALLEL_STORAGE, message);
        }
    }

    fn retention(&mut self, settings: &mut Settings) {
        for (name, expiry) in [
            (env::VCON_REDIS_EXPIRY, &mut settings.vcon_expiry),
            (env::VCON_INDEX_EXPIRY, &mut settings.index_expiry),
            (env::VCON_CONTEXT_EXPIRY, &mut settings.context_expiry),
            (env::VCON_DLQ_EXPIRY, &mut settings.dlq_expiry),
        ] {
            let Some(seconds) = self.number::<i64>(name) else { continue };
            *expiry = u64::try_from(seconds).ok().filter(|&seconds| seconds > 0).map(Duration::from_secs);
            if expiry.is_none() && name != env::VCON_DLQ_EXPIRY {
                self.report.variable(Severity::Warning, name, "is not positive, taken as `for ever`");
            }
        }
        if let Some(name) = self.text(env::VCON_SORTED_SET_NAME) {
            settings.sorted_set = name;
        }
    }

    fn documents(&mut self, settings: &mut Settings) {
        settings.storage_fallback = self.flag(env::VCON_STORAGE_FALLBACK_ENABLED, true);
        match self.text(env::VCON_BODY_SHAPE).as_deref() {
            None | Some("native") => {}
            Some("text") => settings.body_shape = BodyShape::Text,
            Some(_) => {
                let message = "is neither `native` nor `text`";
                self.report.variable(Severity::Error, env::VCON_BODY_SHAPE, message);
            }
        }
        match self.text(env::EGRESS_FORMAT_VERSION).as_deref() {
            None => {}
            Some("0.0.1") => settings.legacy_egress = true,
            Some(_) => {
                let message = "is not `0.0.1`, the only format there is beside the current one";
                self.report
                    .variable(Severity::Error, env::EGRESS_FORMAT_VERSION, message)
                    .hint("write `0.0.1`, or unset it for the current format");
            }
        }
        if let Some(domain) = self.text(env::UUID8_DOMAIN_NAME) {
            settings.uuid_domain = domain;
        }
    }

    fn api(&mut self, settings: &mut Settings) {
        let api = &mut settings.api;
        if let Some(listen) = self.text(env::CONSERVER_LISTEN) {
            if is_address(&listen) {
                api.listen = listen;
            } else {
                let message = "is no address with a port";
                self.report
                    .variable(Severity::Error, env::CONSERVER_LISTEN, message)
                    .hint("write `127.0.0.1:8000`");
            }
        }
        if let Some(root) = self.vars.get(env::API_ROOT_PATH) {
            api.root_path = root_path(&root);
        }
        if let Some(header) = self.text(env::CONSERVER_HEADER_NAME) {
            api.header = header.to_ascii_lowercase();
        }
        if let Some(token) = self.text(env::CONSERVER_API_TOKEN) {
            api.keys.push(ApiKey {
                name: env::CONSERVER_API_TOKEN.to_owned(),
                key: Secret::new(token),
                role: Role::Admin,
                lists: Vec::new(),
                rate: None,
            });
        }
        if let Some(file) = self.text(env::CONSERVER_API_TOKEN_FILE) {
            match std::fs::read_to_string(FilePath::new(&file)) {
                Ok(text) => api.keys.extend(keys_of(&text)),
                Err(error) => {
                    let message = format!("cannot read the file `{file}`: {}", error.kind());
                    self.report.variable(Severity::Error, env::CONSERVER_API_TOKEN_FILE, message);
                }
            }
        }
    }

    fn log(&mut self, settings: &mut Settings) {
        if let Some(filter) = self.text(env::CONSERVER_LOG) {
            settings.log.filter = filter;
        }
        let Some(format) = self.text(env::CONSERVER_LOG_FORMAT) else { return };
        settings.log.format = LogFormat::named(&format);
        if settings.log.format.is_none() {
            let message = "is neither `json` nor `pretty`";
            self.report.variable(Severity::Error, env::CONSERVER_LOG_FORMAT, message);
        }
    }

    fn telemetry(&mut self, settings: &mut Settings) {
        if let Some(address) = self.text(env::CONSERVER_STATSD) {
            if is_address(&address) {
                settings.statsd = Some(address);
            } else {
                let message = "is no address with a port";
                self.report
                    .variable(Severity::Error, env::CONSERVER_STATSD, message)
                    .hint("write `localhost:8125`");
            }
        }
        let Some(endpoint) = self.text(env::OTEL_EXPORTER_OTLP_ENDPOINT) else { return };
        let protocol = match self.text(env::OTEL_EXPORTER_OTLP_PROTOCOL).as_deref() {
            None | Some("grpc") => OtlpProtocol::Grpc,
            Some("http/protobuf") => OtlpProtocol::Http,
            Some(_) => {
                let message = "is neither `grpc` nor `http/protobuf`";
                self.report.variable(Severity::Error, env::OTEL_EXPORTER_OTLP_PROTOCOL, message);
                OtlpProtocol::Grpc
            }
        };
        if protocol == OtlpProtocol::Http && !endpoint.contains("://") {
            let message = "is no URL";
            self.report
                .variable(Severity::Error, env::OTEL_EXPORTER_OTLP_ENDPOINT, message)
                .hint(format!("write `http://{endpoint}`"));
        }
        let millis = self.at_least_one(env::OTEL_METRIC_EXPORT_INTERVAL).unwrap_or(5000);
        let interval = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        let service_name = self.text(env::OTEL_SERVICE_NAME);
        settings.otlp = Some(OtlpSettings { protocol, service_name, interval });
    }

    fn version(&mut self, settings: &mut Settings) {
        let version = &mut settings.version;
        for (name, field) in [
            (env::VCON_SERVER_VERSION, &mut version.version),
            (env::VCON_SERVER_GIT_COMMIT, &mut version.commit),
            (env::VCON_SERVER_BUILD_TIME, &mut version.build_time),
        ] {
            if let Some(text) = self.text(name) {
                *field = text;
            }
        }
    }

    /// A variable that says something.
    fn text(&self, name: &str) -> Option<String> {
        self.vars.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn number<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        let number = text.replace('_', "").parse().ok();
        if number.is_none() {
            self.report.variable(
                Severity::Error,
                name,
                format!("`{text}` is no whole number that fits here"),
            );
        }
        number
    }

    fn at_least_one(&mut self, name: &str) -> Option<usize> {
        let number: i64 = self.number(name)?;
        if number < 1 {
            self.report.variable(Severity::Warning, name, format!("{number} is taken as 1"));
        }
        Some(usize::try_from(number).unwrap_or(1).max(1))
    }

    /// `true`, `1` and `yes` are true, anything else is false, as the Python server reads it.
    fn flag(&mut self, name: &str, default: bool) -> bool {
        let Some(text) = self.text(name) else { return default };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => true,
            "false" | "0" | "no" | "off" => false,
            _ => {
                let message = format!("`{text}` is taken as false");
                self.report.variable(Severity::Warning, name, message).hint("write `true` or `false`");
                false
            }
        }
    }
}

/// Whether a text names a host and a port: a name, or an address, one of IPv6 in brackets.
pub(super) fn is_address(text: &str) -> bool {
    let is_name = |host: &str| {
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
    };
    let is_host = |host: &str| match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_name(host),
    };
    text.rsplit_once(':').is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok())
}

/// A root path without a slash at its end and with one at its beginning; empty stays empty.
pub(super) fn root_path(text: &str) -> String {
    match text.trim().trim_matches('/') {
        "" => String::new(),
        path => format!("/{path}"),
    }
}

/// One key per line; a blank line is none.
fn keys_of(text: &str) -> impl Iterator<Item = ApiKey> {
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
    lines.map(|(index, line)| ApiKey {
        name: format!("{}:{}", env::CONSERVER_API_TOKEN_FILE, index + 1),
        key: Secret::new(line),
        role: Role::Admin,
        lists: Vec::new(),
        rate: None,
    })
}
