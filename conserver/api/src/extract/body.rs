//! Whole bodies: bounded in size, in time, and in what all requests together may hold.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use bytes::{Bytes, BytesMut};
use conserver_core::cpu;
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::error::{ApiError, Result, overloaded, too_large, unreadable};
use crate::model::{Loc, Problem};
use crate::state::State;

/// A client that sends nothing for this long has gone.
pub(super) const SILENCE: Duration = Duration::from_secs(15);
/// A body may take this long, and a second more for each of so many bytes.
const PATIENCE: Duration = Duration::from_secs(30);
pub(super) const SLOWEST: usize = 16 << 10;
/// More of what the length promises is not reserved before it arrives.
const FIRST: usize = 1 << 20;

/// How many bytes all requests hold, and may hold.
#[derive(Debug)]
pub(crate) struct Budget {
    held: AtomicUsize,
    most: usize,
}

impl Budget {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), most })
    }

    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

/// What one request holds of the budget.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Share {
    /// Holds at least so many from now on.
    pub(super) fn hold(&mut self, bytes: usize) -> Result<()> {
        self.grow(bytes.saturating_sub(self.bytes))
    }

    fn grow(&mut self, bytes: usize) -> Result<()> {
        let before = self.budget.held.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before + bytes > self.budget.most { Err(overloaded()) } else { Ok(()) }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A body in UTF-8, unpacked.
#[derive(Debug)]
pub(crate) struct Payload {
    /// As the client signed it.
    pub(crate) sent: Bytes,
    /// The text.
    pub(crate) text: Bytes,
    /// What it says it is, where that is no JSON.
    foreign: Option<String>,
    _share: Share,
}

impl Payload {
    /// Whether there is JSON to read. `kind` is the rule that something else breaks.
    pub(crate) fn check(&self, kind: fn(Loc, &str) -> Problem) -> std::result::Result<(), Unfit> {
        let text = self.text.trim_ascii();
        if text.is_empty() || text == b"null" {
            let problem = Problem::missing(Loc::whole_body(), Value::Null);
            return Err(Unfit { problem: Box::new(problem), hint: "send a JSON body".to_owned() });
        }
        let Some(foreign) = &self.foreign else { return Ok(()) };
        let sent = Value::from(String::from_utf8_lossy(text)).to_string();
        let hint = format!("the body is `{foreign}`; send JSON with `Content-Type: application/json`");
        Err(Unfit { problem: Box::new(kind(Loc::whole_body(), &sent)), hint })
    }
}

/// A body that cannot be what is wanted.
pub(crate) struct Unfit {
    pub(crate) problem: Box<Problem>,
    hint: String,
}

impl From<Unfit> for ApiError {
    fn from(unfit: Unfit) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, json!([unfit.problem]), unfit.hint)
    }
}

impl FromRequest<State> for Payload {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &State) -> Result<Self> {
        let (parts, body) = request.into_parts();
        let limit = state.live().plan.settings.max_document_bytes;
        let mut share = state.budget.share();
        let sent = read(&parts.headers, body, limit, &mut share).await?;
        let text = match packed(&parts.headers)? {
            Packed::Not => sent.clone(),
            Packed::Gzip => unpack(sent.clone(), limit, &mut share).await?,
        };
        Ok(Self { text: utf8(text)?, sent, foreign: foreign(&parts.headers), _share: share })
    }
}

/// How a body is packed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Packed {
    Not,
    Gzip,
}

pub(super) fn packed(headers: &HeaderMap) -> Result<Packed> {
    match headers.get(CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None | Some(b"identity") => Ok(Packed::Not),
        Some(b"gzip" | b"x-gzip") => Ok(Packed::Gzip),
        Some(_) => {
            let hint = "send the body plain or with `Content-Encoding: gzip`";
            Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported encoding", hint))
        }
    }
}

/// Nothing came for too long, or too little.
pub(super) fn silent() -> ApiError {
    let hint = "the body came too slowly; send it again";
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "Request timed out", hint)
}

/// What a body says it is, unless that is JSON or nothing.
fn foreign(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(CONTENT_TYPE)?;
    let kind =
        kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = matches!(
        kind.as_str(),
        "" | "application/json"
            | "application/x-ndjson"
            | "application/jsonl"
            | "application/jose+json"
            | "application/vcon"
    ) || kind.starts_with("application/") && kind.ends_with("+json");
    (!is_json).then_some(kind)
}

async fn read(headers: &HeaderMap, mut body: Body, limit: usize, share: &mut Share) -> Result<Bytes> {
    let says =
        || format!("at most {limit} bytes are taken (`limits.max_document_bytes`); move media to a `url`");
    let promised: Option<usize> =
        headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if promised.is_some_and(|length| length > limit) {
        return Err(too_large(says()));
    }
    let began = tokio::time::Instant::now();
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    loop {
        let read = first.as_ref().map_or(0, Bytes::len) + all.len();
        let end = began + PATIENCE + Duration::from_secs((read / SLOWEST) as u64);
        let silence = tokio::time::Instant::now() + SILENCE;
        let frame = match tokio::time::timeout_at(end.min(silence), body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => return Err(unreadable("the body ended early; send it again")),
            Err(_) => return Err(silent()),
        };
        let Ok(data) = frame.into_data() else { continue };
        share.grow(data.len())?;
        // Most bodies come in one piece, which is then not copied.
        match (first.take(), all.is_empty()) {
            (None, true) => first = Some(data),
            (held, _) => {
                if let Some(held) = held {
                    all.reserve(promised.unwrap_or(0).clamp(held.len(), FIRST));
                    all.extend_from_slice(&held);
                }
                all.extend_from_slice(&data);
            }
        }
        if first.as_ref().map_or(0, Bytes::len) + all.len() > limit {
            return Err(too_large(says()));
        }
    }
    Ok(first.unwrap_or_else(|| all.freeze()))
}

/// Unpacks as much as is allowed and not a byte more.
async fn unpack(packed: Bytes, limit: usize, share: &mut Share) -> Result<Bytes> {
    let unpacked = cpu::run_if(packed.len(), move || {
        let mut out = Vec::new();
        MultiGzDecoder::new(&packed[..]).take(limit as u64 + 1).read_to_end(&mut out).map(|_| out)
    })
    .await
    .map_err(|_| unreadable("the body says it is gzip and is none"))?;
    if unpacked.len() > limit {
        return Err(too_large(format!(
            "unpacked, at most {limit} bytes are taken (`limits.max_document_bytes`)"
        )));
    }
    share.grow(unpacked.len())?;
    Ok(unpacked.into())
}

/// JSON may also come in UTF-16, or with a mark at its beginning.
fn utf8(text: Bytes) -> Result<Bytes> {
    let wide = |pairs: Vec<u16>| {
        let text: std::result::Result<String, _> = char::decode_utf16(pairs).collect();
        text.map(Bytes::from).map_err(|_| unreadable("the body is no UTF-16"))
    };
    let pairs = |bytes: &[u8], read: fn([u8; 2]) -> u16| -> Vec<u16> {
        bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect()
    };
    match &text[..] {
        [0xef, 0xbb, 0xbf, ..] => Ok(text.slice(3..)),
        [0xff, 0xfe, rest @ ..] => wide(pairs(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => wide(pairs(rest, u16::from_be_bytes)),
        [first, 0, ..] if *first != 0 => wide(pairs(&text, u16::from_le_bytes)),
        [0, second, ..] if *second != 0 => wide(pairs(&text, u16::from_be_bytes)),
        _ => Ok(text),
    }
}
