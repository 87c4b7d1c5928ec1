//! A file per scenario; each answers its figures beside what is promised.

pub(crate) mod api;
pub(crate) mod embedded;
pub(crate) mod fan_out;
pub(crate) mod idle;
pub(crate) mod large;
pub(crate) mod latency;
pub(crate) mod postgres;
pub(crate) mod shapes;
pub(crate) mod tag;
pub(crate) mod wait;

use std::fmt;

use conserver_testkit::vcons::{Vcons, bytes};

/// One figure and its bound.
pub(crate) struct Promise {
    pub(crate) what: String,
    pub(crate) figure: f64,
    pub(crate) unit: &'static str,
    pub(crate) bound: Bound,
}

/// What a figure has to be.
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
    /// Only told.
    None,
}

impl Promise {
    /// Whether the figure is within its bound.
    pub(crate) fn is_kept(&self) -> bool {
        match self.bound {
            Bound::AtLeast(least) => self.figure >= least,
            Bound::AtMost(most) => self.figure <= most,
            Bound::None => true,
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = match self.bound {
            Bound::AtLeast(least) => format!("at least {least}"),
            Bound::AtMost(most) => format!("at most {most}"),
            Bound::None => return write!(f, "        {:<58}{:>12.2} {}", self.what, self.figure, self.unit),
        };
        let mark = if self.is_kept() { "kept" } else { "MISSED" };
        write!(f, "{mark:<8}{:<58}{:>12.2} {} ({bound})", self.what, self.figure, self.unit)
    }
}

pub(crate) fn promise(what: impl Into<String>, figure: f64, unit: &'static str, bound: Bound) -> Promise {
    Promise { what: what.into(), figure, unit, bound }
}

pub(crate) fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}

/// Some calls of about 4.4 kB.
pub(crate) fn calls() -> Vec<Vec<u8>> {
    let mut vcons = Vcons::new(7);
    (0..50).map(|_| bytes(&vcons.call()).to_vec()).collect()
}
