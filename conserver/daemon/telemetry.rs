//! What leaves a process: its log on standard error, one line per event, JSON or for people; and where they are
//! asked for, its figures and traces by OTLP, the figures of the instance by StatsD.

use std::fmt::Write;

use conserver_core::config::Settings;
use conserver_core::config::settings::{LogFormat, LogSettings};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format;

use crate::figures::{self, Snapshot, Statsd};
use crate::log::Log;
#[cfg(feature = "otlp")]
use crate::otlp;
use crate::output;
use crate::plain::Plain;

/// Starts logging. `filter` from the command line wins over the settings.
pub(crate) fn start(settings: &LogSettings, filter: Option<&str>) {
    let asked = filter.unwrap_or(&settings.filter);
    let filter = EnvFilter::try_new(asked).unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = output::notes_are_watched();
    let log = Log::of_this_process();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || log.clone())
        .log_internal_errors(false);
    let format = settings.format.unwrap_or(if terminal { LogFormat::Pretty } else { LogFormat::Json });
    // Only fails if logging was started before, as in tests that run several commands.
    let _ = match format {
        LogFormat::Json => {
            builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
        }
        LogFormat::Pretty => {
            // What producers wrote may be in any field.
            let fields = format::debug_fn(|writer, field, value| match field.name() {
                "message" => write!(Plain::line(writer), "{value:?}"),
                name => write!(Plain::line(writer), "{name}={value:?}"),
            });
            let fields = fields.delimited(" ");
            let colours = output::notes_have_colours();
            builder.with_target(false).with_ansi(colours).fmt_fields(fields).compact().try_init()
        }
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
