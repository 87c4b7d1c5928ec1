//! Chains: what each is made of, and whether it takes anything in.

use axum::extract::State as Extract;
use axum::response::Response;
use conserver_core::config::plan::ChainPlan;
use serde_json::{Value, json};

use super::json;
use crate::error::{ApiError, Result, not_found};
use crate::extract::PathText;
use crate::state::State;

/// Chains with their links and storages, as configured.
#[utoipa::path(get, path = "/chains", tag = "instance", responses((status = 200, description = "The chains", body = Vec<Object>)))]
pub(crate) async fn chains(Extract(state): Extract<State>) -> Response {
    let live = state.live();
    let rows = live.plan.chains.iter().map(|chain| {
        json!({
            "name": chain.name, "ingress_lists": chain.ingress, "links": chain.links, "storages": chain.storages,
            "egress_lists": chain.egress, "dead_letters": chain.dlq, "concurrency": chain.concurrency,
            "weight": chain.weight, "blocked": chain.blocked,
        })
    });
    json(&rows.collect::<Vec<_>>())
}

/// Stops claims from all lists of a chain, for all workers. What they hold goes on.
#[utoipa::path(post, path = "/chains/{name}/pause", tag = "instance", params(("name" = String, Path, description = "The chain")),
    responses(
        (status = 200, description = "`lists` says of each whether that changed anything; `elsewhere` names lists that another chain has", body = Object),
        (status = 404, description = "No chain of this name takes from a list", body = crate::error::ErrorBody),
    ))]
pub(crate) async fn pause(state: Extract<State>, name: PathText) -> Result<Response> {
    set_paused(state, name, true).await
}

/// Resumes claims from all lists of a chain.
#[utoipa::path(post, path = "/chains/{name}/resume", tag = "instance", params(("name" = String, Path, description = "The chain")),
    responses(
        (status = 200, description = "`lists` says of each whether that changed anything; `elsewhere` names lists that another chain has", body = Object),
        (status = 404, description = "No chain of this name takes from a list", body = crate::error::ErrorBody),
    ))]
pub(crate) async fn resume(state: Extract<State>, name: PathText) -> Result<Response> {
    set_paused(state, name, false).await
}

/// List by list. The first that fails ends it: the backend is away, and asking for each of the others would take as long again.
async fn set_paused(
    Extract(state): Extract<State>,
    PathText(name): PathText,
    paused: bool,
) -> Result<Response> {
    let live = state.live();
    let chain = live.plan.chains.iter().find(|chain| chain.name.as_str() == name).ok_or_else(|| {
        let hint = format!("no chain `{name}` takes from a list; `GET /chains` names those that do");
        not_found("Chain not found", hint)
    })?;
    let mut rows: Vec<Value> = Vec::with_capacity(chain.ingress.len());
    for list in &chain.ingress {
        match state.queue.set_paused(list, paused).await {
            Ok(changed) => rows.push(json!({"list_name": list, "paused": paused, "changed": changed})),
            Err(error) => {
                let unknown = &chain.ingress[rows.len()..];
                rows.extend(
                    unknown.iter().map(|list| json!({"list_name": list, "paused": null, "changed": null})),
                );
                let failed = "Failed to pause or resume every list of the chain";
                return Err(ApiError::backend(failed, &error).with("lists", rows));
            }
        }
    }
    Ok(json(&json!({"chain": chain.name, "paused": paused, "lists": rows, "elsewhere": elsewhere(chain)})))
}

/// Lists that the chain names and that another one has: they are that one's to pause.
fn elsewhere(chain: &ChainPlan) -> Vec<Value> {
    let ceded = chain.ceded.iter();
    ceded.map(|(list, owner)| json!({"list_name": list, "chain": owner})).collect()
}
