//! The figures of the whole instance: the supervisor's own, those of its children, and what ended children counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use conserver_api::Outages;
use conserver_core::event::live::{self, Live};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio_util::task::TaskTracker;

use super::snapshot::Snapshot;
use super::told::Told;

/// A child that has told nothing for this long is stopped or hangs: how it stood then says nothing of now.
const STALE: Duration = Duration::from_secs(10);
/// Events that wait for the API.
const MOST_EVENTS: usize = 2000;
/// Longer than any snapshot.
const LONGEST_LINE: usize = 64 << 20;

/// Brings figures together. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Instance {
    shared: Arc<Mutex<Shared>>,
    readers: TaskTracker,
}

#[derive(Default)]
struct Shared {
    /// What children that ended had counted.
    ended: Snapshot,
    children: BTreeMap<u32, Child>,
    /// What happened in children since the API was last told.
    events: Vec<Live>,
    /// How many events more there were.
    missed: u64,
}

/// How a child stood when it told it last.
struct Child {
    at: Instant,
    figures: Snapshot,
    outages: Outages,
}

impl Instance {
    /// Reads what a child tells until it ends, on a task of its own. A line that it did not finish is left out.
    pub(crate) fn listen(&self, pid: u32, pipe: impl AsyncRead + Send + Unpin + 'static) {
        let instance = self.clone();
        self.readers.spawn(async move {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while let Ok(bytes) = pipe.read_until(b'\n', &mut line).await {
                if bytes == 0 || line.len() > LONGEST_LINE {
                    break;
                }
                match serde_json::from_slice(&line) {
                    Ok(told) if line.ends_with(b"\n") => instance.told(pid, told),
                    Ok(_) => {}
                    Err(error) => tracing::debug!(pid, %error, "cannot read the figures of a child"),
                }
                line.clear();
            }
            instance.ended(pid);
        });
    }

    /// Waits until all children that ended have been read to their end, but not for ever.
    pub(crate) async fn settled(&self) {
        self.readers.close();
        let _ = tokio::time::timeout(Duration::from_secs(1), self.readers.wait()).await;
    }

    /// Everything together.
    pub(crate) fn figures(&self) -> Snapshot {
        let mut all = super::of_this_process();
        let shared = self.lock();
        all.add(&shared.ended);
        for child in shared.children.values() {
            if child.is_fresh() {
                all.add(&child.figures);
            } else {
                all.add(&child.figures.clone().lasting());
            }
        }
        all
    }

    /// All that the API is told now.
    pub(crate) fn news(&self, second_ends: bool) -> impl Iterator<Item = Told> {
        let happened = self.happened(second_ends);
        let standing = second_ends.then(|| {
            let (figures, outages) = self.stands();
            Told::Standing { figures, outages }
        });
        happened.into_iter().chain(standing)
    }

    fn happened(&self, second_ends: bool) -> Option<Told> {
        let (own, missed) = live::take(second_ends);
        let mut shared = self.lock();
        let mut events = std::mem::take(&mut shared.events);
        events.extend(own);
        Told::events(events, missed + std::mem::take(&mut shared.missed))
    }

    /// All that is counted, and what workers need and cannot have.
    pub(crate) fn stands(&self) -> (Snapshot, Outages) {
        let figures = self.figures();
        let mut outages = Outages::default();
        for child in self.lock().children.values().filter(|child| child.is_fresh()) {
            outages.add(&child.outages);
        }
        (figures, outages)
    }

    fn told(&self, pid: u32, told: Told) {
        let mut shared = self.lock();
        match told {
            Told::Standing { figures, outages } => {
                shared.children.insert(pid, Child { at: Instant::now(), figures, outages });
            }
            Told::Events { events, missed } => {
                // While there is no API, nobody takes them away.
                let room = MOST_EVENTS.saturating_sub(shared.events.len());
                shared.missed += missed + events.len().saturating_sub(room) as u64;
                shared.events.extend(events.into_iter().take(room));
            }
        }
    }

    fn ended(&self, pid: u32) {
        let mut shared = self.lock();
        if let Some(child) = shared.children.remove(&pid) {
            shared.ended.add(&child.figures.lasting());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().expect("no panic while held")
    }
}

impl Child {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < STALE
    }
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::{Series, Value};
    use super::*;
    use tokio::io::AsyncWriteExt;

    fn figures(received: u64, in_flight: f64, times: [u64; 3]) -> Told {
        let series = |name: &str, label: &str| Series::new(name, vec![label.to_owned()]);
        let counts = times.to_vec();
        let figures = Snapshot::from(vec![
            (series("conserver.main_loop.count_vcons_received", "in"), Value::Counter(received)),
            (series("conserver.vcons.inflight", "main"), Value::Gauge(in_flight)),
            (
                series("conserver.main_loop.vcon_processing_time", "main"),
                Value::Histogram { counts, sum: 1.5 },
            ),
        ]);
        Told::Standing { figures, outages: Outages::default() }
    }

    fn of(instance: &Instance) -> (u64, f64, Vec<u64>) {
        let all = instance.figures();
        let Some(Value::Counter(received)) = all.get("conserver.main_loop.count_vcons_received", &["in"])
        else {
            panic!("no counter")
        };
        let in_flight = match all.get("conserver.vcons.inflight", &["main"]) {
            Some(Value::Gauge(value)) => *value,
            _ => -1.0,
        };
        let Some(Value::Histogram { counts, .. }) =
            all.get("conserver.main_loop.vcon_processing_time", &["main"])
        else {
            panic!("no histogram")
        };
        (*received, in_flight, counts.clone())
    }

    #[test]
    fn children_are_added_up_and_what_one_counted_stays_when_it_ends() {
        let instance = Instance::default();
        instance.told(1, figures(10, 3.0, [1, 2, 0]));
        instance.told(2, figures(5, 4.0, [0, 1, 1]));
        assert_eq!(of(&instance), (15, 7.0, vec![1, 3, 1]));
        instance.ended(1);
        assert_eq!(of(&instance), (15, 4.0, vec![1, 3, 1]));
        instance.told(3, figures(1, 1.0, [1, 0, 0]));
        assert_eq!(of(&instance), (16, 5.0, vec![2, 3, 1]));
    }

    #[test]
    fn a_child_that_stands_still_counts_with_what_it_did_and_not_with_how_it_stood() {
        let instance = Instance::default();
        instance.told(1, figures(10, 3.0, [1, 2, 0]));
        let long_ago = Instant::now().checked_sub(STALE).unwrap();
        instance.lock().children.get_mut(&1).unwrap().at = long_ago;
        assert_eq!(of(&instance), (10, -1.0, vec![1, 2, 0]));
    }

    #[tokio::test]
    async fn a_line_that_was_cut_off_is_left_out() {
        let instance = Instance::default();
        let (mut child, pipe) = tokio::io::duplex(1 << 16);
        instance.listen(7, pipe);
        let whole = serde_json::to_string(&figures(10, 3.0, [1, 2, 0])).unwrap() + "\n";
        child.write_all(whole.as_bytes()).await.unwrap();
        let second = serde_json::to_string(&figures(20, 3.0, [1, 9, 0])).unwrap();
        child.write_all(&second.as_bytes()[..second.len() / 2]).await.unwrap();
        drop(child);
        instance.settled().await;
        assert_eq!(of(&instance), (10, -1.0, vec![1, 2, 0]));
    }
}
