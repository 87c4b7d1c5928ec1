//! Who may call what: one table, which is the documentation, the check of each request, and what the tests go through.

use std::fmt::Write;

use axum::http::{HeaderMap, StatusCode};
use conserver_core::config::settings::{ApiSettings, Role};
use conserver_core::{QueueName, Secret};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use subtle::{Choice, ConstantTimeEq};

use crate::error::{ApiError, Result};
use crate::extract::header_text;

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A key of any role but `ingest`; lists that the configuration names need none.
    KnownList,
    /// A key that reads.
    Viewer,
    /// A key that posts to the lists in question.
    Ingest,
    /// A key that changes things.
    Operator,
    /// A key that may do everything.
    Admin,
    /// A key or a signature of `ingress_auth`.
    Partner,
}

/// One call.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// The method.
    pub method: &'static str,
    /// The path, without the prefix.
    pub path: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// Whether it changes anything: then there is no HEAD of it, and the audit log tells it.
    pub changes: bool,
}

const fn call(method: &'static str, path: &'static str, needs: Needs) -> Call {
    Call { method, path, needs, changes: !matches!(method.as_bytes(), b"GET") }
}

/// One that changes something although the Python server has it as a GET.
const fn changing_get(path: &'static str, needs: Needs) -> Call {
    Call { changes: true, ..call("GET", path, needs) }
}

/// Every call there is. One that is not here is refused.
pub const CALLS: &[Call] = &[
    call("GET", "/version", Needs::Nothing),
    call("GET", "/health", Needs::Nothing),
    call("GET", "/ready", Needs::Nothing),
    call("GET", "/metrics", Needs::Nothing),
    call("GET", "/openapi.json", Needs::Nothing),
    call("GET", "/docs", Needs::Nothing),
    call("GET", "/docs/{file}", Needs::Nothing),
    call("GET", "/stats/queue", Needs::KnownList),
    call("GET", "/vcon", Needs::Viewer),
    call("GET", "/vcon/{vcon_uuid}", Needs::Viewer),
    call("GET", "/vcon/{vcon_uuid}/story", Needs::Viewer),
    call("GET", "/vcons", Needs::Viewer),
    call("GET", "/vcons/search", Needs::Viewer),
    call("GET", "/vcon/count", Needs::Viewer),
    call("POST", "/vcon", Needs::Ingest),
    call("POST", "/vcons", Needs::Ingest),
    call("POST", "/vcon/external-ingress", Needs::Partner),
    call("DELETE", "/vcon/{vcon_uuid}", Needs::Operator),
    call("POST", "/vcon/ingress", Needs::Operator),
    changing_get("/vcon/egress", Needs::Operator),
    changing_get("/index_vcons", Needs::Operator),
    call("GET", "/dlq", Needs::Viewer),
    call("POST", "/dlq/reprocess", Needs::Operator),
    call("GET", "/dlq/storage", Needs::Viewer),
    call("POST", "/dlq/storage/reprocess", Needs::Operator),
    call("GET", "/dlq/letters", Needs::Viewer),
    call("GET", "/dlq/facets", Needs::Viewer),
    call("POST", "/dlq/replay", Needs::Operator),
    call("POST", "/dlq/discard", Needs::Operator),
    call("GET", "/queues", Needs::Viewer),
    call("POST", "/queues/pause", Needs::Operator),
    call("POST", "/queues/resume", Needs::Operator),
    call("GET", "/workers", Needs::Viewer),
    call("GET", "/chains", Needs::Viewer),
    call("GET", "/events", Needs::Viewer),
    call("POST", "/chains/{name}/pause", Needs::Operator),
    call("POST", "/chains/{name}/resume", Needs::Operator),
    call("GET", "/config", Needs::Admin),
    call("POST", "/config", Needs::Admin),
];

