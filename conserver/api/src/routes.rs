//! The calls, a file for each family, and what all of them have in common.

pub(crate) mod batch;
pub(crate) mod chains;
pub(crate) mod config;
pub(crate) mod docs;
pub(crate) mod egress;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod ingest;
pub(crate) mod letters;
pub(crate) mod metrics;
pub(crate) mod queues;
pub(crate) mod story;
pub(crate) mod vcons;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

/// JSON that is already text.
pub(crate) fn json_text(status: StatusCode, json: Bytes) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], Body::from(json)).into_response()
}

/// JSON of a value.
pub(crate) fn json(value: &impl Serialize) -> Response {
    json_text(StatusCode::OK, serde_json::to_vec(value).unwrap_or_default().into())
}

/// Nothing, which went well. The Python server says `application/json` about it all the same.
pub(crate) fn nothing() -> Response {
    (StatusCode::NO_CONTENT, [(CONTENT_TYPE, "application/json")]).into_response()
}
