//! The figures of this process as instruments of OpenTelemetry.
//!
//! Counters and gauges are read from the recorder when they are exported. Values of histograms are passed on as they come.

use conserver_core::figure::{self, Figure, Kind, Unit};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter, MeterProvider};
use opentelemetry_sdk::metrics::SdkMeterProvider;

use crate::figures::{Value, echo_to, values_of};

/// Makes an instrument of every figure.
pub(super) fn observe(provider: &SdkMeterProvider) {
    let meter = provider.meter("conserver");
    for figure in figure::ALL.iter().copied() {
        match figure.kind {
            Kind::Counter => drop(
                meter
                    .u64_observable_counter(figure.name)
                    .with_description(figure.help)
                    .with_unit(unit(figure))
                    .with_callback(move |observer| {
                        each(figure, |value, labels| {
                            if let Value::Counter(count) = value {
                                observer.observe(*count, labels);
                            }
                        });
                    })
                    .build(),
            ),
            Kind::Sum => drop(
                meter
                    .f64_observable_up_down_counter(figure.name)
                    .with_description(figure.help)
                    .with_unit(unit(figure))
                    .with_callback(move |observer| observe_gauges(figure, observer))
                    .build(),
            ),
            Kind::Greatest => drop(
                meter
                    .f64_observable_gauge(figure.name)
                    .with_description(figure.help)
                    .with_unit(unit(figure))
                    .with_callback(move |observer| observe_gauges(figure, observer))
                    .build(),
            ),
            Kind::Histogram(_) => {}
        }
    }
    echo_to(move |figure, labels| echo(&meter, figure, labels));
}

/// Passes on the values of one series of a histogram.
fn echo(meter: &Meter, figure: &'static Figure, labels: &[String]) -> Box<dyn Fn(f64) + Send + Sync> {
    let Kind::Histogram(bounds) = figure.kind else { return Box::new(|_| {}) };
    // Under the name of the Python server, these are milliseconds.
    let factor = if figure.unit == Unit::Milliseconds { 1e3 } else { 1.0 };
    let histogram = meter
        .f64_histogram(figure.name)
        .with_description(figure.help)
        .with_unit(unit(figure))
        .with_boundaries(bounds.iter().map(|bound| bound * factor).collect())
        .build();
    let labels = attributes(figure, labels);
    Box::new(move |value| histogram.record(value * factor, &labels))
}

fn observe_gauges(figure: &'static Figure, observer: &dyn AsyncInstrument<f64>) {
    each(figure, |value, labels| {
        if let Value::Gauge(value) = value {
            observer.observe(*value, labels);
        }
    });
}

fn each(figure: &'static Figure, mut observe: impl FnMut(&Value, &[KeyValue])) {
    for (labels, value) in values_of(figure) {
        observe(&value, &attributes(figure, &labels));
    }
}

fn attributes(figure: &'static Figure, labels: &[String]) -> Vec<KeyValue> {
    figure.labels.iter().zip(labels).map(|(name, value)| KeyValue::new(*name, value.clone())).collect()
}

fn unit(figure: &Figure) -> &'static str {
    match figure.unit {
        Unit::Count => "1",
        Unit::Seconds => "s",
        Unit::Milliseconds => "ms",
        Unit::Bytes => "By",
    }
}
