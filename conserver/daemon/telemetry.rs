//! Logs: one line per event, JSON or for people, on standard error.

use std::io::IsTerminal;

use conserver_core::config::settings::{LogFormat, LogSettings};
use tracing_subscriber::EnvFilter;

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
