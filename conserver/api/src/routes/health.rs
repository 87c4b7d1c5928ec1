//! Whether the instance lives, whether it works, and what it is.

use std::time::Duration;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use conserver_core::queue::WorkerStatus;
use serde_json::{Value, json};

use crate::answers;
use crate::state::{Live, State};

/// One question to the backend may take this long: whoever probes gives up after a second.
const PATIENCE: Duration = Duration::from_millis(800);

/// Tells that this process lives; asks nobody.
#[utoipa::path(get, path = "/health", tag = "instance", responses((status = 200, description = "It lives", body = answers::Health)))]
pub(crate) async fn health(Extract(state): Extract<State>) -> Json<Value> {
    Json(json!({"status": "healthy", "version": of_build(&state.live())}))
}

/// Tells what this build is.
#[utoipa::path(get, path = "/version", tag = "instance", responses((status = 200, description = "The build", body = answers::Build)))]
pub(crate) async fn version(Extract(state): Extract<State>) -> Json<Value> {
    Json(of_build(&state.live()))
}

fn of_build(live: &Live) -> Value {
    let version = live.version();
    json!({"version": version.version, "git_commit": version.commit, "build_time": version.build_time})
}

/// Tells whether a worker of this host is at work.
#[utoipa::path(get, path = "/ready", tag = "instance", responses(
    (status = 200, description = "A worker of this host is at work", body = answers::Readiness),
    (status = 503, description = "None is, with the reason", body = answers::Readiness),
))]
pub(crate) async fn ready(Extract(state): Extract<State>) -> (StatusCode, Json<Value>) {
    let (ready, why) = match tokio::time::timeout(PATIENCE, state.queue.workers()).await {
        Ok(Ok(workers)) => judge(&workers, &state),
        Ok(Err(error)) => (false, error.chain()),
        Err(_) => (false, "the backend did not answer within 0.8 s".to_owned()),
    };
    let (code, status) =
        if ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    (code, Json(json!({"status": status, "detail": why})))
}

fn judge(workers: &[WorkerStatus], state: &State) -> (bool, String) {
    let ours: Vec<&WorkerStatus> =
        workers.iter().filter(|w| w.info.realm == state.realm && !w.info.suspects).collect();
    if ours.is_empty() {
        return (false, "no worker of this host is registered".to_owned());
    }
    let stale = u64::try_from(state.stale_after.as_millis()).unwrap_or(u64::MAX);
    let at_work = ours.iter().filter(|w| w.lease_ms > 0 && w.progress_ms < stale).count();
    (at_work > 0, format!("{at_work} of {} workers of this host are at work", ours.len()))
}
