//! Dead letters: the calls of the Python server, and those that know reasons.

use std::collections::BTreeMap;

use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use conserver_core::clock::{self, unix_seconds};
use conserver_core::guarded::GuardedStorage;
use conserver_core::queue::{Letter, LetterFilter, Paging};
use conserver_core::store::Loaded;
use conserver_core::vcon::{Vcon, VconId};
use conserver_core::{Error, ErrorKind, QueueName};
use serde_json::{Value, json};
use std::sync::Arc;

use super::json;
use crate::answers;
use crate::error::{ApiError, Result, not_found};
use crate::extract::Query;
use crate::served::Unserved;
use crate::state::State;

/// Letters that are read at once, and looked at by one request.
const STEP: usize = 500;
const MOST: i64 = 100_000;

/// Ids on the dead-letter list of an ingress list, oldest first.
#[utoipa::path(get, path = "/dlq", tag = "dead letters",
    params(("ingress_list" = String, Query, min_length = 1, description = "The ingress list"), ("limit" = Option<i64>, Query, minimum = 0, maximum = 100_000, description = "How many at most, up to 100000"), ("offset" = Option<i64>, Query, minimum = 0, description = "How many to pass over")),
    responses((status = 200, description = "Ids", body = Vec<String>)))]
pub(crate) async fn ids(Extract(state): Extract<State>, mut query: Query) -> Result<Response> {
    let list = query.list("ingress_list");
    let paging = paging(&mut query, MOST);
    query.check()?;
    let dlq = state.live().plan.dead_letters(&list);
    Ok(json(&read_ids(&state, &dlq, paging).await.map_err(|e| ApiError::backend("Failed to read DLQ", &e))?))
}

fn paging(query: &mut Query, default: i64) -> Paging {
    let limit = query.int_within("limit", default, 0, MOST);
    Paging { offset: query.int_within("offset", 0, 0, i64::MAX), limit }
}

async fn read_ids(state: &State, dlq: &QueueName, paging: Paging) -> conserver_core::Result<Vec<VconId>> {
    let mut ids = state.queue.peek(dlq, paging.offset.saturating_add(paging.limit)).await?;
    ids.drain(..paging.offset.min(ids.len()));
    Ok(ids)
}

/// Moves the oldest dead letters back to their list; answers how many.
#[utoipa::path(post, path = "/dlq/reprocess", tag = "dead letters",
    params(("ingress_list" = String, Query, min_length = 1, description = "The ingress list"), ("count" = Option<i64>, Query, minimum = 1, maximum = 100_000, description = "How many at most: 1000 if nothing is said, 1 to 100000")),
    responses((status = 200, description = "How many were moved", body = u64, content_type = "application/json")))]
pub(crate) async fn reprocess(Extract(state): Extract<State>, mut query: Query) -> Result<Response> {
    let list = query.list("ingress_list");
    let count = query.int_within("count", 1000, 1, MOST);
    query.check()?;
    let unserved = Unserved::among(&state, &mut query, "ingress_list", std::slice::from_ref(&list))?;
    let live = state.live();
    let dlq = live.plan.dead_letters(&list);
    let failed = |error: Error| ApiError::backend("Failed to reprocess DLQ", &error);
    let ids = state.queue.peek(&dlq, count).await.map_err(failed)?;
    let moved = state.queue.replay(&dlq, &ids, &list).await.map_err(failed)?;
    live.tell_enqueued(&list, "dlq_reprocess", moved);
    Ok(unserved.told(json(&moved)))
}

/// Ids that a storage does not have, oldest first.
#[utoipa::path(get, path = "/dlq/storage", tag = "dead letters", params(("storage_name" = String, Query, description = "The storage")),
    responses((status = 200, description = "Ids", body = Vec<String>), (status = 404, description = "No such storage", body = crate::error::ErrorBody)))]
pub(crate) async fn storage_ids(Extract(state): Extract<State>, mut query: Query) -> Result<Response> {
    let storage = storage(&state, &mut query)?;
    let paging = Paging { offset: 0, limit: MOST as usize };
    let ids = read_ids(&state, &storage.name().dead_letters(), paging).await;
    Ok(json(&ids.map_err(|error| ApiError::backend("Failed to read storage DLQ", &error))?))
}

