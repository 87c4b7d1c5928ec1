//! Exporters whose trouble is told: once when it begins, once when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// The collector, as all exporters of a process see it.
#[derive(Debug, Clone, Default)]
pub(super) struct Collector {
    away: Arc<AtomicBool>,
}

impl Collector {
    fn tell(&self, result: OTelSdkResult) -> OTelSdkResult {
        let was_away = self.away.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Err(error) if !was_away => {
                tracing::warn!(%error, "the OTLP collector does not take what it is sent; metrics wait, traces are dropped");
            }
            Ok(()) if was_away => tracing::info!("the OTLP collector takes what it is sent again"),
            _ => {}
        }
        result
    }
}

/// An exporter, told about.
#[derive(Debug)]
pub(super) struct Told<E> {
    exporter: E,
    collector: Collector,
}

impl<E> Told<E> {
    pub(super) fn new(exporter: E, collector: &Collector) -> Self {
        Self { exporter, collector: collector.clone() }
    }
}

impl<E: SpanExporter> SpanExporter for Told<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.collector.tell(self.exporter.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Told<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.collector.tell(self.exporter.export(metrics).await)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}