/// The roles with what they may do, as a table for the book.
pub fn markdown() -> String {
    let mut text = String::from(
        "| call | no key | `ingest` | `viewer` | `operator` | `admin` |\n|---|---|---|---|---|---|\n",
    );
    for call in CALLS {
        let cell = |role: Option<Role>| match (call.needs, may(role, call.needs)) {
            (Needs::Partner, _) => "partner's key",
            (Needs::KnownList, false) => "configured lists",
            (Needs::Ingest, true) if role == Some(Role::Ingest) => "its lists",
            (_, true) => "yes",
            (_, false) => "–",
        };
        let cells =
            [None, Some(Role::Ingest), Some(Role::Viewer), Some(Role::Operator), Some(Role::Admin)].map(cell);
        let _ = writeln!(text, "| `{} {}` | {} |", call.method, call.path, cells.join(" | "));
    }
    text
}

/// Whether a role is enough. Lists are looked at by the handlers.
pub fn may(role: Option<Role>, needs: Needs) -> bool {
    match needs {
        Needs::Nothing => true,
        // Its own keys; no role of ours opens it but those that may post anywhere.
        Needs::Partner => false,
        Needs::KnownList | Needs::Viewer => {
            matches!(role, Some(Role::Viewer | Role::Operator | Role::Admin))
        }
        Needs::Ingest => matches!(role, Some(Role::Ingest | Role::Operator | Role::Admin)),
        Needs::Operator => matches!(role, Some(Role::Operator | Role::Admin)),
        Needs::Admin => role == Some(Role::Admin),
    }
}

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// What the key is called; `anonymous` without one.
    pub(crate) name: String,
    pub(crate) role: Option<Role>,
    lists: Vec<QueueName>,
}

impl Caller {
    fn anonymous(role: Option<Role>) -> Self {
        Self { name: "anonymous".to_owned(), role, lists: Vec::new() }
    }

    /// Fails if this key may not post to one of the lists.
    pub(crate) fn check_lists(&self, lists: &[QueueName]) -> Result<()> {
        if self.role != Some(Role::Ingest) {
            return Ok(());
        }
        if lists.is_empty() {
            return Err(forbidden("this key posts to its lists only: name one with `ingress_lists`"));
        }
        match lists.iter().find(|list| !self.lists.contains(list)) {
            Some(list) => Err(forbidden(format!("this key may not post to `{list}`"))),
            None => Ok(()),
        }
    }
}

/// Knows the keys.
pub(crate) struct Doorkeeper {
    header: String,
    keys: Vec<Key>,
    partners: Vec<(QueueName, Vec<Secret>)>,
}

#[derive(Clone)]
struct Key {
    secret: Secret,
    caller: Caller,
    rate: Option<(u32, std::sync::Arc<DefaultDirectRateLimiter>)>,
}

impl Doorkeeper {
    /// The keys of these settings. A key that was known before keeps the count of its requests.
    pub(crate) fn new(settings: &ApiSettings, before: Option<&Self>) -> Self {
        let keys = settings.keys.iter().map(|key| {
            let known = before.into_iter().flat_map(|door| &door.keys).find(|known| known.secret == key.key);
            let rate = key.rate.map(|rate| match known.and_then(|known| known.rate.clone()) {
                Some((per_second, limiter)) if per_second == rate.get() => (per_second, limiter),
                _ => (rate.get(), std::sync::Arc::new(RateLimiter::direct(Quota::per_second(rate)))),
            });
            let caller = Caller { name: key.name.clone(), role: Some(key.role), lists: key.lists.clone() };
            Key { secret: key.key.clone(), caller, rate }
        });
        let partners = settings.ingress_auth.iter().map(|(list, keys)| (list.clone(), keys.clone()));
        Self { header: settings.header.clone(), keys: keys.collect(), partners: partners.collect() }
    }

    /// Takes the keys of another one.
    pub(crate) fn keep_keys(&mut self, other: &Self) {
        self.keys.clone_from(&other.keys);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.keys.is_empty()
    }

