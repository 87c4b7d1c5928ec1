//! What leaves a process: its log on standard error, one line per event, JSON or for people; and where they are
//! asked for, its figures and traces by OTLP, the figures of the instance by StatsD.

use std::io::IsTerminal;

use conserver_core::config::Settings;
use conserver_core::config::settings::{LogFormat, LogSettings};
use tracing_subscriber::EnvFilter;

use crate::figures::{self, Snapshot, Statsd};
#[cfg(feature = "otlp")]
use crate::otlp;

/// Starts logging. `filter` from the command line wins over the settings.
pub(crate) fn start(settings: &LogSettings, filter: Option<&str>) {
    let asked = filter.unwrap_or(&settings.filter);
    let filter = EnvFilter::try_new(asked).unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let format = settings.format.unwrap_or(if terminal { LogFormat::Pretty } else { LogFormat::Json });
    // Only fails if logging was started before, as in tests that run several commands.
    let _ = match format {
        LogFormat::Json => {
            builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
        }
        LogFormat::Pretty => builder.with_target(false).with_ansi(terminal).compact().try_init(),
    };
}

/// Figures and traces on their way out, until this is dropped; then what is left goes, for a few seconds at most.
pub(crate) struct Exports {
    _statsd: Option<Statsd>,
    #[cfg(feature = "otlp")]
    otlp: Option<otlp::Export>,
}

impl Exports {
    /// Begins to count and to export. Whatever cannot be exported is told and holds up nothing. `figures` answers those
    /// of the instance; `None` where somebody else does that.
    pub(crate) fn start<F>(settings: &Settings, figures: Option<F>) -> Self
    where
        F: Fn() -> Snapshot + Send + 'static,
    {
        figures::start(settings);
        let statsd = settings.statsd.as_deref().zip(figures);
        let statsd = statsd.and_then(|(address, figures)| {
            let started = Statsd::start(address, figures);
            started.inspect_err(|error| tracing::error!(%error, "cannot send figures to StatsD")).ok()
        });
        #[cfg(not(feature = "otlp"))]
        if settings.otlp.is_some() {
            tracing::warn!("nothing is exported by OTLP: this build lacks the feature `otlp`");
        }
        Self {
            _statsd: statsd,
            #[cfg(feature = "otlp")]
            otlp: settings.otlp.as_ref().and_then(|otlp| {
                let started = otlp::Export::start(otlp);
                let tell = |error: &anyhow::Error| {
                    tracing::error!(error = format!("{error:#}"), "nothing is exported by OTLP")
                };
                started.inspect_err(tell).ok()
            }),
        }
    }
}

#[cfg(feature = "otlp")]
impl Drop for Exports {
    fn drop(&mut self) {
        if let Some(otlp) = self.otlp.take() {
            otlp.finish();
        }
    }
}