fn storage(state: &State, query: &mut Query) -> Result<Arc<GuardedStorage>> {
    let name = query.required("storage_name");
    query.check()?;
    let live = state.live();
    let found = live.storages.iter().find(|storage| storage.name().as_str() == name);
    found.cloned().ok_or_else(|| {
        let names: Vec<&str> = live.storages.iter().map(|storage| storage.name().as_str()).collect();
        not_found(&format!("Unknown storage backend: {name}"), format!("there are: {}", names.join(", ")))
    })
}

/// Saves vCons again that a storage does not have; stops at the first that fails. Answers how many were saved.
#[utoipa::path(post, path = "/dlq/storage/reprocess", tag = "dead letters",
    params(("storage_name" = String, Query, description = "The storage"), ("count" = Option<i64>, Query, minimum = 1, maximum = 100_000, description = "How many at most: 1000 if nothing is said, 1 to 100000")),
    responses((status = 200, description = "How many were saved", body = u64, content_type = "application/json"), (status = 404, description = "No such storage", body = crate::error::ErrorBody), (status = 409, description = "It is under way", body = crate::error::ErrorBody)))]
pub(crate) async fn reprocess_storage(Extract(state): Extract<State>, mut query: Query) -> Result<Response> {
    let count = query.int_within("count", 1000, 1, MOST);
    let storage = storage(&state, &mut query)?;
    let _turn = Turn::take(&state, storage.name().as_str()).ok_or_else(|| {
        let says = "Storage replay already running or requires lock recovery";
        ApiError::new(StatusCode::CONFLICT, says, "wait until the other one has ended")
    })?;
    let failed = |error: Error| ApiError::backend("Failed to reprocess storage DLQ", &error);
    let dlq = storage.name().dead_letters();
    let limits = state.live().plan.settings.limits();
    let mut saved = 0_u64;
    for id in state.queue.peek(&dlq, count).await.map_err(failed)? {
        let loaded = state.store.load(std::slice::from_ref(&id)).await.map_err(failed)?.pop();
        let Some(Loaded::Found { json: text, .. }) = loaded else { break };
        let Ok(vcon) = Vcon::parse(id.clone(), text, &limits) else { break };
        if let Err(error) = storage.save(&vcon, None).await {
            if saved == 0 {
                return Err(failed(error));
            }
            break;
        }
        state.queue.discard(&dlq, std::slice::from_ref(&id)).await.map_err(failed)?;
        saved += 1;
    }
    Ok(json(&saved))
}

/// One replay of a storage at a time in this process. Two in different ones save twice, which does no harm.
struct Turn<'a> {
    state: &'a State,
    name: String,
}

impl<'a> Turn<'a> {
    fn take(state: &'a State, name: &str) -> Option<Self> {
        let mut running = state.replaying.lock().expect("no panic while held");
        if running.iter().any(|other| other == name) {
            return None;
        }
        running.push(name.to_owned());
        Some(Self { state, name: name.to_owned() })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.state.replaying.lock().expect("no panic while held").retain(|name| *name != self.name);
    }
}

/// Which letters a request means.
struct Meant {
    dlq: QueueName,
    /// Where they go back to.
    list: QueueName,
    filter: LetterFilter,
}

impl Meant {
    fn read(state: &State, query: &mut Query) -> Self {
        let list = match query.text("storage_name") {
            Some(name) => QueueName::new(format!("storage:{name}")),
            None => query.list("ingress_list"),
        };
        let (older_than, younger_than) = (query.seconds("older_than"), query.seconds("younger_than"));
        let reason = query.text("reason").map(str::parse::<ErrorKind>);
        if let Some(Err(says)) = reason {
            query.refuse("reason", &says);
        }
        let text = |name: &str| query.text(name).map(str::to_owned);
        let filter = LetterFilter {
            reason: text("reason"),
            chain: text("chain").as_deref().map(Into::into),
            link: text("link").as_deref().map(Into::into),
            storage: text("storage").as_deref().map(Into::into),
            ids: query.all("id").flat_map(|ids| ids.split(',')).map(VconId::new).collect(),
            older_than,
            younger_than,
        };
        Self { dlq: state.live().plan.dead_letters(&list), list, filter }
    }

