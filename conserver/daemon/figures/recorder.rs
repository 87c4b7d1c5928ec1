//! The figures of this process, in atomics that anybody may count into at any time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};

use conserver_core::figure::{Figure, Kind};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

use super::snapshot::{Series, Snapshot, Value};

/// A label that is no name of the configuration would make more series than this; they are not counted.
const MOST: usize = 20_000;

static FIGURES: OnceLock<Figures> = OnceLock::new();

/// Counts from now on.
pub(super) fn install() {
    // Only fails if it was installed before, as in tests that run several commands.
    let _ = metrics::set_global_recorder(FIGURES.get_or_init(Figures::default));
}

/// What hears each value of one series of a histogram.
type Echo = Box<dyn Fn(f64) + Send + Sync>;
/// Makes one for a series.
type Listener = Box<dyn Fn(&'static Figure, &[String]) -> Echo + Send + Sync>;
static ECHO: OnceLock<Listener> = OnceLock::new();

/// Passes on the values of every histogram that comes up from now on; `listen` is asked once for each series.
#[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "whoever listens is not in this build"))]
pub(crate) fn echo_to(listen: impl Fn(&'static Figure, &[String]) -> Echo + Send + Sync + 'static) {
    // Only the first counts: a process has one exporter.
    let _ = ECHO.set(Box::new(listen));
}

/// The series of one figure of this process, by the values of their labels.
#[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "whoever asks is not in this build"))]
pub(crate) fn values_of(figure: &Figure) -> Vec<(Vec<String>, Value)> {
    let Some(figures) = FIGURES.get() else { return Vec::new() };
    let cells = figures.cells.lock().expect("no panic while held");
    let of_figure = cells.iter().filter(|(series, _)| series.name == figure.name);
    of_figure.map(|(series, cell)| (series.labels.clone(), cell.value())).collect()
}

/// All figures of this process as of now.
pub(crate) fn snapshot() -> Snapshot {
    FIGURES.get().map(Figures::snapshot).unwrap_or_default()
}

#[derive(Default)]
struct Figures {
    cells: Mutex<HashMap<Series, Arc<Cell>>>,
}

/// One series.
enum Cell {
    Counter(AtomicU64),
    /// The bits of a number.
    Gauge(AtomicU64),
    Histogram(Spread),
}

/// How values are spread: a count for each bound and one beyond the last, and the bits of the sum.
struct Spread {
    bounds: &'static [f64],
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
    echo: Option<Echo>,
}

impl Figures {
    fn cell(&self, key: &Key) -> Option<Arc<Cell>> {
        let figure = Figure::named(key.name())?;
        let series = Series::new(figure.name, key.labels().map(|label| label.value().to_owned()).collect());
        let is_full = {
            let cells = self.cells.lock().expect("no panic while held");
            if let Some(cell) = cells.get(&series) {
                return Some(cell.clone());
            }
            cells.len() >= MOST
        };
        if is_full {
            tracing::warn!(figure = figure.name, "more than {MOST} series: this one is not counted");
            return None;
        }
        // Made without the lock: an exporter that is told of a series takes locks of its own, and holds them where it
        // asks for values.
        let cell = Arc::new(Cell::new(figure, &series.labels));
        let mut cells = self.cells.lock().expect("no panic while held");
        Some(cells.entry(series).or_insert(cell).clone())
    }

    fn snapshot(&self) -> Snapshot {
        let cells = self.cells.lock().expect("no panic while held");
        Snapshot(cells.iter().map(|(series, cell)| (series.clone(), cell.value())).collect())
    }
}

impl Recorder for Figures {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.cell(key).map_or_else(Counter::noop, Counter::from_arc)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.cell(key).map_or_else(Gauge::noop, Gauge::from_arc)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.cell(key).map_or_else(Histogram::noop, Histogram::from_arc)
    }
}

impl Cell {
    fn new(figure: &'static Figure, labels: &[String]) -> Self {
        match figure.kind {
            Kind::Counter => Self::Counter(AtomicU64::new(0)),
            Kind::Sum | Kind::Greatest => Self::Gauge(AtomicU64::new(0.0_f64.to_bits())),
            Kind::Histogram(bounds) => Self::Histogram(Spread {
                bounds,
                counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
                sum: AtomicU64::new(0.0_f64.to_bits()),
                echo: ECHO.get().map(|listen| listen(figure, labels)),
            }),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Counter(count) => Value::Counter(count.load(Relaxed)),
            Self::Gauge(bits) => Value::Gauge(f64::from_bits(bits.load(Relaxed))),
            Self::Histogram(spread) => Value::Histogram {
                counts: spread.counts.iter().map(|count| count.load(Relaxed)).collect(),
                sum: f64::from_bits(spread.sum.load(Relaxed)),
            },
        }
    }
}

impl CounterFn for Cell {
    fn increment(&self, by: u64) {
        if let Self::Counter(count) = self {
            count.fetch_add(by, Relaxed);
        }
    }

    fn absolute(&self, value: u64) {
        if let Self::Counter(count) = self {
            count.fetch_max(value, Relaxed);
        }
    }
}

impl GaugeFn for Cell {
    fn increment(&self, by: f64) {
        if let Self::Gauge(bits) = self {
            add(bits, by);
        }
    }

    fn decrement(&self, by: f64) {
        GaugeFn::increment(self, -by);
    }

    fn set(&self, value: f64) {
        if let Self::Gauge(bits) = self {
            bits.store(value.to_bits(), Relaxed);
        }
    }
}

impl HistogramFn for Cell {
    fn record(&self, value: f64) {
        if let Self::Histogram(spread) = self {
            let bucket = spread.bounds.partition_point(|bound| *bound < value);
            spread.counts[bucket].fetch_add(1, Relaxed);
            add(&spread.sum, value);
            if let Some(echo) = &spread.echo {
                echo(value);
            }
        }
    }
}

fn add(bits: &AtomicU64, by: f64) {
    let sum = |bits| Some((f64::from_bits(bits) + by).to_bits());
    // `sum` always answers.
    let _ = bits.fetch_update(Relaxed, Relaxed, sum);
}
