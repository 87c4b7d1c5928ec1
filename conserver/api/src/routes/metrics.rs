//! Figures of the whole instance, for Prometheus.

use axum::extract::State as Extract;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use crate::state::State;

/// The text format that every version of Prometheus reads.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Figures of the whole instance, in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "instance", responses((status = 200, description = "Figures", body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(Extract(state): Extract<State>) -> impl IntoResponse {
    ([(CONTENT_TYPE, TEXT)], (state.figures)())
}