    /// Letters that are meant, from `offset` of the list on, at most so many; and where to go on.
    async fn find(
        &self,
        state: &State,
        mut offset: usize,
        most: usize,
    ) -> Result<(Vec<Letter>, Option<usize>)> {
        let now = unix_seconds();
        let (mut found, begin) = (Vec::new(), offset);
        while found.len() < most && offset - begin < MOST as usize {
            let page = state.queue.dead_letters(&self.dlq, Paging { offset, limit: STEP }).await;
            let page = page.map_err(|error| ApiError::backend("Failed to read DLQ", &error))?;
            let is_last = page.len() < STEP;
            for letter in page {
                if found.len() == most {
                    return Ok((found, Some(offset)));
                }
                offset += 1;
                if self.filter.matches(&letter, now) {
                    found.push(letter);
                }
            }
            if is_last {
                return Ok((found, None));
            }
        }
        Ok((found, Some(offset)))
    }

    /// The ids of the first `count` that are meant.
    async fn ids(&self, state: &State, count: usize) -> Result<Vec<VconId>> {
        let (letters, _) = self.find(state, 0, count).await?;
        Ok(letters.into_iter().map(|letter| letter.id).collect())
    }
}

/// Dead letters with their reasons, oldest first.
#[utoipa::path(get, path = "/dlq/letters", tag = "dead letters",
    params(
        ("ingress_list" = Option<String>, Query, min_length = 1, description = "The ingress list; or `storage_name`"),
        ("storage_name" = Option<String>, Query, description = "The storage whose dead letters are meant"),
        ("reason" = Option<String>, Query, description = "Only with this reason"),
        ("link" = Option<String>, Query, description = "Only from this link"),
        ("chain" = Option<String>, Query, description = "Only from this chain"),
        ("older_than" = Option<i64>, Query, minimum = 0, description = "Only those that died at least so many seconds ago"),
        ("younger_than" = Option<i64>, Query, minimum = 0, description = "Only those that died at most so many seconds ago"),
        ("limit" = Option<i64>, Query, minimum = 0, maximum = 100_000, description = "How many at most: 100 if nothing is said"),
        ("offset" = Option<i64>, Query, minimum = 0, description = "Where to begin: `next` of the answer before"),
    ),
    responses((status = 200, description = "`letters`, and `next` if there may be more", body = answers::Letters)))]
pub(crate) async fn letters(Extract(state): Extract<State>, mut query: Query) -> Result<Response> {
    let meant = Meant::read(&state, &mut query);
    let paging = paging(&mut query, 100);
    query.check()?;
    let (letters, next) = meant.find(&state, paging.offset, paging.limit).await?;
    let letters: Vec<Value> = letters.iter().map(shown).collect();
    Ok(json(&json!({"letters": letters, "next": next})))
}

/// A letter with its time as people read it.
fn shown(letter: &Letter) -> Value {
    let mut shown = json!(letter);
    if let Some(why) = &letter.why {
        shown["why"]["at"] = clock::rfc3339(why.at.saturating_mul(1000)).into();
    }
    shown
}

/// How many dead letters there are by reason, link and chain.
#[utoipa::path(get, path = "/dlq/facets", tag = "dead letters",
    params(("ingress_list" = Option<String>, Query, min_length = 1, description = "The ingress list; or `storage_name`"), ("storage_name" = Option<String>, Query, description = "The storage")),
    responses((status = 200, description = "Counts; `complete` says whether all letters were looked at", body = answers::Facets)))]
pub(crate) async fn facets(Extract(state): Extract<State>, mut query: Query) -> Result<Response> {
    let meant = Meant::read(&state, &mut query);
    query.check()?;
    let (letters, next) = meant.find(&state, 0, MOST as usize).await?;
    let mut counts: [BTreeMap<String, u64>; 3] = Default::default();
    for letter in &letters {
        let why = letter.why.as_ref();
        let values = [
            Some(why.map_or("unknown", |why| &why.reason).to_owned()),
            why.and_then(|why| why.link.as_ref()).map(|link| link.as_str().to_owned()),
            why.and_then(|why| why.chain.as_ref()).map(|chain| chain.as_str().to_owned()),
        ];
        for (count, value) in counts.iter_mut().zip(values) {
            if let Some(value) = value {
                *count.entry(value).or_default() += 1;
            }
        }
    }
    let [reason, link, chain] = counts;
    Ok(json(
        &json!({"total": letters.len(), "complete": next.is_none(), "reason": reason, "link": link, "chain": chain}),
    ))
}

