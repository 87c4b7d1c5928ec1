//! Prometheus' text format, version 0.0.4.

use std::fmt::Write;

use conserver_core::figure::{Figure, Kind};

use super::snapshot::{Snapshot, Value};

/// All figures that have a value, each with its help and its type.
pub(super) fn text(snapshot: &Snapshot) -> String {
    let mut text = String::with_capacity(snapshot.0.len() * 128);
    let mut last = None;
    for (series, value) in &snapshot.0 {
        let Some(figure) = series.figure() else { continue };
        let name = figure.prometheus_name();
        if last != Some(figure.name) {
            last = Some(figure.name);
            head(&mut text, figure, &name);
        }
        let pairs = figure.prometheus_labels().zip(&series.labels);
        let labels: Vec<String> =
            pairs.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        match (value, figure.kind) {
            (Value::Counter(count), _) => line(&mut text, &name, &labels, count),
            (Value::Gauge(value), _) => line(&mut text, &name, &labels, value),
            (Value::Histogram { counts, sum }, Kind::Histogram(bounds)) => {
                let mut total = 0;
                let bounds = bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
                for (bound, count) in bounds.zip(counts) {
                    total += count;
                    let mut labels = labels.clone();
                    labels.push(format!("le=\"{bound}\""));
                    line(&mut text, &format!("{name}_bucket"), &labels, total);
                }
                line(&mut text, &format!("{name}_sum"), &labels, sum);
                line(&mut text, &format!("{name}_count"), &labels, total);
            }
            (Value::Histogram { .. }, _) => {}
        }
    }
    text
}

fn head(text: &mut String, figure: &Figure, name: &str) {
    let kind = match figure.kind {
        Kind::Counter => "counter",
        Kind::Sum | Kind::Greatest => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "# HELP {name} {}.\n# TYPE {name} {kind}", figure.help);
}

fn line(text: &mut String, name: &str, labels: &[String], value: impl std::fmt::Display) {
    let _ = match labels {
        [] => writeln!(text, "{name} {value}"),
        _ => writeln!(text, "{name}{{{}}} {value}", labels.join(",")),
    };
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::Series;
    use super::*;

    #[test]
    fn histograms_count_upwards_and_labels_are_escaped() {
        let time = Series::new("conserver.settle.time", Vec::new());
        let received =
            Series::new("conserver.main_loop.count_vcons_received", vec!["a \"list\"\n\\".to_owned()]);
        let counts = (0..19).collect();
        let text = text(&Snapshot::from(vec![
            (time, Value::Histogram { counts, sum: 2.5 }),
            (received, Value::Counter(3)),
        ]));
        for expected in [
            "# TYPE conserver_settle_time_seconds histogram\n",
            "conserver_settle_time_seconds_bucket{le=\"0.001\"} 0\n",
            "conserver_settle_time_seconds_bucket{le=\"0.005\"} 3\n",
            "conserver_settle_time_seconds_bucket{le=\"+Inf\"} 171\n",
            "conserver_settle_time_seconds_sum 2.5\n",
            "conserver_settle_time_seconds_count 171\n",
            "conserver_main_loop_count_vcons_received_total{ingress_list=\"a \\\"list\\\"\\n\\\\\"} 3\n",
        ] {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
    }
}
