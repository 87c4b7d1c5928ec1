//! Documents and their ids are read, found and deleted.

use axum::Extension;
use axum::extract::State as Extract;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use conserver_core::directory::{CreatedRange, Dated, PartyTerms};
use conserver_core::queue::Paging;
use conserver_core::store::{IndexKeys, Loaded};
use conserver_core::vcon::{Vcon, VconId, View};
use conserver_core::{ErrorKind, cpu};
use futures::future::join_all;
use serde_json::json;

use super::{json, json_text, nothing};
use crate::error::{ApiError, Result, not_found};
use crate::extract::{PathText, Query, path_uuid};
use crate::fetch;
use crate::gate::About;
use crate::state::State;

/// Ids of one page, and documents of one request, at most.
const PAGE: i64 = 10_000;
const DOCUMENTS: usize = 1000;
/// Documents that are read from the store at once.
const STEP: usize = 50;

/// Lists ids by the date of the conversation, newest first.
#[utoipa::path(get, path = "/vcon", tag = "vcons",
    params(
        ("page" = Option<i64>, Query, description = "Page, from 1"),
        ("size" = Option<i64>, Query, description = "Ids of a page: 50 if nothing is said, at most 10000"),
        ("since" = Option<String>, Query, format = DateTime, description = "Not older than this date and time"),
        ("until" = Option<String>, Query, format = DateTime, description = "Not newer than this date and time"),
        ("cursor" = Option<String>, Query, description = "In place of `page`: empty at first, then `x-next-cursor` of the answer before"),
    ),
    responses((status = 200, description = "Ids; with `cursor`, the header `x-next-cursor` says where the next page begins", body = Vec<String>)))]
pub(crate) async fn list(Extract(state): Extract<State>, mut query: Query) -> Result<Response> {
    const FAILED: &str = "Failed to list vCons";
    let (page, size) = (query.int("page", 1), query.int("size", 50));
    let range = CreatedRange { since: query.moment("since"), until: query.moment("until") };
    let cursor = query.text("cursor").map(str::to_owned);
    let last = match cursor.as_deref() {
        None | Some("") => None,
        Some(text) => {
            let last = read_cursor(text);
            if last.is_none() {
                query.refuse("cursor", "this is no cursor of an earlier answer");
            }
            last
        }
    };
    query.check()?;
    let limit = usize::try_from(if size < 0 { PAGE } else { size.min(PAGE) }).unwrap_or(0);
    if cursor.is_some() {
        let page = state.directory.after(range, last.as_ref(), limit).await;
        let page = page.map_err(|error| ApiError::backend(FAILED, &error))?;
        let next = page.last().filter(|_| page.len() == limit).map(write_cursor);
        let mut answer = json(&page.iter().map(|dated| &dated.id).collect::<Vec<_>>());
        if let Some(next) = next.and_then(|next| HeaderValue::try_from(next).ok()) {
            answer.headers_mut().insert("x-next-cursor", next);
        }
        return Ok(answer);
    }
    let Ok(before) = usize::try_from(page.saturating_sub(1)) else { return Ok(json(&Vec::<VconId>::new())) };
    let paging = Paging { offset: before.saturating_mul(limit), limit };
    let ids = state.directory.newest(range, paging).await;
    Ok(json(&ids.map_err(|error| ApiError::backend(FAILED, &error))?))
}

fn write_cursor(last: &Dated) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}|{}", last.created, last.id))
}

fn read_cursor(text: &str) -> Option<Dated> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (created, id) = text.split_once('|')?;
    Some(Dated { created: created.parse().ok()?, id: id.into() })
}

/// Reads one vCon, from a storage if the store has it no longer.
#[utoipa::path(get, path = "/vcon/{vcon_uuid}", tag = "vcons", params(("vcon_uuid" = uuid::Uuid, Path, description = "The id")),
    responses((status = 200, description = "The vCon, as it is stored: plain, signed or encrypted", body = Object), (status = 404, description = "It is nowhere", body = crate::error::ErrorBody)))]
pub(crate) async fn get(Extract(state): Extract<State>, PathText(uuid): PathText) -> Result<Response> {
    let id = path_uuid(&uuid)?;
    let found = fetch::documents(&state, std::slice::from_ref(&id)).await;
    let found = found.and_then(|mut found| found.pop().unwrap_or(Ok(None)));
    let Some(document) = found.map_err(|error| ApiError::backend("Failed to read vCon", &error))? else {
        return Err(not_found(
            "vCon not found",
            "neither the store nor a storage has it; it may have expired",
        ));
    };
    Ok(json_text(StatusCode::OK, outward(&state, &id, document).await))
}

/// Reads several vCons; null stands for one that is nowhere.
#[utoipa::path(get, path = "/vcons", tag = "vcons",
    params(("vcon_uuids" = Option<Vec<uuid::Uuid>>, Query, description = "The ids: repeated, or separated by commas; at most 1000")),
    responses((status = 200, description = "The vCons in the order of the ids", body = Vec<Option<Object>>)))]
