//! Puts bodies of dialogs into an HTTP store, and what the store says about them in their place.
//!
//! A body leaves the document only when the URL of its copy is there. The same body of a vCon is sent once: what an attempt
//! that failed had sent already is remembered, a body that stands in two dialogs has one copy, and every request says by its
//! `Idempotency-Key` which body it is about.

use std::collections::HashMap;

use bytes::Bytes;
use conserver_core::vcon::Vcon;
use conserver_core::{Applied, Class, Error, ErrorKind, Result, cpu};
use conserver_http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use conserver_http::once::{Key, Once};
use conserver_http::{Address, HttpClient, IDEMPOTENCY_KEY, Method, Request};
use serde_json::value::{RawValue, to_raw_value};

use super::slim::{Members, members, rewrite, written};

/// An answer is a URL and little else.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// The store.
#[derive(Debug)]
pub(super) struct MediaStore {
    to: Address,
    client: HttpClient,
    /// URLs of bodies of vCons that still have others to be put.
    known: Once<String>,
}

/// A body to be put.
struct Body {
    key: Key,
    /// What is sent.
    json: Bytes,
}

impl MediaStore {
    pub(super) fn new(to: Address, client: HttpClient) -> Self {
        Self { to, client, known: Once::default() }
    }

    /// Puts every body of a dialog, and its URL where it was.
    ///
    /// # Errors
    /// As the table of `conserver_http` says; `invalid`, class unavailable, if the store answers no URL. The document stays
    /// whole.
    pub(super) async fn put_all(&self, vcon: Vcon) -> Result<Vcon> {
        let size = vcon.size();
        let (vcon, bodies) = cpu::run_if(size, move || bodies_of(vcon)).await?;
        if bodies.is_empty() {
            return Ok(vcon);
        }
        let mut urls = HashMap::new();
        for body in bodies {
            let url = match self.known.get(&body.key) {
                Some(url) => url,
                None => self.put(&body).await?,
            };
            self.known.put(body.key, url.clone());
            urls.insert(body.key, url);
        }
        urls.keys().for_each(|key| self.known.forget(key));
        cpu::run_if(size, move || with_urls(vcon, &urls)).await
    }

    async fn put(&self, body: &Body) -> Result<String> {
        let key = HeaderValue::try_from(body.key.hex()).expect("hexadecimal digits stand in headers");
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, json), (IDEMPOTENCY_KEY, key)]);
        let request = Request { method: Method::POST, to: &self.to, headers, body: body.json.clone() };
        let answer = self.client.send(request).await?;
        answer.ok()?;
        self.url_in(&answer.read(MAX_ANSWER_BYTES).await?)
    }

    fn url_in(&self, answer: &[u8]) -> Result<String> {
        let answer: Option<HashMap<String, &RawValue>> = serde_json::from_slice(answer).ok();
        let url = answer.and_then(|members| serde_json::from_str::<String>(members.get("url")?.get()).ok());
        url.filter(|url| Address::parse(url).is_ok()).ok_or_else(|| {
            let says = format!(
                "POST `{}`: the answer has no `url` of a copy; is it a store of media that `post_media_to_url` names?",
                self.to
            );
            Error::new(ErrorKind::Invalid, says).class(Class::Unavailable).applied(Applied::Unknown)
        })
    }
}

/// The bodies to be put, each once.
fn bodies_of(mut vcon: Vcon) -> Result<(Vcon, Vec<Body>)> {
    let id = vcon.id().clone();
    let mut bodies: Vec<Body> = Vec::new();
    rewrite(&mut vcon, "dialog", |entry| {
        let Some(dialog) = members(entry)? else { return Ok(None) };
        let Some(content) = content_of(&dialog) else { return Ok(None) };
        let key = key_of(id.as_str(), content);
        if !bodies.iter().any(|known| known.key == key) {
            let none = text("");
            let dialog_id = dialog.get("id").map_or(none.get(), |id| id.get());
            let json = format!(
                r#"{{"content": {}, "vcon_uuid": {}, "dialog_id": {dialog_id}}}"#,
                content.get(),
                text(id.as_str())
            );
            bodies.push(Body { key, json: json.into() });
        }
        Ok(None)
    })?;
    Ok((vcon, bodies))
}

fn with_urls(mut vcon: Vcon, urls: &HashMap<Key, String>) -> Result<Vcon> {
    let id = vcon.id().clone();
    rewrite(&mut vcon, "dialog", |entry| {
        let Some(mut dialog) = members(entry)? else { return Ok(None) };
        let Some(url) = content_of(&dialog).and_then(|content| urls.get(&key_of(id.as_str(), content)))
        else {
            return Ok(None);
        };
        let (url, kind) = (text(url), text("url"));
        dialog.insert("body".to_owned(), &url);
        dialog.insert("body_type".to_owned(), &kind);
        Ok(Some(Some(written(&dialog))))
    })?;
    Ok(vcon)
}

/// The body of a dialog that has something in it, and is not the URL of a copy already.
fn content_of<'a>(dialog: &Members<'a>) -> Option<&'a RawValue> {
    let is_url = dialog.get("body_type").is_some_and(|kind| kind.get() == r#""url""#);
    let body = dialog.get("body").filter(|body| !matches!(body.get(), r#""""# | "null" | "[]" | "{}"));
    body.copied().filter(|_| !is_url)
}

fn key_of(id: &str, content: &RawValue) -> Key {
    Key::of(&[id.as_bytes(), content.get().as_bytes()])
}

fn text(text: &str) -> Box<RawValue> {
    to_raw_value(text).expect("a text is JSON")
}
