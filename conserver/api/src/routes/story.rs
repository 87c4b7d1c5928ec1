//! What became of a vCon.

use axum::extract::State as Extract;
use axum::response::Response;
use conserver_core::clock::{millis, rfc3339, unix_millis};
use conserver_core::story::RunStory;
use serde_json::{Value, json};

use super::json;
use crate::error::{ApiError, Result};
use crate::extract::{PathText, path_uuid};
use crate::state::State;

const NO_RUNS: &str = "it has not run, or too long ago, or while more than a thousand a second went through; \
                       one that crashed its workers is a dead letter, see /dlq/letters";

/// Tells which runs a vCon had: through which links and storages, when, how long, and with what result.
///
/// The oldest run comes first. What is remembered is bounded in number and age (`stories` in the configuration), and
/// without a run there is a `hint` why.
#[utoipa::path(get, path = "/vcon/{vcon_uuid}/story", tag = "vcons", params(("vcon_uuid" = uuid::Uuid, Path, description = "The id")),
    responses((status = 200, description = "`runs`, and `memory`: how many are kept for how long", body = crate::answers::Story)))]
pub(crate) async fn story(Extract(state): Extract<State>, PathText(uuid): PathText) -> Result<Response> {
    let id = path_uuid(&uuid)?;
    let memory = state.live().plan.settings.stories;
    let since = unix_millis().saturating_sub_unsigned(millis(memory.age));
    let runs = state.chronicle.runs_of(&id, since).await;
    let runs = runs.map_err(|error| ApiError::backend("Failed to read the story", &error))?;
    let shown = |run: &RunStory| {
        let mut shown = json!(run);
        shown["at"] = rfc3339(run.at).into();
        shown
    };
    let runs: Vec<Value> = runs.iter().map(shown).collect();
    let mut answer = json!({
        "uuid": id, "runs": runs,
        "memory": {"runs": memory.runs, "age_seconds": memory.age.as_secs()},
    });
    if runs.is_empty() {
        answer["hint"] = NO_RUNS.into();
    }
    Ok(json(&answer))
}
