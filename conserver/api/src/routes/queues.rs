//! What lies where, who works, and which lists stand still.

use axum::extract::State as Extract;
use axum::response::Response;
use conserver_core::QueueName;
use serde_json::{Value, json};

use super::json;
use crate::answers;
use crate::error::{ApiError, Result};
use crate::extract::Query;
use crate::served::Unserved;
use crate::state::State;

/// How much lies where, how fast it moves, and how old it is, for every list that the configuration names.
#[utoipa::path(get, path = "/queues", tag = "instance", responses((status = 200, description = "The lists", body = Vec<answers::List>)))]
pub(crate) async fn queues(Extract(state): Extract<State>) -> Result<Response> {
    let live = state.live();
    let mut lists: Vec<QueueName> = Vec::new();
    for list in live.plan.chains.iter().flat_map(|chain| chain.ingress.iter().chain(&chain.egress)) {
        if !lists.contains(list) {
            lists.push(list.clone());
        }
    }
    let status = state.queue.status(&lists).await;
    let status = status.map_err(|error| ApiError::backend("Failed to read the queues", &error))?;
    let standing = state.feed.standing();
    let rows: Vec<Value> = lists
        .iter()
        .zip(status)
        .map(|(list, status)| {
            let is_ingress = live.is_ingress(list);
            let rate = standing.as_ref().filter(|_| is_ingress).map(|standing| standing.rate(list.as_str()));
            let mut row = json!({"list": list, "ingress": is_ingress, "rate": rate});
            if let (Some(row), Value::Object(more)) = (row.as_object_mut(), json!(status)) {
                row.extend(more);
            }
            row
        })
        .collect();
    Ok(json(&rows))
}

/// Stops claims from a list, for all workers. What they hold goes on.
#[utoipa::path(post, path = "/queues/pause", tag = "instance", params(("list_name" = String, Query, min_length = 1, description = "The list")),
    responses((status = 200, description = "`changed` says whether it was at work before", body = answers::Paused)))]
pub(crate) async fn pause(state: Extract<State>, query: Query) -> Result<Response> {
    set_paused(state, query, true).await
}

/// Resumes claims from a list.
#[utoipa::path(post, path = "/queues/resume", tag = "instance", params(("list_name" = String, Query, min_length = 1, description = "The list")),
    responses((status = 200, description = "`changed` says whether it stood still before", body = answers::Paused)))]
pub(crate) async fn resume(state: Extract<State>, query: Query) -> Result<Response> {
    set_paused(state, query, false).await
}

async fn set_paused(Extract(state): Extract<State>, mut query: Query, paused: bool) -> Result<Response> {
    let list = query.list("list_name");
    query.check()?;
    let unserved = Unserved::among(&state, &mut query, "list_name", std::slice::from_ref(&list))?;
    let changed = state.queue.set_paused(&list, paused).await;
    let changed = changed.map_err(|error| ApiError::backend("Failed to pause or resume", &error))?;
    let answer = json!({"list_name": list, "paused": paused, "changed": changed});
    Ok(unserved.told(json(&unserved.hinted(answer))))
}

/// All registered workers.
#[utoipa::path(get, path = "/workers", tag = "instance", responses((status = 200, description = "The workers", body = Vec<answers::Worker>)))]
pub(crate) async fn workers(Extract(state): Extract<State>) -> Result<Response> {
    let workers = state.queue.workers().await;
    Ok(json(&workers.map_err(|error| ApiError::backend("Failed to read the workers", &error))?))
}
