//! A private HTTP server that answers by script: statuses, delays, connections that break. It keeps what it was sent, and
//! can go away and come back on its port.
//!
//! It runs on a thread of its own, so that tests with and without a runtime use it in the same way.

use std::collections::{BTreeMap, VecDeque};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::certificate::Certificate;
use crate::process::wait_until;

/// How long the port may be held by what was there before.
const LIMIT: Duration = Duration::from_secs(60);

/// A server on a free port of this machine, gone when it is dropped.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    script: Arc<Script>,
    certificate: Option<(Certificate, tempfile::TempDir)>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// What it was sent.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST` and the like.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// By lowercase names.
    pub headers: BTreeMap<String, String>,
    /// The body, whole.
    pub body: Bytes,
}

/// What it answers.
#[derive(Debug, Clone)]
pub struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    delay: Duration,
    breaks: Option<Break>,
}

/// When it hangs up instead of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    BeforeReading,
    AfterReading,
}

type Rule = Box<dyn Fn(&Request) -> Answer + Send + Sync>;

#[derive(Default)]
struct Script {
    next: Mutex<VecDeque<Answer>>,
    rule: Mutex<Option<Rule>>,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
}

impl HttpServer {
    /// Answers 200 to everything, until it is told otherwise.
    pub fn start() -> Self {
        Self::begin(None)
    }

    /// The same over TLS; [`HttpServer::authority`] is to be trusted.
    pub fn start_tls() -> Self {
        let folder = tempfile::tempdir().expect("a folder for certificates");
        Self::begin(Some((Certificate::write_to(folder.path()), folder)))
    }

    fn begin(certificate: Option<(Certificate, tempfile::TempDir)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let mut server = Self { address, script: Arc::default(), certificate, running: None };
        server.serve(listener);
        server
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://localhost:{}{path}", self.address.port())
    }

    /// The certificate that a client has to trust, PEM.
    ///
    /// # Panics
    /// Without TLS.
    pub fn authority(&self) -> &Path {
        &self.certificate.as_ref().expect("a server with TLS").0.ca
    }

    /// The next requests get these answers, in order; those after them what the rule says.
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        lock(&self.script.next).extend(answers);
    }

    /// Every request gets what this says.
    pub fn rule(&self, rule: impl Fn(&Request) -> Answer + Send + Sync + 'static) {
        *lock(&self.script.rule) = Some(Box::new(rule));
    }

    /// What was sent so far and read whole, in the order of its end.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.script.requests).clone()
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.script.connections.load(Relaxed)
    }

    /// Forgets what was sent so far.
    pub fn forget(&self) {
        lock(&self.script.requests).clear();
    }

    /// Goes away: connections break, new ones are refused. What it was sent is kept.
    pub fn stop(&mut self) {
        let Some((stop, thread)) = self.running.take() else { return };
        drop(stop);
        let ended = thread.join();
        assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
    }

    /// Comes back on its port.
    ///
    /// # Panics
    /// If somebody else keeps the port.
    pub fn restart(&mut self) {
        self.stop();
        let mut listener = None;
        wait_until(LIMIT, || {
            listener = TcpListener::bind(self.address).ok();
            listener.is_some()
        });
        self.serve(listener.expect("the port is free again"));
    }

    fn serve(&mut self, listener: TcpListener) {
        let (stop, stopped) = oneshot::channel::<()>();
        let (script, tls) =
            (Arc::clone(&self.script), self.certificate.as_ref().map(|(files, _)| tls(files)));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            // Everything that is under way ends with the runtime.
            runtime.expect("a runtime for the server").block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, script, tls) => {}
                }
            });
        });
        self.running = Some((stop, thread));
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Request {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

impl Answer {
    /// An answer with this status and nothing else.
    ///
    /// # Panics
    /// If there is no such status.
    pub fn status(status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status has three digits");
        Self { status, headers: Vec::new(), body: Bytes::new(), delay: Duration::ZERO, breaks: None }
    }

    /// No answer: the connection ends before the body is read.
    pub fn hang_up() -> Self {
        Self { breaks: Some(Break::BeforeReading), ..Self::status(200) }
    }

    /// No answer: the connection ends when all has been read.
    pub fn hang_up_late() -> Self {
        Self { breaks: Some(Break::AfterReading), ..Self::status(200) }
    }

    /// With a header.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a value of a header");
        self.headers.push((HeaderName::from_static(name), value));
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// After this time.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds this lock")
}

fn tls(files: &Certificate) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let cert = CertificateDer::from_pem_file(&files.cert).expect("a certificate of ours can be read");
    let key = PrivateKeyDer::from_pem_file(&files.key).expect("a key of ours can be read");
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("ring has the usual versions").with_no_client_auth();
    let config = config.with_single_cert(vec![cert], key).expect("certificate and key belong together");
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(listener: TcpListener, script: Arc<Script>, tls: Option<TlsAcceptor>) {
    listener.set_nonblocking(true).expect("a listener can be made asynchronous");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener belongs to a runtime");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        script.connections.fetch_add(1, Relaxed);
        let (script, tls) = (Arc::clone(&script), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => converse(stream, script).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, script).await;
                    }
                }
            }
        });
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, script: Arc<Script>) {
    let service = service_fn(|request| answer(request, &script));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    // A connection that breaks is what some scripts are about.
    let _ = connection.await;
}

/// The answer; an error ends the connection without one.
async fn answer(
    request: hyper::Request<Incoming>,
    script: &Script,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let broken = || std::io::Error::other("hangs up");
    let scripted = lock(&script.next).pop_front();
    if scripted.as_ref().is_some_and(|answer| answer.breaks == Some(Break::BeforeReading)) {
        return Err(broken());
    }
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| broken())?.to_bytes();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let (method, target) = (head.method.to_string(), head.uri.to_string());
    let request = Request { method, target, headers, body };
    let answer = scripted
        .or_else(|| lock(&script.rule).as_ref().map(|rule| rule(&request)))
        .unwrap_or_else(|| Answer::status(200));
    lock(&script.requests).push(request);
    if answer.breaks.is_some() {
        return Err(broken());
    }
    tokio::time::sleep(answer.delay).await;
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    response.headers_mut().extend(answer.headers);
    Ok(response)
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").field("requests", &lock(&self.requests).len()).finish_non_exhaustive()
    }
}
