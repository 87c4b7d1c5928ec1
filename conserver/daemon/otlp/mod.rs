//! OTLP: metrics and traces of this process to an OpenTelemetry collector.
//!
//! Everything runs on a thread and a runtime of its own, so that a collector that is slow or away holds up nobody. What
//! does not fit the SDK's bounded queue is dropped. Headers, timeouts, samplers and sizes of queues are read by the SDK
//! from the variables of the OpenTelemetry specification.

mod figures;
mod told;

use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::Context;
use conserver_core::config::settings::{OtlpProtocol, OtlpSettings};
use conserver_core::trace;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::tonic_types::transport::ClientTlsConfig;
use opentelemetry_otlp::{MetricExporter, Protocol, SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::SdkTracerProvider;

use self::told::{Collector, Told};
use crate::identity;

/// How long the end of a process waits for what is not exported yet.
const LAST_EXPORT: Duration = Duration::from_secs(3);

/// Exports until it is finished.
pub(crate) struct Export {
    runtime: tokio::runtime::Runtime,
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

impl Export {
    /// Begins to export, from a process whose figures are kept already and have no histogram yet.
    pub(super) fn start(settings: &OtlpSettings) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("otlp")
            .enable_all()
            .build()
            .context("start the runtime")?;
        let entered = runtime.enter();
        let resource = resource(settings);
        let collector = Collector::default();

        let spans = match settings.protocol {
            OtlpProtocol::Grpc => SpanExporter::builder().with_tonic().with_tls_config(tls()).build(),
            OtlpProtocol::Http => {
                SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build()
            }
        };
        let spans = Told::new(spans.context("export traces")?, &collector);
        let traces =
            SdkTracerProvider::builder().with_resource(resource.clone()).with_batch_exporter(spans).build();
        let tracer = traces.tracer("conserver");
        trace::start(global::BoxedTracer::new(Box::new(tracer)));

        let figures = match settings.protocol {
            OtlpProtocol::Grpc => MetricExporter::builder().with_tonic().with_tls_config(tls()).build(),
            OtlpProtocol::Http => {
                MetricExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build()
            }
        };
        let figures = Told::new(figures.context("export metrics")?, &collector);
        let reader = PeriodicReader::builder(figures).with_interval(settings.interval).build();
        let metrics = SdkMeterProvider::builder().with_resource(resource).with_reader(reader).build();
        figures::observe(&metrics);
        drop(entered);
        Ok(Self { runtime, traces, metrics })
    }

    /// Exports what is left, for a few seconds at most. Not to be called on a runtime.
    pub(crate) fn finish(self) {
        let Self { runtime, traces, metrics } = self;
        let (done, finished) = channel();
        let spawned = std::thread::Builder::new().name("last export".to_owned()).spawn(move || {
            // What could not be exported has been told.
            let _ = traces.shutdown_with_timeout(LAST_EXPORT);
            let _ = metrics.shutdown();
            let _ = done.send(());
        });
        if spawned.is_ok() {
            let _ = finished.recv_timeout(LAST_EXPORT);
        }
        runtime.shutdown_background();
    }
}

/// For `https://`: whom the system trusts. The exporter by itself trusts nobody.
fn tls() -> ClientTlsConfig {
    ClientTlsConfig::new().with_native_roots()
}

/// Who exports: as the Python server says it, one instance for each process.
fn resource(settings: &OtlpSettings) -> Resource {
    let host = identity::host();
    let instance = format!("{host}-pid-{}", std::process::id());
    let resource = Resource::builder_empty()
        .with_service_name("vcon-server")
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", instance),
            KeyValue::new("host.name", host),
        ])
        .with_detector(Box::new(EnvResourceDetector::new()));
    match &settings.service_name {
        Some(name) => resource.with_service_name(name.clone()).build(),
        None => resource.build(),
    }
}
