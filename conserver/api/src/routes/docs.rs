//! The description of all calls, and a page to read it on.

use axum::extract::State as Extract;
use axum::response::Response;

use super::json;
use crate::openapi;
use crate::state::State;

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "instance", responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(crate) async fn description(Extract(state): Extract<State>) -> Response {
    json(&openapi::document(&state.live().plan.settings.api))
}
