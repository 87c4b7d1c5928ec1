//! What leaves a process: its log on standard error, one line per event, JSON or for people; and where they are
//! asked for, its figures and traces by OTLP, the figures of the instance by StatsD.

use std::fmt::Write;
use std::sync::{Mutex, MutexGuard};

use conserver_core::config::settings::{LogFormat, LogSettings};
use conserver_core::config::{Problem, Settings, env};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format;

use crate::figures::{self, Snapshot, Statsd};
use crate::log::{self, Log};
#[cfg(feature = "otlp")]
use crate::otlp;
use crate::output;
use crate::plain::Plain;

/// How this process speaks to people.
enum Speech {
    /// By notes on standard error: a command.
    Notes,
    /// By its log, whose form it does not know yet.
    Later(Vec<Told>),
    /// By a log for programs: no other text may stand between its lines.
    Log,
}

struct Told {
    is_error: bool,
    text: String,
    note: String,
}

static SPEECH: Mutex<Speech> = Mutex::new(Speech::Notes);

/// From now on this process speaks by its log. What it has to tell before the log starts waits for that.
pub(crate) fn speak_by_log() {
    *speech() = Speech::Later(Vec::new());
}

/// Tells what is wrong with the configuration.
pub(crate) fn problem(problem: &Problem) {
    tell(Told { is_error: problem.is_error(), text: format!("{problem:#}"), note: problem.to_string() });
}

/// Tells what is odd about what this process was started with.
pub(crate) fn warning(text: &str) {
    tell(Told { is_error: false, text: text.to_owned(), note: format!("warning: {text}") });
}

/// Tells why this process ends.
pub(crate) fn fatal(error: &anyhow::Error) {
    if matches!(*speech(), Speech::Later(_)) {
        start(&LogSettings::of_environment(&env::Process), None);
    }
    let is_log = matches!(*speech(), Speech::Log);
    if is_log {
        tracing::error!(error = output::causes(error), "this process ends: it cannot go on");
    } else {
        output::error(error);
    }
}

fn tell(told: Told) {
    match &mut *speech() {
        Speech::Notes => return output::note(told.note),
        Speech::Later(waiting) => return waiting.push(told),
        Speech::Log => {}
    }
    log_line(told.is_error, &told.text);
}

/// Logs what is wrong with a changed configuration, whatever the form of the log.
pub(crate) fn logged(problem: &Problem) {
    log_line(problem.is_error(), &format!("{problem:#}"));
}

fn log_line(is_error: bool, text: &str) {
    if is_error {
        tracing::error!("{text}");
    } else {
        tracing::warn!("{text}");
    }
}

fn speech() -> MutexGuard<'static, Speech> {
    SPEECH.lock().expect("no panic while held")
}

/// A panic is a line like any other.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "panicked: {}", panic.payload_as_str().unwrap_or("for an unknown reason"));
        // The main thread takes the process with it.
        if std::thread::current().name() == Some("main") {
            log::flush();
        }
    }));
}

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
            log_panics();
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
    let speech = if format == LogFormat::Json { Speech::Log } else { Speech::Notes };
    let mut now = self::speech();
    let Speech::Later(waiting) = &mut *now else { return };
    let waiting = std::mem::take(waiting);
    *now = speech;
    drop(now);
    waiting.into_iter().for_each(tell);
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
