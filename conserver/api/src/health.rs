//! Whether the instance lives, and whether it works.

use std::time::Duration;

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use conserver_core::queue::WorkerStatus;
use serde_json::{Value, json};

use crate::State;

/// One question to the backend may take this long.
const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) async fn health(Extract(state): Extract<State>) -> Json<Value> {
    Json(json!({"status": "healthy", "version": {"version": state.version}}))
}

pub(crate) async fn ready(Extract(state): Extract<State>) -> (StatusCode, Json<Value>) {
    let (ready, why) = match tokio::time::timeout(PATIENCE, state.queue.workers()).await {
        Ok(Ok(workers)) => judge(&workers, &state),
        Ok(Err(error)) => (false, error.chain()),
        Err(_) => (false, "the backend did not answer within 3 s".to_owned()),
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