pub(crate) async fn get_many(Extract(state): Extract<State>, mut query: Query) -> Result<Response> {
    let ids = query.uuids("vcon_uuids");
    if ids.len() > DOCUMENTS {
        query.refuse("vcon_uuids", "one request may name 1000 ids");
    }
    query.check()?;
    let most = state.live().plan.settings.max_document_bytes;
    let mut out = vec![b'['];
    for (n, part) in ids.chunks(STEP).enumerate() {
        let found = fetch::documents(&state, part).await;
        let found = found.map_err(|error| ApiError::backend("Failed to read vCons", &error))?;
        for (m, (id, document)) in part.iter().zip(found).enumerate() {
            if n + m > 0 {
                out.push(b',');
            }
            // What holds something else is no vCon, and must not cost the others.
            let document = match document {
                Err(error) if error.kind() != ErrorKind::WrongType => {
                    return Err(ApiError::backend("Failed to read vCons", &error));
                }
                document => document.ok().flatten(),
            };
            match document {
                Some(document) => out.extend_from_slice(&outward(&state, id, document).await),
                None => out.extend_from_slice(b"null"),
            }
        }
        if out.len() > most {
            return Err(crate::error::too_large(format!(
                "together these vCons have more than {most} bytes; ask for fewer"
            )));
        }
    }
    out.push(b']');
    Ok(json_text(StatusCode::OK, out.into()))
}

/// The document in the format in which it leaves.
async fn outward(state: &State, id: &VconId, document: Bytes) -> Bytes {
    let settings = &state.live().plan.settings;
    if !settings.legacy_egress {
        return document;
    }
    let (id, limits) = (id.clone(), settings.limits());
    let convert = move || match Vcon::parse(id, document.clone(), &limits) {
        Ok(vcon) => vcon.render(View::StoredLegacy001),
        Err(_) => document,
    };
    cpu::run(convert).await
}

/// Finds ids by what their parties say, exactly; several terms narrow the result.
#[utoipa::path(get, path = "/vcons/search", tag = "vcons",
    params(("tel" = Option<String>, Query, description = "Telephone number, as in the vCon"), ("mailto" = Option<String>, Query, description = "Mail address"), ("name" = Option<String>, Query, description = "Name")),
    responses((status = 200, description = "Ids", body = Vec<uuid::Uuid>), (status = 400, description = "No term", body = crate::error::ErrorBody)))]
pub(crate) async fn search(Extract(state): Extract<State>, query: Query) -> Result<Response> {
    let terms = ["tel", "mailto", "name"].map(|name| query.text(name));
    if terms.iter().all(Option::is_none) {
        let says = "At least one search parameter must be provided";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, says, "add `tel`, `mailto` or `name`"));
    }
    let [tel, mailto, name] = terms.map(|term| term.filter(|term| !term.is_empty()).map(str::to_owned));
    let found = state.directory.search(&PartyTerms { tel, mailto, name }).await;
    Ok(json(&found.map_err(|error| ApiError::backend("An error occurred during the search", &error))?))
}

/// Deletes a vCon from the store, its search keys and all storages.
#[utoipa::path(delete, path = "/vcon/{vcon_uuid}", tag = "vcons", params(("vcon_uuid" = uuid::Uuid, Path, description = "The id")),
    responses(
        (status = 200, description = "Gone, but for copies in storages that cannot delete: `kept`", body = crate::answers::Deleted),
        (status = 204, description = "Gone everywhere"),
    ))]
pub(crate) async fn delete(
    Extract(state): Extract<State>,
    Extension(about): Extension<About>,
    PathText(uuid): PathText,
) -> Result<Response> {
    const FAILED: &str = "Failed to delete vCon";
    let id = path_uuid(&uuid)?;
    about.vcon(&id);
    let live = state.live();
    let deletions = live.storages.iter().filter(|storage| storage.info().can_delete).map(|storage| async {
        let deleted = storage.delete(&id).await;
        (storage.name().clone(), deleted.err())
    });
    let remaining: Vec<_> =
        join_all(deletions).await.into_iter().filter_map(|(name, e)| Some((name, e?))).collect();
    if !remaining.is_empty() {
        let names: Vec<_> = remaining.iter().map(|(name, _)| name.as_str()).collect();
        let hint = "these storages may still hold a copy; delete it again when they answer";
        let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, FAILED, hint).retry_after(5);
        return Err(error.because(FAILED, &remaining[0].1).with("remaining", names));
    }
    // Last, so that a second call finds its search keys if a storage was away.
    state.store.delete(&id).await.map_err(|error| ApiError::backend(FAILED, &error))?;
    let kept: Vec<_> =
        live.storages.iter().filter(|s| !s.info().can_delete).map(|s| s.name().as_str()).collect();
    if kept.is_empty() {
        return Ok(nothing());
    }
    let hint = "these storages cannot delete";
    Ok(json(&json!({"deleted": true, "kept": kept, "hint": hint})).into_response())
}

/// Indexes every document of the store anew; answers how many there are.
#[utoipa::path(get, path = "/index_vcons", tag = "vcons", responses((status = 200, description = "How many were indexed", body = u64, content_type = "application/json")))]
pub(crate) async fn index(Extract(state): Extract<State>) -> Result<Response> {
    const FAILED: &str = "Failed to index vCons";
    let failed = |error| ApiError::backend(FAILED, &error);
    let limits = state.live().plan.settings.limits();
    let (mut indexed, mut from) = (0_u64, None);
    loop {
        let (ids, next) = state.directory.documents(from.as_deref()).await.map_err(failed)?;
        for part in ids.chunks(STEP) {
            let loaded = state.store.load(part).await.map_err(failed)?;
            for (id, loaded) in part.iter().zip(loaded) {
                let Loaded::Found { json, .. } = loaded else { continue };
                let Ok(vcon) = Vcon::parse(id.clone(), json, &limits) else { continue };
                state.store.index(id, &IndexKeys::of(&vcon)).await.map_err(failed)?;
                indexed += 1;
            }
        }
        from = next;
        if from.is_none() {
            return Ok(json(&indexed));
        }
    }
}
