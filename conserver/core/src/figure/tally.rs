//! Counting, fast enough for the path of each vCon.
//!
//! A handle is looked up by the text of its labels once per thread; after that by where the names lie in memory, which
//! costs a few nanoseconds and no allocation. A name is kept as long as its handle, so no address gets a second meaning.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, Key, Level, Metadata};

use super::{Figure, Kind};

/// No figure has more labels.
const LABELS: usize = 3;
/// Handles that a thread keeps; names of configurations that are gone must not gather for ever.
const KEPT: usize = 4096;

/// The value of a label.
#[derive(Clone, Copy)]
pub(crate) enum Label<'a> {
    /// A name of the configuration.
    Name(&'a Arc<str>),
    /// A word of this program.
    Word(&'static str),
    /// Any other text: looked up by its letters each time. Of these there are few, too.
    Text(&'a str),
}

#[derive(Clone)]
enum Handle {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

/// The figure, and where its labels lie.
type Place = [usize; LABELS + 1];

struct Kept {
    handle: Handle,
    /// What keeps the addresses from being used again.
    _names: [Option<Arc<str>>; LABELS],
}

thread_local! {
    static HANDLES: RefCell<HashMap<Place, Kept, BuildHasherDefault<Mix>>> = RefCell::default();
}

impl Figure {
    /// A counter grows.
    pub(crate) fn add(&'static self, labels: &[Label<'_>], count: u64) {
        self.with(labels, |handle| {
            if let Handle::Counter(counter) = handle {
                counter.increment(count);
            }
        });
    }

    /// A figure that goes up and down changes by this much.
    pub(crate) fn change(&'static self, labels: &[Label<'_>], by: f64) {
        self.with(labels, |handle| {
            if let Handle::Gauge(gauge) = handle {
                gauge.increment(by);
            }
        });
    }

    /// A figure that goes up and down stands at this.
    pub(crate) fn set(&'static self, labels: &[Label<'_>], value: f64) {
        self.with(labels, |handle| {
            if let Handle::Gauge(gauge) = handle {
                gauge.set(value);
            }
        });
    }

    /// A value of a histogram.
    pub(crate) fn observe(&'static self, labels: &[Label<'_>], value: f64) {
        self.with(labels, |handle| {
            if let Handle::Histogram(histogram) = handle {
                histogram.record(value);
            }
        });
    }

    fn with(&'static self, labels: &[Label<'_>], count: impl FnOnce(&Handle)) {
        debug_assert_eq!(labels.len(), self.labels.len(), "`{}`", self.name);
        let Some(place) = self.place(labels) else { return count(&self.handle(labels)) };
        HANDLES.with_borrow_mut(|handles| {
            if handles.len() >= KEPT {
                handles.clear();
            }
            let kept = handles
                .entry(place)
                .or_insert_with(|| Kept { handle: self.handle(labels), _names: names(labels) });
            count(&kept.handle);
        });
    }

    /// Where figure and labels lie; `None` if one of them has no lasting place.
    fn place(&'static self, labels: &[Label<'_>]) -> Option<Place> {
        let mut place = [0; LABELS + 1];
        place[0] = std::ptr::from_ref(self).addr();
        for (label, at) in labels.iter().zip(&mut place[1..]) {
            *at = match label {
                Label::Name(name) => name.as_ptr().addr(),
                // One may be the beginning of another.
                Label::Word(word) => word.as_ptr().addr() ^ word.len().rotate_right(8),
                Label::Text(_) => return None,
            };
        }
        Some(place)
    }

    /// Asks the recorder of this process, by the text of the labels.
    fn handle(&'static self, labels: &[Label<'_>]) -> Handle {
        let labels: Vec<metrics::Label> = self
            .labels
            .iter()
            .zip(labels)
            .map(|(name, value)| match value {
                Label::Name(text) => metrics::Label::new(*name, text.to_string()),
                Label::Word(text) => metrics::Label::from_static_parts(name, text),
                Label::Text(text) => metrics::Label::new(*name, (*text).to_owned()),
            })
            .collect();
        let key = Key::from_parts(self.name, labels);
        let about = Metadata::new(module_path!(), Level::INFO, None);
        metrics::with_recorder(|recorder| match self.kind {
            Kind::Counter => Handle::Counter(recorder.register_counter(&key, &about)),
            Kind::Sum | Kind::Greatest => Handle::Gauge(recorder.register_gauge(&key, &about)),
            Kind::Histogram(_) => Handle::Histogram(recorder.register_histogram(&key, &about)),
        })
    }
}

fn names(labels: &[Label<'_>]) -> [Option<Arc<str>>; LABELS] {
    let mut names = [const { None }; LABELS];
    for (label, kept) in labels.iter().zip(&mut names) {
        if let Label::Name(name) = label {
            *kept = Some(Arc::clone(name));
        }
    }
    names
}

/// Mixes addresses, which are spread well enough already.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_ne_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
