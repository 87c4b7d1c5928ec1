//! Requests that could not be answered as they should, told in the log.

use std::sync::Mutex;

use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use conserver_core::clock::Seldom;

/// Why an answer says no: for the log, travelling with the answer.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) String);

/// Tells of them: a fault each time; what heals by itself, as a backend that is away, at once and then now and then.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    told: Seldom,
    /// Since it was told last.
    count: u64,
}

impl Failures {
    /// Tells of this answer if it is one. The query is left out: it may be about people.
    pub(crate) fn note(&self, id: &HeaderValue, method: &Method, uri: &Uri, answer: &Response) {
        let status = answer.status();
        let cause = answer.extensions().get::<Cause>();
        if !status.is_server_error() || (cause.is_none() && status != StatusCode::INTERNAL_SERVER_ERROR) {
            return;
        }
        let (request, path) = (id.to_str().unwrap_or_default(), uri.path());
        let (status, error) = (status.as_u16(), cause.map(|Cause(why)| why.as_str()));
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(request, %method, path, status, error, "a request failed");
            return;
        }
        let mut waiting = self.0.lock().expect("no panic while held");
        waiting.count += 1;
        if waiting.told.is_time() {
            let requests = std::mem::take(&mut waiting.count);
            tracing::warn!(request, %method, path, status, error, requests, "requests failed; this is the last of them");
        }
    }
}
