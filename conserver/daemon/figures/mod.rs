//! Figures: how they are kept in each process, brought together, and shown.
//!
//! Events of the core count into the `recorder` of their process. Each child sends its supervisor a whole `snapshot`
//! every second, with what it misses, and what happened as soon as it did (`told`), over a pipe (`report`); the supervisor brings them together (`instance`), those of children that ended
//! included, so that what counts never goes back. It hands the sum to the API, which shows it (`prometheus`), and to
//! StatsD. OTLP is each process's own (`otlp`).
//! `watch` looks at what nobody counts: lengths of lists, Redis' memory.

mod instance;
mod prometheus;
mod rates;
mod recorder;
mod report;
mod snapshot;
mod statsd;
mod told;
mod watch;

use std::time::Duration;

use conserver_core::config::Settings;
use conserver_core::event::BuildKnown;

pub(crate) use instance::Instance;
pub(crate) use rates::Meter;
pub(crate) use recorder::snapshot as of_this_process;
#[cfg(feature = "otlp")]
pub(crate) use recorder::{echo_to, values_of};
pub(crate) use report::{flush, report};
pub(crate) use snapshot::Snapshot;
#[cfg(feature = "otlp")]
pub(crate) use snapshot::Value;
pub(crate) use statsd::Statsd;
pub(crate) use told::{Told, Turns, outages_by};
pub(crate) use watch::watch;

/// How often a process tells what happened; after [`TURNS`] times also how it stands.
pub(crate) const EVERY: Duration = Duration::from_millis(100);
/// So many make a second.
const TURNS: u32 = 10;

/// Begins to count in this process. What was counted before is lost.
pub(crate) fn start(settings: &Settings) {
    recorder::install();
    let version = &settings.version;
    BuildKnown { version: &version.version, commit: &version.commit }.emit();
}

/// A snapshot as Prometheus reads it.
pub(crate) fn text(snapshot: &Snapshot) -> String {
    prometheus::text(snapshot)
}
