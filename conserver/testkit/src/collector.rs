//! A stand-in for an OpenTelemetry collector: it takes OTLP over gRPC and over HTTP, plain and over TLS, and keeps what
//! it decoded.

mod grpc;
mod http;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point::Value as Number};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::certificate::Certificate;

/// Attributes by name, values as text.
pub type Attributes = BTreeMap<String, String>;

/// A collector on a free port of this machine. Its thread ends with the process of the test.
#[derive(Debug)]
pub struct Collector {
    /// The URL of its root.
    pub url: String,
    received: Arc<Mutex<Received>>,
    certificate: Option<(Certificate, tempfile::TempDir)>,
}

/// What was sent.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// Every span.
    pub spans: Vec<Span>,
    /// The newest value of every series, by resource, name and attributes.
    pub points: BTreeMap<(Attributes, String, Attributes), Point>,
    /// Headers of the last request.
    pub headers: Attributes,
}

/// A span.
#[derive(Debug, Clone)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// Trace, own and parent's id, as hex; no parent is empty.
    pub trace: String,
    /// Its own id.
    pub id: String,
    /// The id of the span around it.
    pub parent: String,
    /// Traces and spans that it is linked to.
    pub links: Vec<(String, String)>,
    /// Its attributes.
    pub attributes: Attributes,
    /// The code of its status: 1 ok, 2 error.
    pub status: i32,
    /// Names of its events.
    pub events: Vec<String>,
    /// Who made it.
    pub resource: Attributes,
}

/// Where a series stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// `sum`, `gauge`, `histogram`.
    pub kind: &'static str,
    /// The unit.
    pub unit: String,
    /// The value; of a histogram the number of values.
    pub value: f64,
    /// The bounds of a histogram.
    pub bounds: Vec<f64>,
}

impl Collector {
    /// Takes OTLP over gRPC.
    pub fn grpc() -> Self {
        Self::start(false, grpc::serve)
    }

    /// Takes OTLP over gRPC with TLS; [`Collector::authority`] is to be trusted.
    pub fn grpc_tls() -> Self {
        Self::start(true, grpc::serve)
    }

    /// Takes OTLP over HTTP.
    pub fn http() -> Self {
        Self::start(false, http::serve)
    }

    /// Takes OTLP over HTTPS; [`Collector::authority`] is to be trusted.
    pub fn https() -> Self {
        Self::start(true, http::serve)
    }

    fn start(tls: bool, serve: fn(TcpListener, Arc<Mutex<Received>>, Option<Certificate>)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        let certificate = tls.then(|| {
            let folder = tempfile::tempdir().expect("a folder for certificates");
            (Certificate::write_to(folder.path()), folder)
        });
        let received = Arc::new(Mutex::default());
        let (keep, shown) = (Arc::clone(&received), certificate.as_ref().map(|(files, _)| files.clone()));
        std::thread::spawn(move || serve(listener, keep, shown));
        let scheme = if tls { "https" } else { "http" };
        Self { url: format!("{scheme}://localhost:{port}"), received, certificate }
    }

    /// The certificate that a client has to trust, PEM.
    ///
    /// # Panics
    /// Without TLS.
    pub fn authority(&self) -> &Path {
        &self.certificate.as_ref().expect("a collector with TLS").0.ca
    }

    /// What was sent so far.
    pub fn received(&self) -> Received {
        self.received.lock().expect("nothing panics while it holds this lock").clone()
    }

    /// The newest values of one figure, added up over the processes that sent it, by attributes.
    pub fn sums(&self, name: &str) -> BTreeMap<Attributes, f64> {
        let mut sums = BTreeMap::new();
        for ((_, of, attributes), point) in self.received().points {
            if of == name {
                *sums.entry(attributes).or_default() += point.value;
            }
        }
        sums
    }
}

impl Received {
    fn take_traces(&mut self, request: ExportTraceServiceRequest) {
        for of_resource in request.resource_spans {
            let resource = of(of_resource.resource);
            for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                self.spans.push(Span {
                    name: span.name,
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
                    attributes: attributes(span.attributes),
                    status: span.status.map_or(0, |status| status.code),
                    events: span.events.into_iter().map(|event| event.name).collect(),
                    resource: resource.clone(),
                });
            }
        }
    }

    fn take_metrics(&mut self, request: ExportMetricsServiceRequest) {
        for of_resource in request.resource_metrics {
            let resource = of(of_resource.resource);
            for metric in of_resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                let (name, unit) = (metric.name, metric.unit);
                let mut keep = |labels: Vec<KeyValue>, kind, value, bounds| {
                    let point = Point { kind, unit: unit.clone(), value, bounds };
                    self.points.insert((resource.clone(), name.clone(), attributes(labels)), point);
                };
                match metric.data {
                    Some(Data::Sum(sum)) => {
                        for point in sum.data_points {
                            keep(point.attributes, "sum", number(point.value), Vec::new());
                        }
                    }
                    Some(Data::Gauge(gauge)) => {
                        for point in gauge.data_points {
                            keep(point.attributes, "gauge", number(point.value), Vec::new());
                        }
                    }
                    Some(Data::Histogram(histogram)) => {
                        for point in histogram.data_points {
                            keep(point.attributes, "histogram", point.count as f64, point.explicit_bounds);
                        }
                    }
                    other => panic!("`{name}` is {other:?}"),
                }
            }
        }
    }
}

fn number(value: Option<Number>) -> f64 {
    match value {
        Some(Number::AsDouble(value)) => value,
        Some(Number::AsInt(value)) => value as f64,
        None => f64::NAN,
    }
}

fn of(resource: Option<Resource>) -> Attributes {
    attributes(resource.map(|resource| resource.attributes).unwrap_or_default())
}

fn attributes(pairs: Vec<KeyValue>) -> Attributes {
    pairs.into_iter().map(|pair| (pair.key, text(pair.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
