//! One document to several receivers, as the link and the storage `webhook` send it.
//!
//! All receivers get it at once, and one that fails keeps it from no other. A POST may be repeated: it says by its
//! `Idempotency-Key` which vCon it is about. What arrived in an attempt that failed for another receiver is not sent again by
//! the next attempt of the same process, if the document is still the same.

mod headers;
mod options;

use std::time::Instant;

use bytes::Bytes;
use conserver_core::event::WebhookAnswered;
use conserver_core::vcon::VconId;
use conserver_core::{Class, Error, Result};
use futures::future::join_all;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::client::{HttpClient, IDEMPOTENCY_KEY, Request};
use crate::once::{Key, Once};
use crate::sign::signature;

pub use headers::Headers;
pub use options::{Sign, WebhookOptions};

/// What of an id does not stand in a header as it is.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// The receivers, and the client that speaks to them.
#[derive(Debug)]
pub struct Webhook {
    options: WebhookOptions,
    client: HttpClient,
    /// Which receivers have it, by position.
    arrived: Once<Vec<bool>>,
}

impl Webhook {
    /// The receivers that the options name. Nothing is connected yet.
    pub fn new(options: WebhookOptions) -> Self {
        let client = HttpClient::new(options.timeout, options.ca_file.clone());
        Self { options, client, arrived: Once::default() }
    }

    /// Whether nobody is to get anything.
    pub fn is_unset(&self) -> bool {
        self.options.webhook_urls.is_empty()
    }

    /// Gives every receiver the document. `scope` is what the delivery is a part of, such as a chain: another one is another
    /// delivery. Answers what was passed over because of `raise_on_error: false`.
    ///
    /// # Errors
    /// Of the receivers that do not have it, the one that may heal: a dead letter is for what cannot. See
    /// [`error`](crate::error).
    pub async fn deliver(&self, scope: &str, id: &VconId, body: &Bytes) -> Result<Vec<Error>> {
        let count = self.options.webhook_urls.len();
        let key = || Key::of(&[scope.as_bytes(), id.as_str().as_bytes(), body]);
        let known = if self.arrived.is_empty() { None } else { Some(key()) };
        let mut arrived = known.and_then(|key| self.arrived.get(&key)).unwrap_or_else(|| vec![false; count]);

        let headers = &self.headers(id, body);
        let posts = (0..count).filter(|position| !arrived[*position]);
        let posts = posts.map(|position| async move { (position, self.post(position, headers, body).await) });
        let (mut failures, mut passed_over) = (Vec::new(), Vec::new());
        for (position, result) in join_all(posts).await {
            match result {
                Ok(refusal) => {
                    arrived[position] = true;
                    passed_over.extend(refusal);
                }
                Err(error) => failures.push(error),
            }
        }
        let Some(error) = failures.into_iter().min_by_key(urgency) else {
            known.inspect(|key| self.arrived.forget(key));
            return Ok(passed_over);
        };
        let have = arrived.iter().filter(|has| **has).count();
        if have == 0 {
            return Err(error);
        }
        self.arrived.put(known.unwrap_or_else(key), arrived);
        Err(error.context(format!("{have} of {count} receivers have it")))
    }

    /// Asks every receiver something harmless: whether somebody is there who speaks HTTP. What it answers to a POST only a
    /// POST can tell.
    ///
    /// # Errors
    /// The first one's that is not there, or says so itself (502, 503, 504).
    pub async fn reach(&self) -> Result<()> {
        let asked = self.options.webhook_urls.iter().map(|to| async {
            let headers = self.options.headers.map().clone();
            let request = Request { method: Method::OPTIONS, to, headers, body: Bytes::new() };
            let answer = self.client.send(request).await?;
            match answer.status().as_u16() {
                502..=504 => answer.ok(),
                _ => {
                    answer.let_go().await;
                    Ok(())
                }
            }
        });
        join_all(asked).await.into_iter().collect()
    }

    /// One POST. Answers a refusal that is to be passed over.
    async fn post(&self, position: usize, headers: &HeaderMap, body: &Bytes) -> Result<Option<Error>> {
        let began = Instant::now();
        let to = &self.options.webhook_urls[position];
        let request = Request { method: Method::POST, to, headers: headers.clone(), body: body.clone() };
        let sent = self.client.send(request).await;
        let status = sent.as_ref().ok().map(|answer| answer.status().as_u16());
        WebhookAnswered { status, took: began.elapsed() }.emit();
        let answer = sent?;
        let verdict = answer.ok();
        answer.let_go().await;
        match verdict {
            Ok(()) => Ok(None),
            Err(refusal) if !self.options.raise_on_error => Ok(Some(refusal)),
            Err(refusal) => Err(refusal),
        }
    }

    /// Those of the options count most.
    fn headers(&self, id: &VconId, body: &Bytes) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(IDEMPOTENCY_KEY, idempotency_key(id));
        if let Some(sign) = &self.options.sign {
            headers.insert(sign.header.clone(), signature(&sign.secret, body));
        }
        headers.extend(self.options.headers.map().clone());
        headers
    }
}

/// The id, with what cannot stand in a header as `%` and two digits.
pub fn idempotency_key(id: &VconId) -> HeaderValue {
    let text = utf8_percent_encode(id.as_str(), ESCAPED).to_string();
    HeaderValue::try_from(text).expect("what is escaped stands in headers")
}

/// What may heal comes first, soonest first.
fn urgency(error: &Error) -> u8 {
    match error.get_class() {
        Class::Unavailable => 0,
        Class::Retryable { .. } => 1,
        Class::Permanent => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_id_stands_in_a_header_and_no_two_look_the_same() {
        for (id, value) in [
            ("018f2a4b-0000-8000-9dd8-dd37220d739c", "018f2a4b-0000-8000-9dd8-dd37220d739c"),
            ("order 4711", "order%204711"),
            ("%2e", "%252e"),
            ("é\n\u{7f}", "%C3%A9%0A%7F"),
        ] {
            assert_eq!(idempotency_key(&VconId::new(id)), value);
        }
    }
}
