//! What stands under `options:` of a webhook, link or storage.

use std::path::PathBuf;
use std::time::Duration;

use conserver_core::Secret;
use conserver_core::config::coerce;
use indexmap::IndexMap;
use reqwest::header::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;

use super::headers::{self, Headers};
use crate::address::Address;

/// Options of a webhook, link or storage.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WebhookOptions {
    /// Who gets the vCon: a URL, or a list of them. All get it at once. Default: nobody.
    #[serde(rename = "webhook-urls", alias = "webhook_urls", deserialize_with = "coerce::one_or_many")]
    #[schemars(with = "coerce::OneOrMany<String>")]
    pub webhook_urls: Vec<Address>,

    /// Headers of each request, such as `Authorization`. They take the place of those that are sent anyway: `Content-Type`,
    /// `Idempotency-Key`, `User-Agent`. Default: no more.
    #[schemars(with = "Option<IndexMap<String, coerce::Text>>")]
    pub headers: Headers,

    /// How long one request may take, the answer included. Default `30s`.
    #[serde(deserialize_with = "coerce::duration")]
    #[schemars(with = "coerce::DurationText")]
    pub timeout: Duration,

    /// Signs the body, so that a receiver knows who sent it. Default: no signature.
    pub sign: Option<Sign>,

    /// Whether an answer other than 2xx is an error. `false`, as with the Python server: any answer will do; what is not 2xx is
    /// told in the log. No answer at all is an error either way. Default `true`.
    #[serde(deserialize_with = "coerce::boolean")]
    #[schemars(with = "coerce::Boolean")]
    pub raise_on_error: bool,

    /// A file with certificates of authorities to trust beside the public ones, PEM. Default: none.
    pub ca_file: Option<PathBuf>,
}

/// A signature.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Sign {
    /// What both sides know: the key of HMAC-SHA256 over the body.
    pub secret: Secret,

    /// The header that carries it, as `sha256=<hex>`. Default `X-Hub-Signature-256`.
    #[serde(default = "header", deserialize_with = "headers::name")]
    #[schemars(with = "Option<String>")]
    pub header: HeaderName,
}

fn header() -> HeaderName {
    HeaderName::from_static("x-hub-signature-256")
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            webhook_urls: Vec::new(),
            headers: Headers::default(),
            timeout: Duration::from_secs(30),
            sign: None,
            raise_on_error: true,
            ca_file: None,
        }
    }
}

impl WebhookOptions {
    /// What is wrong with options that parsed.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.webhook_urls.is_empty() {
            problems.push("`webhook-urls` names nobody, so nothing is sent".to_owned());
        }
        if self.timeout.is_zero() {
            problems.push("`timeout` is 0, so no request could succeed; the default is `30s`".to_owned());
        }
        if self.sign.as_ref().is_some_and(|sign| sign.secret.is_empty()) {
            problems.push("`sign.secret` is empty, so anybody could make the signature".to_owned());
        }
        problems
    }
}
