//! The description of all calls, and a page to read it on and to try it: Swagger UI, whose files are part of the program.

use std::io::Read;

use axum::extract::State as Extract;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{Html, IntoResponse, Response};
use flate2::read::GzDecoder;

use super::json;
use crate::error::{Result, not_found};
use crate::extract::{PathText, header_text};
use crate::openapi;
use crate::state::State;

/// Scripts, styles, pictures and calls of this server alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The files change with the program alone.
const AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

struct File {
    name: &'static str,
    kind: &'static str,
    content: &'static [u8],
    is_packed: bool,
}

const fn ours(name: &'static str, kind: &'static str, content: &'static str) -> File {
    File { name, kind, content: content.as_bytes(), is_packed: false }
}

const fn packed(name: &'static str, kind: &'static str, content: &'static [u8]) -> File {
    File { name, kind, content, is_packed: true }
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

macro_rules! vendored {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz"))
    };
}

const FILES: &[File] = &[
    ours("page.js", SCRIPT, include_str!("docs/page.js")),
    ours("page.css", STYLE, include_str!("docs/page.css")),
    packed("swagger-ui-bundle.js", SCRIPT, vendored!("swagger-ui-bundle.js")),
    packed("swagger-ui.css", STYLE, vendored!("swagger-ui.css")),
    packed("LICENSE", TEXT, vendored!("LICENSE")),
];

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "instance", responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(crate) async fn description(Extract(state): Extract<State>) -> Response {
    json(&openapi::document(&state.live().plan.settings.api))
}

/// A page that shows this description and calls what it describes.
#[utoipa::path(get, path = "/docs", tag = "instance", responses((status = 200, description = "The page", body = String, content_type = "text/html")))]
pub(crate) async fn page() -> Response {
    ([(CONTENT_SECURITY_POLICY, POLICY)], Html(include_str!("docs/page.html"))).into_response()
}

/// What the page is made of.
#[utoipa::path(get, path = "/docs/{file}", tag = "instance",
    params(("file" = String, Path, description = "The name of a file")),
    responses(
        (status = 200, description = "The file", content((String = "text/javascript"), (String = "text/css"), (String = "text/plain"))),
        (status = 404, description = "No such file", body = crate::error::ErrorBody),
    ))]
pub(crate) async fn file(PathText(name): PathText, headers: HeaderMap) -> Result<Response> {
    let Some(file) = FILES.iter().find(|file| file.name == name) else {
        return Err(not_found("Not Found", "the page is /docs"));
    };
    let common = [(CONTENT_TYPE, HeaderValue::from_static(file.kind)), (CACHE_CONTROL, AN_HOUR)];
    if !file.is_packed {
        return Ok((common, file.content).into_response());
    }
    let vary = (VARY, HeaderValue::from_static("accept-encoding"));
    if header_text(&headers, ACCEPT_ENCODING.as_str()).is_some_and(|all| all.contains("gzip")) {
        let gzip = (CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        return Ok((common, [vary, gzip], file.content).into_response());
    }
    let mut plain = Vec::new();
    let unpacked = GzDecoder::new(file.content).read_to_end(&mut plain);
    unpacked.map_err(|_| not_found("Not Found", "this build holds a broken file"))?;
    Ok((common, [vary], plain).into_response())
}
