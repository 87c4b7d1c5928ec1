//! Settings that the file overrides, and defaults that depend on its dialect.

use conserver_vcon::BodyShape;

use super::environment::{is_address, root_path};
use super::{ApiKey, Delivery, Role, Settings, TlsFiles};
use crate::config::coerce::{OneOrMany, Size};
use crate::config::env::{self, Vars};
use crate::config::plan::Dialect;
use crate::config::raw::{BodyShapeWord, RawApi, RawFile};
use crate::config::report::Report;
use crate::config::yaml::Path;
use crate::{QueueName, Secret};

/// vCons in flight where a file in our dialect does not say.
const CONCURRENCY: usize = 64;

/// Fills in what the file says.
pub(super) fn apply(settings: &mut Settings, raw: &RawFile, vars: &dyn Vars, report: &mut Report<'_>) {
    backend(settings, raw, vars, report);
    if let Some(workers) = raw.workers {
        settings.workers = workers.get();
    }
    if let Some(threads) = raw.threads {
        settings.threads = Some(threads.get());
    }
    match (raw.concurrency, report.dialect()) {
        (Some(concurrency), _) => settings.concurrency = concurrency.get(),
        (None, Dialect::Ours) => settings.concurrency = CONCURRENCY,
        (None, Dialect::Reference) => {}
    }
    settings.delivery = raw.delivery.unwrap_or(settings.delivery);
    settings.claim_order = raw.claim_order.unwrap_or(settings.claim_order);
    match raw.body_shape {
        Some(BodyShapeWord::Native) => settings.body_shape = BodyShape::Native,
        Some(BodyShapeWord::Text) => settings.body_shape = BodyShape::Text,
        None => {}
    }
    if let Some(text) = raw.drain_timeout {
        settings.drain_timeout = report.duration(text, &Path::root().key("drain_timeout"));
    }
    if let Some(stories) = &raw.stories {
        settings.stories.runs = stories.runs.unwrap_or(settings.stories.runs);
        if let Some(text) = stories.age {
            settings.stories.age = report.duration(text, &Path::root().key("stories").key("age"));
        }
    }
    limits(settings, raw, report);
    if let Some(api) = &raw.api {
        rest(settings, api, report);
    }
    match &raw.statsd {
        Some(address) if is_address(address) => settings.statsd = Some(address.clone()),
        Some(_) => {
            report
                .error(&Path::root().key("statsd"), "this is no address with a port")
                .hint("write `localhost:8125`");
        }
        None => {}
    }
    for (list, OneOrMany(keys)) in &raw.ingress_auth {
        let keys = keys.iter().map(|key| Secret::new(key.as_str())).filter(|key| !key.is_empty());
        settings.api.ingress_auth.insert(QueueName::new(list), keys.collect());
    }
}

/// A file in the Python server's dialect always means Redis; one in ours only if somebody names it.
fn backend(settings: &mut Settings, raw: &RawFile, vars: &dyn Vars, report: &mut Report<'_>) {
    if let Some(redis) = &raw.redis {
        settings.redis_url = Some(redis.url.clone());
    } else if report.dialect() == Dialect::Ours
        && vars.get(env::REDIS_URL).is_none_or(|url| url.trim().is_empty())
    {
        settings.redis_url = None;
    }
    if let Some(folder) = &raw.data_dir {
        settings.data_dir.clone_from(folder);
        if settings.redis_url.is_some() {
            let message = "has no effect beside Redis: it is the folder of the embedded backend";
            report.warning(&Path::root().key("data_dir"), message);
        }
    }
    if settings.redis_url.is_none() && raw.delivery == Some(Delivery::AtMostOnce) {
        report
            .error(
                &Path::root().key("delivery"),
                "`at-most-once` is the way of Redis, and this file names none",
            )
            .hint("leave it out: the embedded backend loses nothing");
    }
}

fn limits(settings: &mut Settings, raw: &RawFile, report: &mut Report<'_>) {
    let Some(limits) = &raw.limits else { return };
    let path = Path::root().key("limits");
    for (key, size, limit) in [
        ("max_document_bytes", limits.max_document_bytes, &mut settings.max_document_bytes),
        ("max_bytes_in_flight", limits.max_bytes_in_flight, &mut settings.max_bytes_in_flight),
    ] {
        match size.map(|Size(bytes)| usize::try_from(bytes).unwrap_or(usize::MAX)) {
            Some(0) => {
                report.error(&path.key(key), "a limit of zero lets nothing through");
            }
            Some(bytes) => *limit = bytes,
            None => {}
        }
    }
    if settings.max_document_bytes > settings.max_bytes_in_flight {
        let message = "one document may be larger than all that a worker may hold; the smaller limit counts";
        report.warning(&path, message);
        settings.max_document_bytes = settings.max_bytes_in_flight;
    }
}

fn rest(settings: &mut Settings, raw: &RawApi, report: &mut Report<'_>) {
    let path = Path::root().key("api");
    if let Some(listen) = &raw.listen {
        if is_address(listen) {
            settings.api.listen.clone_from(listen);
        } else {
            report
                .error(&path.key("listen"), "this is no address with a port")
                .hint("write `127.0.0.1:8000`");
        }
    }
    if let Some(root) = &raw.root_path {
        settings.api.root_path = root_path(root);
    }
    if let Some(header) = &raw.header {
        settings.api.header = header.to_ascii_lowercase();
    }
    for (index, key) in raw.keys.iter().enumerate() {
        settings.api.keys.push(ApiKey {
            name: key.name.clone().unwrap_or_else(|| format!("api.keys[{index}]")),
            key: key.key.clone(),
            role: key.role,
            lists: key.lists.iter().map(QueueName::new).collect(),
            rate: key.rate,
        });
        if key.role == Role::Ingest && key.lists.is_empty() {
            report
                .error(&path.key("keys").index(index), "a key with the role `ingest` may post to no list")
                .hint("write `lists: [NAME]`");
        } else if key.role != Role::Ingest && !key.lists.is_empty() {
            report
                .warning(&path.key("keys").index(index).key("lists"), "counts for the role `ingest` only")
                .hint("write `role: ingest`");
        }
    }
    settings.api.cors.clone_from(&raw.cors);
    settings.api.tls =
        raw.tls.as_ref().map(|tls| TlsFiles { cert: tls.cert.clone().into(), key: tls.key.clone().into() });
    settings.api.max_queue_length = raw.max_queue_length;
    settings.api.overload_status = raw.overload_status;
    if raw.overload_status.is_some_and(|status| !matches!(status, 429 | 503)) {
        report.error(&path.key("overload_status"), "this is neither 503 nor 429");
    }
    settings.api.unknown_lists = raw.unknown_lists;
    settings.api.audit = raw.audit.as_ref().map(Into::into);
}
