//! Ids go onto lists and off them.

use axum::Extension;
use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::Response;
use conserver_core::vcon::VconId;
use serde_json::Value;
use serde_json::json;

use super::{ingest, json, nothing};
use crate::access::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Payload, Query};
use crate::fetch;
use crate::model::{Loc, Problem, Problems};
use crate::served::Unserved;
use crate::state::State;

/// Ids of one request at most.
const IDS: usize = 100_000;
/// Ids that are looked for at once.
const STEP: usize = 1000;

/// Puts ids of stored vCons on an ingress list, in order; an id whose vCon is nowhere is passed over.
#[utoipa::path(post, path = "/vcon/ingress", tag = "lists",
    params(("ingress_list" = String, Query, min_length = 1, description = "The list")),
    request_body(content = Vec<uuid::Uuid>, description = "The ids", example = json!(["01969c5e-4f5c-8f3a-b0d1-5f0c2b6a7d10"])),
    responses((status = 204, description = "Those that were found stand on the list; `x-vcons-missing` says how many were not")))]
pub(crate) async fn ingress(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    mut query: Query,
    body: Payload,
) -> Result<Response> {
    const FAILED: &str = "Failed to add to ingress list";
    let failed = |error: &conserver_core::Error| ApiError::backend(FAILED, error);
    let list = query.list("ingress_list");
    if let Err(unfit) = body.check(Problem::list_type) {
        query.note(*unfit.problem);
    }
    query.check()?;
    let ids = uuids(&body.text)?;
    let unserved = Unserved::among(&state, &mut query, "ingress_list", std::slice::from_ref(&list))?;
    let live = state.live();
    let mut present = Vec::with_capacity(ids.len());
    for part in ids.chunks(STEP) {
        let there = state.directory.present(part).await.map_err(|error| failed(&error))?;
        for (id, is_there) in part.iter().zip(there) {
            let found =
                is_there || fetch::from_storages(&state, id).await.map_err(|error| failed(&error))?.is_some();
            if found {
                present.push(id.clone());
            }
        }
    }
    if !present.is_empty() {
        let context = ingest::context(&headers);
        let target = live.target(list.clone());
        state.intake.enqueue(&target, &present, context.as_deref()).await.map_err(|error| failed(&error))?;
        live.tell_enqueued(&list, "reingress", present.len());
    }
    let mut answer = nothing();
    if present.len() < ids.len() {
        answer.headers_mut().insert("x-vcons-missing", (ids.len() - present.len()).into());
    }
    Ok(unserved.told(answer))
}

/// A JSON array of UUIDs.
fn uuids(body: &[u8]) -> Result<Vec<VconId>> {
    let whole = Loc::whole_body;
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => {
            return Err(ApiError::rules(&[Problem::json_invalid(error.column(), &error.to_string())]));
        }
    };
    let Value::Array(items) = value else {
        return Err(ApiError::rules(&[Problem::list_type(whole(), &value.to_string())]));
    };
    let (mut ids, mut problems) = (Vec::with_capacity(items.len()), Problems::default());
    if items.len() > IDS {
        problems.push(Problem::value_of(whole(), "one request may name 100000 ids", Value::Null));
    }
    for (index, item) in items.iter().enumerate().take(IDS) {
        let at = || whole().index(index);
        match item.as_str().map(uuid::Uuid::parse_str) {
            Some(Ok(uuid)) => ids.push(uuid.into()),
            Some(Err(error)) => problems.push(Problem::uuid_parsing(at(), &error, &item.to_string())),
            None => problems.push(Problem::uuid_type(at(), &item.to_string())),
        }
    }
    if problems.is_empty() { Ok(ids) } else { Err(ApiError::rules(&problems.into_vec())) }
}

/// Takes ids off an egress list, the newest first.
#[utoipa::path(get, path = "/vcon/egress", tag = "lists",
    params(
        ("egress_list" = String, Query, min_length = 1, description = "The list"),
        ("limit" = Option<i64>, Query, description = "How many at most: 1 if nothing is said, at most 10000"),
    ),
    responses((status = 200, description = "Ids, which are off the list now", body = Vec<String>)))]
pub(crate) async fn egress(Extract(state): Extract<State>, mut query: Query) -> Result<Response> {
    let list = query.list("egress_list");
    let limit = query.int("limit", 1).clamp(0, 10_000);
    query.check()?;
    let ids = state.intake.pop(&list, usize::try_from(limit).unwrap_or(0)).await;
    Ok(json(&ids.map_err(|error| ApiError::backend("Failed to pop from egress list", &error))?))
}

/// How many ids stand on an egress list.
#[utoipa::path(get, path = "/vcon/count", tag = "lists", params(("egress_list" = String, Query, min_length = 1, description = "The list")),
    responses((status = 200, description = "How many", body = u64, content_type = "application/json")))]
pub(crate) async fn count(Extract(state): Extract<State>, mut query: Query) -> Result<Response> {
    let list = query.list("egress_list");
    query.check()?;
    let length = state.intake.length(&list).await;
    Ok(json(&length.map_err(|error| ApiError::backend("Failed to count egress list", &error))?))
}

/// How many ids stand on a list. Lists that the configuration names need no key.
#[utoipa::path(get, path = "/stats/queue", tag = "lists", params(("list_name" = String, Query, min_length = 1, description = "The list")),
    responses((status = 200, description = "The length", body = crate::answers::Depth)))]
pub(crate) async fn depth(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    mut query: Query,
) -> Result<Response> {
    let list = query.list("list_name");
    query.check()?;
    if !crate::access::may(caller.role, crate::access::Needs::Viewer) && !state.live().is_known(&list) {
        let hint = "the configuration does not name this list; send a key to ask for others";
        return Err(ApiError::new(axum::http::StatusCode::FORBIDDEN, "Not allowed", hint));
    }
    let depth = state.intake.length(&list).await;
    let depth = depth.map_err(|error| ApiError::backend("Failed to get queue depth", &error))?;
    Ok(json(&json!({"list_name": list, "depth": depth})))
}
