//! Figures at one instant, and how those of several processes become one.

use std::collections::BTreeMap;

use conserver_core::figure::{Figure, Kind};
use serde::{Deserialize, Serialize};

/// All series of one process, or of the instance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(Series, Value)>", into = "Vec<(Series, Value)>")]
pub(crate) struct Snapshot(pub(super) BTreeMap<Series, Value>);

/// A figure and the values of its labels, in their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(super) name: String,
    pub(super) labels: Vec<String>,
}

/// Where a series stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Value {
    Counter(u64),
    Gauge(f64),
    /// A count for each upper bound, each without the ones before, and one beyond the last.
    Histogram {
        counts: Vec<u64>,
        sum: f64,
    },
}

impl Series {
    pub(super) fn new(name: &str, labels: Vec<String>) -> Self {
        Self { name: name.to_owned(), labels }
    }

    /// The figure; `None` for one that this version does not know.
    pub(super) fn figure(&self) -> Option<&'static Figure> {
        Figure::named(&self.name).filter(|figure| figure.labels.len() == self.labels.len())
    }
}

impl Snapshot {
    /// Adds the figures of another process.
    pub(super) fn add(&mut self, other: &Snapshot) {
        for (series, value) in &other.0 {
            match self.0.get_mut(series) {
                Some(mine) => mine.add(value, series),
                None => drop(self.0.insert(series.clone(), value.clone())),
            }
        }
    }

    /// What stays of a process that ended: what it counted, not how it stood.
    pub(super) fn lasting(mut self) -> Self {
        self.0.retain(|_, value| !matches!(value, Value::Gauge(_)));
        self
    }

    /// How a series stands; for tests and exporters.
    #[cfg(test)]
    pub(super) fn get(&self, name: &str, labels: &[&str]) -> Option<&Value> {
        self.0.get(&Series::new(name, labels.iter().map(|label| (*label).to_owned()).collect()))
    }
}

impl Value {
    fn add(&mut self, other: &Value, series: &Series) {
        match (self, other) {
            (Self::Counter(mine), Self::Counter(other)) => *mine += other,
            (Self::Gauge(mine), Self::Gauge(other)) => match series.figure().map(|figure| figure.kind) {
                Some(Kind::Greatest) => *mine = mine.max(*other),
                _ => *mine += other,
            },
            (Self::Histogram { counts, sum }, Self::Histogram { counts: more, sum: other }) => {
                for (count, more) in counts.iter_mut().zip(more) {
                    *count += more;
                }
                *sum += other;
            }
            // Processes of one supervisor are of one version.
            _ => {}
        }
    }
}

impl From<Vec<(Series, Value)>> for Snapshot {
    fn from(all: Vec<(Series, Value)>) -> Self {
        Self(all.into_iter().collect())
    }
}

impl From<Snapshot> for Vec<(Series, Value)> {
    fn from(snapshot: Snapshot) -> Self {
        snapshot.0.into_iter().collect()
    }
}
