//! Many documents in one request.

use axum::Extension;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use conserver_core::QueueName;
use conserver_core::cpu;
use conserver_core::intake::Arrived;
use conserver_core::vcon::VconId;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{ingest, json};
use crate::access::Caller;
use crate::error::{ApiError, Result};
use crate::extract::{Payload, Query};
use crate::model::{self, Problem, Refusal};
use crate::openapi::PostedVcon;
use crate::state::State;

/// Documents of one request at most.
const MOST: usize = 10_000;
/// Documents, and bytes of them, that go to the backend at once.
const STEP: usize = 100;

/// What became of one document.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Item {
    /// 201 stored, 200 was here before, 409, 422, 429 or 503.
    status: u16,
    /// Its id, as far as it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    uuid: Option<VconId>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::error::Detail>)]
    detail: Option<serde_json::Value>,
}

/// Stores many vCons: a JSON array, or one document on each line. Each is stored whole or refused by itself.
#[utoipa::path(post, path = "/vcons", tag = "vcons",
    params(("ingress_lists" = Option<Vec<String>>, Query, description = "Lists that get every id"), ("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]+$", description = "The same key again within a day does nothing")),
    request_body(content((Vec<PostedVcon> = "application/json"), (String = "application/x-ndjson")), description = "vCons"),
    responses((status = 200, description = "What became of each, in order", body = Vec<Item>)))]
pub(crate) async fn create(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    mut query: Query,
    body: Payload,
) -> Result<Response> {
    let lists = ingest::lists(&mut query, &headers)?;
    caller.check_lists(&lists)?;
    let (context, once) = (ingest::context(&headers), ingest::once(&headers)?);
    let texts = split(&body.text)?;
    if texts.len() > MOST {
        return Err(crate::error::too_large(format!("one request may carry {MOST} documents; send several")));
    }
    let mut items = Vec::with_capacity(texts.len());
    for (step, part) in texts.chunks(STEP).enumerate() {
        let name = |n: usize| once.as_ref().map(|once| format!("{once}/{}", step * STEP + n));
        store(&state, &lists, context.as_deref(), part, name, &mut items).await;
    }
    Ok(json(&items))
}

/// The documents of a body, each by itself.
fn split(body: &Bytes) -> Result<Vec<Bytes>> {
    let fault = |at: usize, error: &serde_json::Error| {
        ApiError::rules(&[Problem::json_invalid(at + error.column(), &error.to_string())])
    };
    if body.trim_ascii_start().starts_with(b"[") {
        let items: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| fault(0, &error))?;
        return Ok(items.into_iter().map(|item| body.slice_ref(item.get().as_bytes())).collect());
    }
    // A broken line is refused by itself.
    let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    Ok(lines.map(|line| body.slice_ref(line)).collect())
}

async fn store(
    state: &State,
    lists: &[QueueName],
    context: Option<&str>,
    texts: &[Bytes],
    name: impl Fn(usize) -> Option<String>,
    items: &mut Vec<Item>,
) {
    let live = state.live();
    let limits = live.plan.settings.limits();
    let (size, owned) = (texts.iter().map(Bytes::len).sum(), texts.to_vec());
    let check = move || owned.into_iter().map(|text| model::accept(text, &limits)).collect::<Vec<_>>();
    let checked = cpu::run_if(size, check).await;
    let (mut arrivals, mut places) = (Vec::with_capacity(texts.len()), Vec::with_capacity(texts.len()));
    for (n, checked) in checked.into_iter().enumerate() {
        places.push(items.len());
        match checked {
            Err(refusal) => {
                places.pop();
                items.push(refused(refusal));
            }
            Ok(accepted) => {
                items.push(Item { status: 201, uuid: Some(accepted.id.clone()), detail: None });
                arrivals.push(live.arrival(accepted, lists, context.map(str::to_owned), name(n)));
            }
        }
    }
    let mut stored = 0;
    for (place, arrived) in places.into_iter().zip(state.intake.accept(&arrivals).await) {
        match arrived {
            Ok(Arrived::Stored) => stored += 1,
            Ok(Arrived::Repeated) => items[place].status = StatusCode::OK.as_u16(),
            Err(error) => {
                use conserver_core::ErrorKind::{Conflict, RateLimited, WrongType};
                let status = match error.kind() {
                    RateLimited => StatusCode::TOO_MANY_REQUESTS,
                    Conflict | WrongType => StatusCode::CONFLICT,
                    _ => StatusCode::SERVICE_UNAVAILABLE,
                };
                items[place].status = status.as_u16();
                items[place].detail = Some(error.to_string().into());
            }
        }
    }
    lists.iter().for_each(|list| live.tell_enqueued(list, "new", stored));
}

fn refused(refusal: Refusal) -> Item {
    let detail = match refusal {
        Refusal::Document(error) => error.to_string().into(),
        Refusal::Rules(problems) => serde_json::to_value(problems).unwrap_or_default(),
    };
    Item { status: StatusCode::UNPROCESSABLE_ENTITY.as_u16(), uuid: None, detail: Some(detail) }
}
