//! The configuration is read and replaced.

use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::Response;
use conserver_core::config::{Plan, Problem, update};
use serde_json::{Value, json};

use super::{json, nothing};
use crate::configuration::ConfigFile;
use crate::error::{ApiError, Result};
use crate::extract::{Payload, Query};
use crate::model;
use crate::state::State;

/// The configuration in effect, with stars where secrets are.
#[utoipa::path(get, path = "/config", tag = "configuration", responses((status = 200, description = "The configuration", body = Object)))]
pub(crate) async fn read(Extract(state): Extract<State>) -> Result<Response> {
    const FAILED: &str = "Failed to read configuration";
    let loaded = work(file(&state, FAILED)?, FAILED, |file| file.load()).await?;
    // Not an empty one: a client that changes what it read and posts it would replace everything.
    if loaded.shown.is_null() {
        let hint =
            loaded.problems.iter().find(|problem| problem.is_error()).map(|problem| format!("{problem:#}"));
        let hint = hint.unwrap_or_else(|| "the file is no configuration".to_owned());
        return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, FAILED, hint));
    }
    Ok(json(&loaded.shown))
}

/// Replaces the configuration, after it was checked; the old one is kept beside it. Stars keep the secrets they stand for.
#[utoipa::path(post, path = "/config", tag = "configuration",
    params(("dry_run" = Option<bool>, Query, description = "Only check it: nothing is written")),
    request_body(content = Object, description = "The whole configuration",
        example = json!({"conserver": 1, "chains": {"main": {"ingress_lists": ["intake"], "egress_lists": ["done"]}}})),
    responses((status = 200, description = "With `dry_run`: all problems, and whether it can be used", body = crate::answers::Checked), (status = 204, description = "Replaced")))]
pub(crate) async fn write(
    Extract(state): Extract<State>,
    mut query: Query,
    body: Payload,
) -> Result<Response> {
    const FAILED: &str = "Failed to update configuration";
    let whole = model::Loc::whole_body;
    let dry_run = query.is_on("dry_run");
    query.check()?;
    body.check(model::Problem::dict_type)?;
    let posted: Value = serde_json::from_slice(&body.text).map_err(|error| {
        ApiError::rules(&[model::Problem::json_invalid(error.column(), &error.to_string())])
    })?;
    if !posted.is_object() {
        return Err(ApiError::rules(&[model::Problem::dict_type(whole(), &posted.to_string())]));
    }
    if let Some(number) = update::unkept_number(&body.text) {
        let says = format!("`{number}` has more digits than are kept; put it in quotes");
        return Err(ApiError::rules(&[model::Problem::value(whole(), says, "null")]));
    }
    let file = file(&state, FAILED)?;
    let (registry, running) = (file.registry.clone(), state.plan());
    let outcome = work(file, FAILED, move |file| {
        let current = file.read().unwrap_or_default();
        let value = match update::unmask(&posted, &current) {
            Ok(value) => value,
            Err(lost) => return Ok(Outcome::Lost(lost)),
        };
        let text = update::yaml(&value);
        let loaded = file.check_whole(&text);
        let is_usable = loaded.for_start(false).is_some();
        if is_usable && !dry_run {
            file.replace(&text)?;
        }
        Ok(Outcome::Checked {
            // By the rule of a reload: what runs here already does not stop because of a mistake.
            plan: loaded.for_reload(&running).filter(|_| is_usable).map(Box::new),
            problems: loaded.problems,
        })
    })
    .await?;
    match outcome {
        Outcome::Lost(lost) => {
            let says = format!("stars stand where no secret is stored: {}", lost.join(", "));
            Err(ApiError::rules(&[model::Problem::value(whole(), says, "null")]))
        }
        Outcome::Checked { plan, problems } if dry_run => {
            Ok(json(&json!({"usable": plan.is_some(), "problems": told(&problems)})))
        }
        // Before the answer: whoever took a key away may rely on it.
        Outcome::Checked { plan: Some(plan), .. } => {
            state.renew(*plan, &registry).map_err(|error| ApiError::backend(FAILED, &error))?;
            Ok(nothing())
        }
        Outcome::Checked { plan: None, problems } => {
            let hint = "nothing was written; repair these, or look first with `?dry_run`";
            let says = "The configuration cannot be used";
            Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, says, hint).with("problems", told(&problems)))
        }
    }
}

enum Outcome {
    Lost(Vec<String>),
    /// The plan is there if it can be used.
    Checked {
        plan: Option<Box<Plan>>,
        problems: Vec<Problem>,
    },
}

fn told(problems: &[Problem]) -> Vec<Value> {
    let one = |problem: &Problem| {
        let severity = if problem.is_error() { "error" } else { "warning" };
        json!({"severity": severity, "path": problem.path, "message": problem.message, "hint": problem.hint})
    };
    problems.iter().map(one).collect()
}

fn file(state: &State, failed: &str) -> Result<ConfigFile> {
    state.file.clone().ok_or_else(|| {
        ApiError::new(StatusCode::NOT_IMPLEMENTED, failed, "this instance runs without a configuration file")
    })
}

/// Work on files, where it holds nobody up.
async fn work<T: Send + 'static>(
    file: ConfigFile,
    failed: &str,
    work: impl FnOnce(&ConfigFile) -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let path = file.path.display().to_string();
    let done = tokio::task::spawn_blocking(move || work(&file)).await;
    match done {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            let hint = format!("`{path}`: {}", error.kind());
            Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, failed, hint))
        }
        Err(_) => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, failed, "see the log of the server")),
    }
}
