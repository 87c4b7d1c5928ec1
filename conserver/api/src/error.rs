//! What is answered when something is wrong: always JSON, `detail` as the Python server has it, and `hint`, the way out.

use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use conserver_core::vcon::DocumentError;
use conserver_core::{Error, ErrorKind};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::failures::Cause;
use crate::model::{Problem, Refusal};

/// An answer that says no.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    body: Value,
    retry_after: Option<u32>,
    cause: Option<Cause>,
    overload: bool,
}

/// Travels with an answer that says no because there is too much: `api.overload_status` chooses its status.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Overload;

/// The body of every error.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// What is wrong: a sentence, or a list of the rules that are broken.
    #[schema(value_type = Detail)]
    detail: Value,
    /// What to do about it.
    hint: String,
}

/// What is wrong.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is only described")]
pub(crate) enum Detail {
    /// A sentence.
    Sentence(String),
    /// Broken rules.
    Rules(Vec<Problem>),
}

/// Result with [`ApiError`].
pub(crate) type Result<T> = std::result::Result<T, ApiError>;

impl ErrorBody {
    pub(crate) fn new(detail: impl Into<Value>, hint: impl Into<String>) -> Self {
        Self { detail: detail.into(), hint: hint.into() }
    }
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, detail: impl Into<Value>, hint: impl Into<String>) -> Self {
        let body = json!(ErrorBody::new(detail, hint));
        Self(Box::new(Parts { status, body, retry_after: None, cause: None, overload: false }))
    }

    /// Says when it is worth trying again.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Says that there is too much.
    pub(crate) fn overload(mut self) -> Self {
        self.0.overload = true;
        self
    }

    /// Keeps why, for the log.
    pub(crate) fn because(mut self, failed: &str, error: &Error) -> Self {
        self.0.cause = Some(Cause(format!("{failed}: {}", error.chain())));
        self
    }

    /// Adds a member to the body.
    pub(crate) fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.0.body[name] = json!(value);
        self
    }

    /// What the backend or a storage says, after what was wanted in the Python server's words.
    pub(crate) fn backend(failed: &str, error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Timeout => {
                let hint = "the backend is away or busy; try again, nothing was half done";
                let answer = Self::new(StatusCode::SERVICE_UNAVAILABLE, failed, hint).retry_after(2);
                answer.because(failed, error)
            }
            ErrorKind::RateLimited => {
                let hint =
                    format!("{error}; wait until workers have caught up, or raise `api.max_queue_length`");
                // Senders keep what a 503 refuses; many take a 4xx for the last word.
                let answer = Self::new(StatusCode::SERVICE_UNAVAILABLE, failed, hint).retry_after(5);
                answer.overload().because(failed, error)
            }
            ErrorKind::Conflict => Self::new(StatusCode::CONFLICT, failed, error.to_string()),
            ErrorKind::WrongType => {
                let hint = format!("{error}; name another list, or remove that key");
                Self::new(StatusCode::CONFLICT, failed, hint)
            }
            ErrorKind::TooLarge => Self::new(StatusCode::PAYLOAD_TOO_LARGE, failed, error.to_string()),
            ErrorKind::Unsupported => Self::new(StatusCode::NOT_IMPLEMENTED, failed, error.to_string()),
            _ => {
                let hint = "the log of the server says why, under this request's id";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, failed, hint).because(failed, error)
            }
        }
    }

    pub(crate) fn rules(problems: &[Problem]) -> Self {
        let hint = match problems {
            [problem] => {
                let says = problem.msg.strip_prefix("Value error, ").unwrap_or(&problem.msg);
                format!("{}: {says}", place(problem))
            }
            problems => format!("{} problems, the first at {}", problems.len(), place(&problems[0])),
        };
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, json!(problems), hint)
    }

    pub(crate) fn document(error: &DocumentError) -> Self {
        let hint = error.to_string();
        match error.rule() {
            "too-large" => too_large(hint),
            "not-utf8" | "too-deep" => unreadable(hint),
            "not-an-object" => Self::rules(&[Problem::model_type(crate::model::Loc::whole_body(), "null")]),
            "duplicate-key" => {
                let problem = Problem::value(crate::model::Loc::whole_body(), &hint, "null");
                Self::rules(&[problem])
            }
            _ => {
                let problem = Problem::json_invalid(error.offset().unwrap_or(0), &hint);
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, json!([problem]), hint)
            }
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Document(error) => Self::document(&error),
            Refusal::Rules(problems) => Self::rules(&problems),
        }
    }
}

fn place(problem: &Problem) -> String {
    let place = serde_json::to_value(&problem.loc).unwrap_or_default();
    let parts: Vec<String> = place
        .as_array()
        .into_iter()
        .flatten()
        .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
        .collect();
    parts.join(".")
}

/// A body that cannot be read at all.
pub(crate) fn unreadable(hint: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "There was an error parsing the body", hint)
}

/// A body that is larger than allowed.
pub(crate) fn too_large(hint: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "Request body too large", hint)
}

/// More than this process can hold at the moment.
pub(crate) fn overloaded() -> ApiError {
    let hint =
        "the server holds as many bytes of requests as it may (`limits.max_bytes_in_flight`); try again";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "Server is busy", hint).retry_after(1)
}

pub(crate) fn not_found(what: &str, hint: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, what, hint)
}

/// A path that exists, with another method.
pub(crate) fn wrong_method(allowed: &str) -> Response {
    let error = ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "Method Not Allowed",
        format!("this path takes {allowed}; see /docs"),
    );
    let mut answer = error.into_response();
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        answer.headers_mut().insert(ALLOW, allowed);
    }
    answer
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Parts { status, body, retry_after, cause, overload } = *self.0;
        let json = HeaderValue::from_static("application/json");
        let mut answer = (status, [(CONTENT_TYPE, json)], body.to_string()).into_response();
        if let Some(seconds) = retry_after {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if overload {
            answer.extensions_mut().insert(Overload);
        }
        if status.is_server_error() {
            answer.extensions_mut().insert(cause.unwrap_or_else(|| Cause(body.to_string())));
        }
        answer
    }
}
