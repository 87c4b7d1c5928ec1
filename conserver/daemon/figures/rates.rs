//! How fast vCons pass, from what the counters of the whole instance said in the last seconds.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use conserver_api::{Rate, Rates};
use conserver_core::figure::{ENDS, Figure, RECEIVED, SETTLED};

use super::snapshot::{Snapshot, Value};

/// A rate is that of the last seconds: long enough for batches to even out, short enough to be of now.
const WINDOW: Duration = Duration::from_secs(10);

/// Remembers what the counters said.
#[derive(Default)]
pub(crate) struct Meter(VecDeque<(Instant, Counts)>);

/// Counters by list and by chain.
#[derive(Default)]
struct Counts {
    taken: BTreeMap<String, u64>,
    settled: BTreeMap<String, u64>,
    ended: BTreeMap<String, u64>,
}

impl Meter {
    /// Takes in what the counters say now; answers the rates since the oldest that is remembered.
    pub(crate) fn read(&mut self, now: Instant, figures: &Snapshot) -> Rates {
        let counts = Counts::of(figures);
        while self.0.len() > 1 && self.0.front().is_some_and(|(at, _)| now - *at > WINDOW) {
            self.0.pop_front();
        }
        let rates = self.0.front().map(|(at, before)| counts.since(before, now - *at)).unwrap_or_default();
        self.0.push_back((now, counts));
        rates
    }
}

impl Counts {
    fn of(figures: &Snapshot) -> Self {
        let ended = figures.0.iter().filter_map(|(series, value)| match (&series.labels[..], value) {
            ([chain, end], Value::Counter(count)) if series.name == ENDS.name => {
                matches!(&**end, "done" | "halted" | "dead").then(|| (chain.clone(), *count))
            }
            _ => None,
        });
        let mut by_chain = BTreeMap::new();
        for (chain, count) in ended {
            *by_chain.entry(chain).or_default() += count;
        }
        Self { taken: by_list(figures, &RECEIVED), settled: by_list(figures, &SETTLED), ended: by_chain }
    }

    fn since(&self, before: &Self, passed: Duration) -> Rates {
        let rate = |now: &BTreeMap<String, u64>, then: &BTreeMap<String, u64>, name: &str| {
            let of = |counts: &BTreeMap<String, u64>| counts.get(name).copied().unwrap_or(0);
            let per_second = of(now).saturating_sub(of(then)) as f64 / passed.as_secs_f64().max(0.001);
            (per_second * 10.0).round() / 10.0
        };
        let lists = self.taken.keys().map(|list| {
            let taken = rate(&self.taken, &before.taken, list);
            let settled = rate(&self.settled, &before.settled, list);
            (list.clone(), Rate { taken, settled })
        });
        let chains = self.ended.keys().map(|chain| (chain.clone(), rate(&self.ended, &before.ended, chain)));
        Rates { lists: lists.collect(), chains: chains.collect() }
    }
}

fn by_list(figures: &Snapshot, figure: &Figure) -> BTreeMap<String, u64> {
    let counts = figures.0.iter().filter_map(|(series, value)| match (&series.labels[..], value) {
        ([list], Value::Counter(count)) if series.name == figure.name => Some((list.clone(), *count)),
        _ => None,
    });
    counts.collect()
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::Series;
    use super::*;

    fn figures(taken: u64, settled: u64, done: u64, retried: u64) -> Snapshot {
        let series = |figure: &Figure, labels: &[&str]| {
            Series::new(figure.name, labels.iter().map(|label| (*label).to_owned()).collect())
        };
        Snapshot::from(vec![
            (series(&RECEIVED, &["in"]), Value::Counter(taken)),
            (series(&SETTLED, &["in"]), Value::Counter(settled)),
            (series(&ENDS, &["main", "done"]), Value::Counter(done)),
            (series(&ENDS, &["main", "retry"]), Value::Counter(retried)),
        ])
    }

    #[test]
    fn rates_are_those_of_the_last_seconds_and_repetitions_are_no_ends() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(meter.read(at(0), &figures(100, 90, 90, 0)).lists.is_empty());
        let rates = meter.read(at(2), &figures(120, 100, 100, 10));
        assert_eq!(rates.lists["in"], Rate { taken: 10.0, settled: 5.0 });
        assert_eq!(rates.chains["main"], 5.0);
        for second in 3..30 {
            meter.read(at(second), &figures(120, 100, 100, 10));
        }
        let rates = meter.read(at(30), &figures(120, 100, 100, 10));
        assert_eq!(rates.lists["in"], Rate { taken: 0.0, settled: 0.0 });
        assert!(meter.0.len() < 15);
    }
}
