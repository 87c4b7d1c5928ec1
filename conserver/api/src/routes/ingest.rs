//! Documents come in.

use axum::Extension;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use conserver_core::QueueName;
use conserver_core::cpu;
use conserver_core::intake::Arrived;
use serde_json::json;

use super::{json_text, nothing};
use crate::access::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Payload, Query, header_text};
use crate::gate::About;
use crate::model::{self, Problem};
use crate::openapi::PostedVcon;
use crate::served::Unserved;
use crate::state::State;

/// Lists that one request may name.
const LISTS: usize = 100;
/// Characters of an idempotency key.
const ONCE: usize = 255;
const FAILED: &str = "Failed to store vCon";

/// Stores a vCon and puts its id on ingress lists, all in one step.
#[utoipa::path(post, path = "/vcon", tag = "vcons",
    params(
        ("ingress_lists" = Option<Vec<String>>, Query, description = "Lists that get the id: repeated, or separated by commas"),
        ("ingress_list" = Option<String>, Query, min_length = 1, description = "The same, for one list; also taken as a header"),
        ("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]+$", description = "The same key again within a day does nothing"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context, carried to the chain"),
    ),
    request_body(content = PostedVcon, description = "A vCon: plain, signed (JWS) or encrypted (JWE); gzip is unpacked"),
    responses((status = 201, description = "Stored, as it is answered", body = crate::answers::Stored)))]
pub(crate) async fn create(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    Extension(about): Extension<About>,
    headers: HeaderMap,
    mut query: Query,
    body: Payload,
) -> Result<Response> {
    let lists = lists(&mut query, &headers)?;
    caller.check_lists(&lists)?;
    let unserved = Unserved::among(&state, &mut query, "ingress_lists", &lists)?;
    let json = take(&state, &about, lists, &headers, &body, "new").await?;
    Ok(unserved.told(json_text(StatusCode::CREATED, json)))
}

/// Takes a vCon from a partner, for the one list whose key or signature it has.
#[utoipa::path(post, path = "/vcon/external-ingress", tag = "vcons",
    params(
        ("ingress_list" = String, Query, min_length = 1, description = "The list that gets the id"),
        ("X-Hub-Signature-256" = Option<String>, Header, description = "`sha256=` and the HMAC of the body with a key of the list, in place of the key"),
    ),
    request_body(content = PostedVcon, description = "A vCon"),
    responses((status = 204, description = "Stored")))]
pub(crate) async fn external(
    Extract(state): Extract<State>,
    Extension(about): Extension<About>,
    headers: HeaderMap,
    mut query: Query,
    body: Payload,
) -> Result<Response> {
    let list = query.list("ingress_list");
    query.check()?;
    state.live().door.admit_partner(&headers, &list, &body.sent)?;
    about.partner(&list);
    let unserved = Unserved::among(&state, &mut query, "ingress_list", std::slice::from_ref(&list))?;
    take(&state, &about, vec![list], &headers, &body, "external").await?;
    Ok(unserved.told(nothing()))
}

async fn take(
    state: &State,
    about: &About,
    lists: Vec<QueueName>,
    headers: &HeaderMap,
    body: &Payload,
    source: &'static str,
) -> Result<bytes::Bytes> {
    let live = state.live();
    let settings = &live.plan.settings;
    body.check(Problem::model_type)?;
    let (text, limits) = (body.text.clone(), settings.limits());
    let accepted = cpu::run_if(text.len(), move || model::accept(text, &limits)).await?;
    about.vcon(&accepted.id);
    let once = once(headers)?;
    let json = accepted.json.clone();
    let arrival = live.arrival(accepted, &lists, context(headers), once);
    let arrived = state.intake.accept(std::slice::from_ref(&arrival)).await.pop();
    match arrived {
        Some(Ok(Arrived::Stored)) => {
            lists.iter().for_each(|list| live.tell_enqueued(list, source, 1));
            Ok(json)
        }
        Some(Ok(Arrived::Repeated)) => Ok(json),
        Some(Err(error)) => Err(ApiError::backend(FAILED, &error)),
        None => Ok(json),
    }
}

/// Every list that a request names: as parameters or as a header, several or one, commas between them.
pub(super) fn lists(query: &mut Query, headers: &HeaderMap) -> Result<Vec<QueueName>> {
    let names = ["ingress_lists", "ingress_list"];
    let in_query = names.iter().flat_map(|name| query.all(name));
    let in_headers = ["ingress_list", "ingress_lists", "ingress-list", "ingress-lists"];
    let in_headers =
        in_headers.iter().flat_map(|name| headers.get_all(*name)).filter_map(|v| v.to_str().ok());
    let named: Vec<String> = in_query
        .chain(in_headers)
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .take(LISTS + 1)
        .map(str::to_owned)
        .collect();
    let lists: Vec<QueueName> = named.iter().map(|list| query.list_named("ingress_lists", list)).collect();
    if lists.len() > LISTS {
        query.refuse("ingress_lists", "one request may name 100 lists");
    }
    query.check()?;
    Ok(lists)
}

/// What the sender calls this request.
pub(super) fn once(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(name) = headers.get("idempotency-key") else { return Ok(None) };
    match name.to_str() {
        Ok(name) if !name.is_empty() && name.len() <= ONCE => Ok(Some(name.to_owned())),
        _ => {
            let hint = "send 1 to 255 visible ASCII characters in the header `Idempotency-Key`";
            Err(ApiError::new(StatusCode::BAD_REQUEST, "Invalid Idempotency-Key", hint))
        }
    }
}

/// The trace context of the request, in the form in which it travels beside the lists.
pub(super) fn context(headers: &HeaderMap) -> Option<String> {
    let mut parts = header_text(headers, "traceparent")?.trim().split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let is_void = |text: &str| text.bytes().all(|b| b == b'0');
    let is_fine =
        is_hex(version, 2) && version != "ff" && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
    if !is_fine || is_void(trace) || is_void(span) {
        return None;
    }
    let flags = u8::from_str_radix(flags, 16).ok()? & 1;
    Some(
        json!({"trace_id": trace, "span_id": span, "trace_flags": flags, "is_sampled": flags == 1})
            .to_string(),
    )
}
