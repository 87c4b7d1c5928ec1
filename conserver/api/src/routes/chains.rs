//! Chains: what each is made of, and whether it takes anything in.

use std::time::Duration;

use axum::extract::State as Extract;
use axum::response::Response;
use conserver_core::config::Plan;
use conserver_core::config::plan::{AdapterPlan, ChainPlan, OnError, StoragePlan};
use conserver_core::{GuardKind, LinkName, QueueName};
use serde_json::{Value, json};

use super::json;
use crate::answers;
use crate::error::{ApiError, Result, not_found};
use crate::extract::PathText;
use crate::feed::Standing;
use crate::state::State;

/// Chains are told without a backend that is away; nobody waits longer for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Chains with their links and storages, what these stand on, and whether anything is taken in.
#[utoipa::path(get, path = "/chains", tag = "instance", responses((status = 200, description = "The chains", body = Vec<answers::Chain>)))]
pub(crate) async fn chains(Extract(state): Extract<State>) -> Response {
    let live = state.live();
    let paused = paused_lists(&state, &live.plan).await;
    let standing = state.feed.standing();
    let rows = live.plan.chains.iter().map(|chain| {
        let paused = paused.as_ref().map(|paused| {
            let of_chain = chain.ingress.iter().filter(|list| paused.contains(list));
            of_chain.collect::<Vec<&QueueName>>()
        });
        let held = standing.as_ref().map(|standing| standing.outages.held_up(chain.name.as_str()));
        json!({
            "name": chain.name, "ingress_lists": chain.ingress, "links": chain.links, "storages": chain.storages,
            "egress_lists": chain.egress, "dead_letters": chain.dlq, "concurrency": chain.concurrency,
            "weight": chain.weight, "blocked": chain.blocked, "stale": chain.stale,
            "paused": paused.as_ref().map(|paused| paused.len() == chain.ingress.len()),
            "paused_lists": paused,
            "rate": standing.as_ref().map(|standing| standing.rates.chain(chain.name.as_str())),
            "workers": standing.as_ref().map(|standing| standing.outages.workers),
            "held_up": held.map(|held| held.is_some()),
            "held_up_by": held.flatten().map(|held| &held.by),
            "held_up_in": held.map(|held| held.map_or(0, |held| held.workers)),
            "breakers": breakers(chain, &live.plan, standing.as_deref()),
        })
    });
    json(&rows.collect::<Vec<_>>())
}

/// Which ingress lists stand still; `None` while the backend is away, which is no reason to tell nothing else.
async fn paused_lists(state: &State, plan: &Plan) -> Option<Vec<QueueName>> {
    let lists = plan.ingress_lists();
    let status = tokio::time::timeout(PATIENCE, state.queue.status(&lists)).await.ok()?.ok()?;
    Some(lists.into_iter().zip(status).filter(|(_, status)| status.paused).map(|(list, _)| list).collect())
}

/// The breaker of each link and storage of a chain, in order.
fn breakers(chain: &ChainPlan, plan: &Plan, standing: Option<&Standing>) -> Vec<Value> {
    let links = chain.links.iter().map(|name| {
        let goes_on = |link: &AdapterPlan<LinkName>| link.name == *name && link.on_error == OnError::Continue;
        (GuardKind::Link, name.as_str(), !plan.links.iter().any(goes_on))
    });
    let storages = chain.storages.iter().map(|name| {
        let is_required = |storage: &StoragePlan| storage.adapter.name == *name && storage.required;
        (GuardKind::Storage, name.as_str(), plan.storages.iter().any(is_required))
    });
    let row = |(kind, name, required)| {
        let guard = standing.map(|standing| standing.outages.guard(kind, name));
        let state = guard.map(|guard| match guard {
            None => "closed",
            Some(guard) if guard.probing => "half-open",
            Some(_) => "open",
        });
        let guard = guard.flatten();
        json!({
            "kind": kind, "name": name, "required": required, "state": state,
            "open_in": state.map(|_| guard.map_or(0, |guard| guard.open_in)),
            "open_ms": guard.map(|guard| guard.open_ms),
            "probe_in_ms": guard.map(|guard| guard.probe_in_ms),
            "error": guard.map(|guard| &guard.error),
        })
    };
    links.chain(storages).map(row).collect()
}

/// Stops claims from all lists of a chain, for all workers. What they hold goes on.
#[utoipa::path(post, path = "/chains/{name}/pause", operation_id = "pause_chain", tag = "instance", params(("name" = String, Path, description = "The chain")),
    responses(
        (status = 200, description = "`lists` says of each whether that changed anything; `elsewhere` names lists that another chain has", body = answers::PausedChain),
        (status = 404, description = "No chain of this name takes from a list", body = crate::error::ErrorBody),
    ))]
pub(crate) async fn pause(state: Extract<State>, name: PathText) -> Result<Response> {
    set_paused(state, name, true).await
}

/// Resumes claims from all lists of a chain.
#[utoipa::path(post, path = "/chains/{name}/resume", operation_id = "resume_chain", tag = "instance", params(("name" = String, Path, description = "The chain")),
    responses(
        (status = 200, description = "`lists` says of each whether that changed anything; `elsewhere` names lists that another chain has", body = answers::PausedChain),
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
    let chain = live.plan.chain(&name).ok_or_else(|| {
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