/// Moves dead letters back to their list, or to another: all, or those that the filters mean.
#[utoipa::path(post, path = "/dlq/replay", tag = "dead letters",
    params(
        ("ingress_list" = Option<String>, Query, min_length = 1, description = "The ingress list"),
        ("target" = Option<String>, Query, min_length = 1, description = "Another list"),
        ("reason" = Option<String>, Query, description = "Only with this reason"),
        ("link" = Option<String>, Query, description = "Only from this link"),
        ("chain" = Option<String>, Query, description = "Only from this chain"),
        ("older_than" = Option<i64>, Query, minimum = 0, description = "Only those that died at least so many seconds ago"),
        ("younger_than" = Option<i64>, Query, minimum = 0, description = "Only those that died at most so many seconds ago"),
        ("id" = Option<Vec<String>>, Query, description = "Only these ids"),
        ("count" = Option<i64>, Query, minimum = 1, maximum = 100_000, description = "How many at most: 1000 if nothing is said"),
    ),
    responses((status = 200, description = "How many", body = answers::Replayed)))]
pub(crate) async fn replay(Extract(state): Extract<State>, mut query: Query) -> Result<Response> {
    let meant = Meant::read(&state, &mut query);
    let count = query.int_within("count", 1000, 1, MOST);
    let target = query.text("target").map(str::to_owned);
    let target = target.map(|list| query.list_named("target", &list));
    if target.is_none() && meant.list.as_str().starts_with("storage:") {
        query.refuse(
            "target",
            "letters of a storage came from no list: name a target, or call /dlq/storage/reprocess",
        );
    }
    query.check()?;
    let target = target.unwrap_or_else(|| meant.list.clone());
    let unserved = Unserved::among(&state, &mut query, "target", std::slice::from_ref(&target))?;
    let ids = meant.ids(&state, count).await?;
    let moved = state.queue.replay(&meant.dlq, &ids, &target).await;
    let moved = moved.map_err(|error| ApiError::backend("Failed to replay dead letters", &error))?;
    state.live().tell_enqueued(&target, "dlq_reprocess", moved);
    Ok(unserved.told(json(&unserved.hinted(json!({"replayed": moved})))))
}

/// Drops dead letters for good; needs a filter, or `all`.
#[utoipa::path(post, path = "/dlq/discard", tag = "dead letters",
    params(
        ("ingress_list" = Option<String>, Query, min_length = 1, description = "The ingress list; or `storage_name`"),
        ("storage_name" = Option<String>, Query, description = "The storage"),
        ("reason" = Option<String>, Query, description = "Only with this reason"),
        ("link" = Option<String>, Query, description = "Only from this link"),
        ("chain" = Option<String>, Query, description = "Only from this chain"),
        ("older_than" = Option<i64>, Query, minimum = 0, description = "Only those that died at least so many seconds ago"),
        ("younger_than" = Option<i64>, Query, minimum = 0, description = "Only those that died at most so many seconds ago"),
        ("id" = Option<Vec<String>>, Query, description = "Only these ids"),
        ("all" = Option<bool>, Query, description = "All of them"),
        ("count" = Option<i64>, Query, minimum = 1, maximum = 100_000, description = "How many at most: 1000 if nothing is said"),
    ),
    responses((status = 200, description = "How many", body = answers::Discarded)))]
pub(crate) async fn discard(Extract(state): Extract<State>, mut query: Query) -> Result<Response> {
    let meant = Meant::read(&state, &mut query);
    let count = query.int_within("count", 1000, 1, MOST);
    let has_filter = ["reason", "link", "chain", "id", "storage", "older_than", "younger_than"]
        .iter()
        .any(|name| query.text(name).is_some());
    if !has_filter && !query.is_on("all") {
        query.refuse("all", "name a filter (`reason`, `link`, `chain`, `id`), or say `all=true`");
    }
    query.check()?;
    let ids = meant.ids(&state, count).await?;
    let dropped = state.queue.discard(&meant.dlq, &ids).await;
    let dropped = dropped.map_err(|error| ApiError::backend("Failed to discard dead letters", &error))?;
    Ok(json(&json!({"discarded": dropped})))
}
