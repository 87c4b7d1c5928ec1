//! Many documents in one request.

use axum::Extension;
use axum::extract::{FromRequest, Request, State as Extract};
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
use crate::error::{ApiError, Result, too_large};
use crate::extract::{Line, Lines, Payload, Query, is_lines};
use crate::model::{self, Problem, Refusal};
use crate::openapi::PostedVcon;
use crate::served::Unserved;
use crate::state::State;

/// Documents of one request at most: of an array, and of lines.
const MOST: usize = 10_000;
const MOST_LINES: usize = 100_000;
/// Documents, and bytes of them, that go to the backend at once.
const STEP: usize = 100;
const BYTES: usize = 1 << 20;
/// Broken rules of one document that are told.
const TOLD: usize = 3;

/// An example of lines.
const LINES: &str = r#"{"vcon": "0.4.0", "uuid": "01969c5e-4f5c-8f3a-b0d1-5f0c2b6a7d11", "created_at": "2026-01-02T03:04:05Z"}
{"vcon": "0.4.0", "uuid": "01969c5e-4f5c-8f3a-b0d1-5f0c2b6a7d12", "created_at": "2026-01-02T03:04:06Z"}
"#;

/// What became of one document.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Item {
    /// 201 stored, 200 was here before, 409, 413, 422, 429 or 503.
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
#[utoipa::path(post, path = "/vcons", operation_id = "create_many", tag = "vcons",
    params(("ingress_lists" = Option<Vec<String>>, Query, description = "Lists that get every id"), ("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]+$", description = "The same key again within a day does nothing")),
    request_body(content((Vec<PostedVcon> = "application/json"), (String = "application/x-ndjson", example = json!(LINES))), description = "vCons; lines are read as they come, so that there may be more of them than fit into one body"),
    responses((status = 200, description = "What became of each, in order", body = Vec<Item>)))]
pub(crate) async fn create(
    Extract(state): Extract<State>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    mut query: Query,
    request: Request,
) -> Result<Response> {
    let lists = ingest::lists(&mut query, &headers)?;
    caller.check_lists(&lists)?;
    let unserved = Unserved::among(&state, &mut query, "ingress_lists", &lists)?;
    let (context, once) = (ingest::context(&headers), ingest::once(&headers)?);
    let mut batch = Batch { state: &state, lists, context, once, items: Vec::new() };
    if is_lines(&headers) {
        let limit = state.live().plan.settings.max_document_bytes;
        let lines = Lines::new(&headers, request.into_body(), limit, &state.budget)?;
        batch.take_all(lines).await?;
    } else {
        let body = Payload::from_request(request, &state).await?;
        body.check(Problem::model_type)?;
        let texts = split(&body.text)?;
        if texts.len() > MOST {
            return Err(too_large(format!("one request may carry {MOST} documents; send several")));
        }
        for part in texts.chunks(STEP) {
            batch.take(part.iter().cloned().map(Line::Text).collect()).await;
        }
    }
    Ok(unserved.told(json(&batch.items)))
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

/// A request with what became of its documents so far.
struct Batch<'a> {
    state: &'a State,
    lists: Vec<QueueName>,
    context: Option<String>,
    once: Option<String>,
    items: Vec<Item>,
}

impl Batch<'_> {
    /// Stores lines as they come: the next ones are read while the last ones are written.
    async fn take_all(&mut self, mut lines: Lines) -> Result<()> {
        let mut group = lines.group(STEP, BYTES).await?;
        while !group.is_empty() {
            let ((), next) = tokio::join!(self.take(group), lines.group(STEP, BYTES));
            let next = match next {
                Ok(next) if self.items.len() + next.len() > MOST_LINES => {
                    Err(too_large(format!("one request may carry {MOST_LINES} lines; send the rest again")))
                }
                next => next,
            };
            // What was stored stays stored, and the sender has to know.
            group = next.map_err(|error| error.with("items", &self.items))?;
        }
        Ok(())
    }

    async fn take(&mut self, lines: Vec<Line>) {
        let live = self.state.live();
        let limits = live.plan.settings.limits();
        let size = lines.iter().map(|line| if let Line::Text(text) = line { text.len() } else { 0 }).sum();
        let check = move || {
            let one = |line| match line {
                Line::Text(text) => model::accept(text, &limits).map_err(refused),
                Line::TooLong => Err(too_long(limits.max_bytes)),
            };
            lines.into_iter().map(one).collect::<Vec<_>>()
        };
        let checked = cpu::run_if(size, check).await;
        let (mut arrivals, mut places) =
            (Vec::with_capacity(checked.len()), Vec::with_capacity(checked.len()));
        for checked in checked {
            let place = self.items.len();
            match checked {
                Err(item) => self.items.push(item),
                Ok(accepted) => {
                    places.push(place);
                    self.items.push(Item { status: 201, uuid: Some(accepted.id.clone()), detail: None });
                    let once = self.once.as_ref().map(|once| format!("{once}/{place}"));
                    arrivals.push(live.arrival(accepted, &self.lists, self.context.clone(), once));
                }
            }
        }
        let mut stored = 0;
        for (place, arrived) in places.into_iter().zip(self.state.intake.accept(&arrivals).await) {
            match arrived {
                Ok(Arrived::Stored) => stored += 1,
                Ok(Arrived::Repeated) => self.items[place].status = StatusCode::OK.as_u16(),
                Err(error) => {
                    use conserver_core::ErrorKind::{Conflict, RateLimited, WrongType};
                    let status = match error.kind() {
                        RateLimited => live.plan.settings.api.overload_status.unwrap_or(503),
                        Conflict | WrongType => 409,
                        _ => 503,
                    };
                    self.items[place].status = status;
                    self.items[place].detail = Some(error.to_string().into());
                }
            }
        }
        self.lists.iter().for_each(|list| live.tell_enqueued(list, "new", stored));
    }
}

fn refused(refusal: Refusal) -> Item {
    let detail = match refusal {
        Refusal::Document(error) => error.to_string().into(),
        // Without what was sent: a hundred times that, for each of thousands, would fill the memory.
        Refusal::Rules(mut problems) => {
            problems.truncate(TOLD);
            problems.iter_mut().for_each(|problem| problem.input = serde_json::Value::Null);
            serde_json::to_value(problems).unwrap_or_default()
        }
    };
    Item { status: StatusCode::UNPROCESSABLE_ENTITY.as_u16(), uuid: None, detail: Some(detail) }
}

fn too_long(limit: usize) -> Item {
    let detail = format!("a line has at most {limit} bytes (`limits.max_document_bytes`)");
    Item { status: StatusCode::PAYLOAD_TOO_LARGE.as_u16(), uuid: None, detail: Some(detail.into()) }
}