    /// Who calls, if it may.
    pub(crate) fn admit(&self, headers: &HeaderMap, needs: Needs) -> Result<Caller> {
        if matches!(needs, Needs::Nothing | Needs::Partner) {
            return Ok(Caller::anonymous(None));
        }
        if self.is_open() {
            return Ok(Caller::anonymous(Some(Role::Admin)));
        }
        let Some(key) = self.key(headers) else {
            // Lists that the configuration names are no secret: the handler looks which one it is.
            if needs == Needs::KnownList {
                return Ok(Caller::anonymous(None));
            }
            let hint = format!("send a key that the configuration knows in the header `{}`", self.header);
            return Err(ApiError::new(StatusCode::FORBIDDEN, "Invalid API Key", hint));
        };
        if let Some((_, limiter)) = &key.rate
            && let Err(not_until) = limiter.check()
        {
            let wait = not_until.wait_time_from(DefaultClock::default().now()).as_secs_f64().ceil().max(1.0);
            let hint = "this key has used up its requests (`rate`); wait";
            // As for a list that is full: a vCon that is brought must not be dropped by its sender.
            let brings = needs == Needs::Ingest;
            let status = if brings { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::TOO_MANY_REQUESTS };
            return Err(ApiError::new(status, "Too many requests", hint).retry_after(wait as u32).overload());
        }
        if needs == Needs::KnownList || may(key.caller.role, needs) {
            return Ok(key.caller.clone());
        }
        Err(forbidden(format!("this key's role is not enough; the call needs {needs:?}").to_lowercase()))
    }

    /// The key that a request carries. Every known one is compared, each in the same time.
    fn key(&self, headers: &HeaderMap) -> Option<&Key> {
        let sent = headers.get(&self.header)?.as_bytes();
        let mut found = None;
        for key in &self.keys {
            if bool::from(same(key.secret.expose().as_bytes(), sent)) {
                found = Some(key);
            }
        }
        found
    }

    /// Whether a partner may post to a list: by a key of the list, or a signature that was made with one.
    pub(crate) fn admit_partner(&self, headers: &HeaderMap, list: &QueueName, body: &[u8]) -> Result<()> {
        let refuse = |says: String, hint: &str| Err(ApiError::new(StatusCode::FORBIDDEN, says, hint));
        let sent = headers.get(&self.header).map(|value| value.as_bytes()).filter(|key| !key.is_empty());
        let signature = header_text(headers, "x-hub-signature-256");
        let shown = python_quoted(list);
        if sent.is_none() && signature.is_none() {
            let hint = "send the key of the list, or sign the body with it (`X-Hub-Signature-256`)";
            return refuse("API Key required".to_owned(), hint);
        }
        if self.partners.is_empty() {
            let hint = "the configuration has no `ingress_auth`";
            return refuse("No ingress authentication configured".to_owned(), hint);
        }
        let Some((_, keys)) = self.partners.iter().find(|(name, _)| name == list) else {
            let hint = "`ingress_auth` does not have this list";
            return refuse(format!("Ingress list {shown} not configured"), hint);
        };
        if keys.is_empty() {
            let hint = "`ingress_auth` has no key for this list";
            return refuse(format!("Invalid configuration for ingress list {shown}"), hint);
        }
        let mut is_known = Choice::from(0);
        for key in keys {
            let key = key.expose().as_bytes();
            if let Some(sent) = sent {
                is_known |= same(key, sent);
            }
            if let Some(signature) = signature {
                is_known |= Choice::from(u8::from(is_signed(key, body, signature)));
            }
        }
        if is_known.into() {
            return Ok(());
        }
        let hint = "neither the key nor the signature is one of this list";
        refuse(format!("Invalid API Key for ingress list {shown}"), hint)
    }
}

fn python_quoted(list: &QueueName) -> String {
    format!("'{list}'")
}

fn forbidden(hint: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "Not allowed", hint)
}

/// Compares in a time that depends on nothing but the length of what was sent.
fn same(key: &[u8], sent: &[u8]) -> Choice {
    use sha2::{Digest, Sha256};
    Sha256::digest(key).ct_eq(&Sha256::digest(sent))
}

/// Whether `sha256=<hex>` is the HMAC of the body.
fn is_signed(key: &[u8], body: &[u8], signature: &str) -> bool {
    use hmac::{Hmac, KeyInit, Mac};
    let Some(hex) = signature.strip_prefix("sha256=").filter(|hex| hex.len() == 64 && hex.is_ascii()) else {
        return false;
    };
    let bytes: Option<Vec<u8>> =
        (0..32).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).ok()).collect();
    let Some(bytes) = bytes else { return false };
    let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(key) else { return false };
    mac.update(body);
    mac.verify_slice(&bytes).is_ok()
}
