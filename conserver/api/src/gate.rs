//! What happens to every request before and after its handler: who calls, may it, under which id, and what is said about it.

use std::sync::{Arc, OnceLock};

use axum::extract::{MatchedPath, Request, State as Extract};
use axum::http::header::{CACHE_CONTROL, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use conserver_core::vcon::VconId;
use conserver_core::{QueueName, clock};
use serde_json::json;

use crate::access::{CALLS, Call, Needs};
use crate::error::{ApiError, Overload, not_found, wrong_method};
use crate::serve::Peer;
use crate::state::State;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The way out of a path that there is not.
const SEE: &str = "see /docs for what there is";
const VERSION: HeaderName = HeaderName::from_static("x-vcon-server-version");
const COMMIT: HeaderName = HeaderName::from_static("x-vcon-server-commit");

/// What a request turned out to be about, for the audit log.
#[derive(Clone, Default)]
pub(crate) struct About(Option<Arc<Found>>);

#[derive(Default)]
struct Found {
    vcon: OnceLock<VconId>,
    partner: OnceLock<QueueName>,
}

impl About {
    pub(crate) fn vcon(&self, id: &VconId) {
        if let Some(found) = &self.0 {
            let _ = found.vcon.set(id.clone());
        }
    }

    /// The caller has a key of `ingress_auth`, or a signature, for this list.
    pub(crate) fn partner(&self, list: &QueueName) {
        if let Some(found) = &self.0 {
            let _ = found.partner.set(list.clone());
        }
    }
}

/// The middleware around all calls.
pub(crate) async fn pass(Extract(state): Extract<State>, mut request: Request, next: Next) -> Response {
    let live = state.live();
    let id = request_id(request.headers());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let call = wanted(&request, &live.plan.settings.api.root_path);
    let changes = matches!(&call, Ok(Some(call)) if call.changes);
    // What the table does not have is answered by a fallback, which says nothing that the documentation does not.
    let needs = call.map(|call| call.map_or(Needs::Nothing, |call| call.needs));
    let mut answer = match needs.and_then(|needs| live.door.admit(request.headers(), needs)) {
        Err(refused) => {
            drop(request);
            refused.into_response()
        }
        Ok(_) if changes && *request.method() == Method::HEAD => wrong_method("GET"),
        Ok(caller) => {
            let is_told = changes && state.audit.is_on();
            let about = About(is_told.then(Arc::default));
            let told = is_told.then(|| Told::of(&request, &caller.name, &id, about.clone()));
            request.extensions_mut().insert(caller);
            request.extensions_mut().insert(about);
            let answer = next.run(request).await;
            if let Some(told) = told {
                state.audit.tell(told.line(answer.status()));
            }
            answer
        }
    };
    let overload = answer.extensions().get::<Overload>().and(live.plan.settings.api.overload_status);
    if let Some(status) = overload.and_then(|status| StatusCode::from_u16(status).ok()) {
        *answer.status_mut() = status;
    }
    state.failures.note(&id, &method, &uri, &answer);
    let headers = answer.headers_mut();
    headers.insert(REQUEST_ID, id);
    let version = live.version();
    for (name, value) in [(VERSION, &version.version), (COMMIT, &version.commit)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

/// The call of the one table that this is; none where the path is there with other methods only.
fn wanted(request: &Request, prefix: &str) -> Result<Option<&'static Call>, ApiError> {
    let Some(path) = request.extensions().get::<MatchedPath>() else { return Ok(None) };
    let path = path.as_str();
    let path = path.strip_prefix(prefix).filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let method = match request.method() {
        &Method::HEAD => "GET",
        method => method.as_str(),
    };
    let mut of_path = CALLS.iter().filter(|call| call.path == path).peekable();
    if of_path.peek().is_none() {
        return Err(not_found("Not Found", SEE));
    }
    Ok(of_path.find(|call| call.method == method))
}

/// The id that the client gave, if it can be shown, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(REQUEST_ID).filter(|id| {
        let id = id.as_bytes();
        (1..=100).contains(&id.len()) && id.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
    });
    given.cloned().unwrap_or_else(|| {
        let id = format!("{:016x}", fastrand::u64(..));
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
    })
}

/// A line of the audit log in the making.
struct Told {
    who: String,
    what: String,
    request: String,
    from: Option<String>,
    about: About,
}

impl Told {
    fn of(request: &Request, who: &str, id: &HeaderValue, about: About) -> Self {
        let path = request.uri().path_and_query().map(|path| path.as_str()).unwrap_or_default();
        Self {
            who: who.to_owned(),
            what: format!("{} {path}", request.method()),
            request: id.to_str().unwrap_or_default().to_owned(),
            from: request.extensions().get::<Peer>().map(|peer| peer.0.to_string()),
            about,
        }
    }

    fn line(self, status: StatusCode) -> serde_json::Value {
        let found = self.about.0.as_deref();
        let vcon = found.and_then(|found| found.vcon.get());
        let partner = found.and_then(|found| found.partner.get()).map(|list| format!("partner:{list}"));
        json!({
            "at": clock::rfc3339(clock::unix_millis()), "who": partner.unwrap_or(self.who), "what": self.what,
            "vcon": vcon, "from": self.from,
            "status": status.as_u16(), "request": self.request,
        })
    }
}

/// A path that there is not; with a slash at its end, perhaps one that there is.
pub(crate) async fn unknown(request: Request) -> Response {
    let path = request.uri().path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() < path.len()
        && trimmed.starts_with('/')
        && !trimmed.starts_with("//")
        && !trimmed.contains('\\')
    {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        if let Ok(to) = HeaderValue::try_from(format!("{trimmed}{query}")) {
            return (StatusCode::TEMPORARY_REDIRECT, [(axum::http::header::LOCATION, to)]).into_response();
        }
    }
    not_found("Not Found", SEE).into_response()
}

/// A path that there is, with another method.
pub(crate) async fn other_method(Extract(state): Extract<State>, request: Request) -> Response {
    let prefix = state.live().plan.settings.api.root_path.clone();
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str()).unwrap_or_default();
    let path = path.strip_prefix(&*prefix).filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let allowed: Vec<&str> = CALLS.iter().filter(|call| call.path == path).map(|call| call.method).collect();
    wrong_method(&allowed.join(", "))
}
