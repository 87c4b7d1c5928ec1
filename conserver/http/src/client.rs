//! The client, and a request of it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use conserver_core::{Class, Error, ErrorKind, Result};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Method, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::address::Address;
use crate::answer::Answer;
use crate::error;

/// A connection is there within this time, or half of the request's.
const CONNECT: Duration = Duration::from_secs(10);
/// Connections are kept this long for the next request: shorter than most servers do, so that few requests meet one that is
/// just being closed.
const IDLE: Duration = Duration::from_secs(20);
/// No server has a reason to send us further round.
const REDIRECTS: usize = 3;

/// Says what a request is about, so that its repetition is known for one.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A client of HTTP/1.1, made when it is first used. Its connections are kept and shared by all who use it.
///
/// The proxies that `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` name are used.
#[derive(Debug)]
pub struct HttpClient {
    timeout: Duration,
    ca_file: Option<PathBuf>,
    client: OnceLock<reqwest::Client>,
}

/// What is sent.
#[derive(Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// Where it goes.
    pub to: &'a Address,
    /// Its headers; a `User-Agent` is added where there is none.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl HttpClient {
    /// A client whose requests may take this long, answers included. `ca_file` is a PEM file with authorities to trust beside
    /// the public ones.
    pub fn new(timeout: Duration, ca_file: Option<PathBuf>) -> Self {
        Self { timeout, ca_file, client: OnceLock::new() }
    }

    /// Sends a request and waits for the head of the answer, whatever its status.
    ///
    /// # Errors
    /// As the table in [`error`] says of a request without an answer; `invalid`, class unavailable, if `ca_file` cannot be
    /// read.
    pub async fn send(&self, request: Request<'_>) -> Result<Answer> {
        let began = Instant::now();
        let Request { method, to, headers, body } = request;
        let doing = format!("{method} `{to}`");
        let sending = self.client()?.request(method, to.url().clone()).headers(headers).body(body).send();
        match sending.await {
            Ok(response) => Ok(Answer::new(doing, response)),
            Err(cause) => Err(error::of_cause(&doing, &cause, began.elapsed())),
        }
    }

    fn client(&self) -> Result<&reqwest::Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Two may make one at once; the first is kept.
        let client = self.make()?;
        Ok(self.client.get_or_init(|| client))
    }

    #[expect(clippy::disallowed_methods, reason = "this is where clients are made")]
    fn make(&self) -> Result<reqwest::Client> {
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls(self.ca_file.as_deref())?)
            .user_agent(concat!("conserver/", env!("CARGO_PKG_VERSION")))
            .timeout(self.timeout)
            .connect_timeout(CONNECT.min(self.timeout / 2))
            .pool_idle_timeout(IDLE)
            .redirect(Policy::custom(follow))
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "no HTTP client can be made").source(error))
    }
}

/// Follows where the same request goes once more to the same server. Anything else would carry a vCon to where nobody
/// decided to send it, or turn a POST into a GET.
fn follow(attempt: Attempt<'_>) -> Action {
    let same_request =
        matches!(attempt.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    let same_server = attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
    if same_request && same_server && attempt.previous().len() <= REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

fn tls(ca_file: Option<&Path>) -> Result<ClientConfig> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = ca_file {
        let unreadable = |cause: String| {
            let says = format!("`ca_file`: no certificates can be read from `{}`", path.display());
            Error::new(ErrorKind::Invalid, says).class(Class::Unavailable).source(cause)
        };
        let certificates =
            CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))?;
        let before = roots.len();
        for certificate in certificates {
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
        if roots.len() == before {
            return Err(unreadable("there is none in it".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| Error::new(ErrorKind::Internal, "no TLS").source(error))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
