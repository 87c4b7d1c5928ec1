//! What is counted: every figure of the conserver, in one table.
//!
//! [`event`](crate::event) counts, the program's exporters read. Names are those of the Python server where it has the
//! figure; Prometheus' form of a name is derived, so that the two cannot drift apart. Labels hold names of the
//! configuration and words of this program, never an id: how many series there are does not depend on what passes.

mod table;
mod tally;

pub use table::*;
pub(crate) use tally::Label;

/// One figure.
#[derive(Debug, PartialEq)]
pub struct Figure {
    /// The name, as OTLP and StatsD use it: `conserver.link.count`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it is measured in.
    pub unit: Unit,
    /// Names of its labels, in the order of their values.
    pub labels: &'static [&'static str],
    /// One sentence without a full stop.
    pub help: &'static str,
}

/// How a figure behaves, and how those of several processes become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows. Those of processes that ended count on.
    Counter,
    /// Goes up and down; processes that live are added up.
    Sum,
    /// Goes up and down; of processes that live the greatest counts.
    Greatest,
    /// How values are spread over these upper bounds. Those of processes that ended count on.
    Histogram(&'static [f64]),
}

/// What a figure is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Seconds here and in Prometheus; milliseconds under the name of the Python server.
    Milliseconds,
    /// Bytes.
    Bytes,
}

/// Upper bounds in seconds: a link takes from less than a millisecond to minutes.
pub const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
    600.0,
];

/// Upper bounds of how much goes in one batch.
pub const ITEMS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

impl Figure {
    /// The figure of this name.
    pub fn named(name: &str) -> Option<&'static Figure> {
        ALL.iter().copied().find(|figure| figure.name == name)
    }

    /// The name in Prometheus: dots become underscores, the unit stands at the end, and counters end in `_total`.
    pub fn prometheus_name(&self) -> String {
        let name = self.name.replace('.', "_");
        let name = match self.unit {
            Unit::Milliseconds => name.trim_end_matches("_ms").to_owned() + "_seconds",
            Unit::Seconds => name + "_seconds",
            Unit::Bytes | Unit::Count => name,
        };
        if self.kind == Kind::Counter { name + "_total" } else { name }
    }

    /// The labels' names in Prometheus.
    pub fn prometheus_labels(&self) -> impl Iterator<Item = String> {
        self.labels.iter().map(|label| label.replace('.', "_"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_figures_are_unique_in_both_forms() {
        let mut names: Vec<String> = ALL.iter().map(|figure| figure.prometheus_name()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|figure| Figure::named(figure.name) == Some(figure)));
    }

    #[test]
    fn prometheus_has_base_units_and_endings() {
        assert_eq!(RECEIVED.prometheus_name(), "conserver_main_loop_count_vcons_received_total");
        assert_eq!(PROCESSING_TIME.prometheus_name(), "conserver_main_loop_vcon_processing_time_seconds");
        assert_eq!(STORAGE_DURATION.prometheus_name(), "conserver_storage_duration_seconds");
        assert_eq!(REDIS_MEMORY.prometheus_name(), "conserver_redis_memory_used_bytes");
        assert_eq!(LINK_TIME.prometheus_labels().collect::<Vec<_>>(), ["link_name", "chain_name"]);
    }
}
