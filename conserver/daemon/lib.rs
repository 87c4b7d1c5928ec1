//! The daemon: command line, supervisor, workers, and the one place where concrete backends meet.
//!
//! [`cli`] is the grammar; `commands/` has a file per command; `wiring` builds what the configuration names;
//! `supervisor/` looks after worker processes; `worker/` claims, runs and settles.

pub mod cli;
mod commands;
mod config;
pub mod exit;
mod figures;
mod identity;
mod log;
mod notice;
#[cfg(feature = "otlp")]
mod otlp;
mod output;
mod plain;
mod slots;
mod supervisor;
mod telemetry;
mod wiring;
mod worker;

use std::process::ExitCode;

use clap::Parser;
use conserver_core::registry::Registry;
use conserver_links::jq_link;

use crate::cli::{Cli, Command};
use crate::exit::Exit;

pub use wiring::Wiring;

/// A tenth of a worker's time went into the system's allocator; this one also gives large documents back at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the command line of this process with the links and storages of this build.
pub fn main() -> ExitCode {
    main_with(|_| {})
}

/// Runs the command line of this process with further links and storages: a site that builds its own program
/// registers them here. Worker processes are started from the same program, so they know them too.
pub fn main_with(register: fn(&mut Registry)) -> ExitCode {
    // A link may have started this program again for work that has to be bounded from outside.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == jq_link::host::ARGUMENT) {
        return jq_link::host::serve();
    }
    let wiring = Wiring::new(register);
    let cli = Cli::parse();
    // Only fails if a provider was installed before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if matches!(cli.command, Command::Run(_) | Command::Worker(_) | Command::Api(_)) {
        telemetry::speak_by_log();
    }
    let exit = dispatch(&wiring, cli).unwrap_or_else(|error| {
        telemetry::fatal(&error);
        exit_of(&error)
    });
    log::flush();
    exit.into()
}

fn dispatch(wiring: &Wiring, cli: Cli) -> anyhow::Result<Exit> {
    let global = cli.global;
    match cli.command {
        Command::Demo(args) => commands::demo::run(wiring, &args),
        Command::Run(args) => commands::run::run(wiring, &global, &args),
        Command::Worker(args) => commands::worker::run(wiring, &global, &args),
        Command::Api(args) => commands::api::run(wiring, &global, &args),
        Command::Check(args) => commands::check::run(wiring, &global, &args),
        Command::Push(args) => commands::push::run(wiring, &global, &args),
        Command::Get(args) => commands::get::run(wiring, &global, &args),
        Command::Story(args) => commands::story::run(wiring, &global, &args),
        Command::Queues(args) => commands::queues::run(wiring, &global, &args),
        Command::Dlq(args) => commands::dlq::run(wiring, &global, &args),
        Command::Drain(args) => commands::drain::run(wiring, &global, &args),
        Command::Doctor(args) => commands::doctor::run(wiring, &global, &args),
        Command::Migrate(args) => commands::migrate::run(wiring, &global, &args),
        Command::Try(args) => commands::try_chain::run(wiring, &global, &args),
        Command::Validate(args) => commands::validate::run(&args),
        Command::Graph(args) => commands::graph::run(wiring, &global, &args),
        Command::Completions(args) => Ok(commands::manual::completions(&args)),
        Command::Man(args) => commands::manual::man(&args),
        Command::Schema(args) => commands::schema::run(wiring, &args),
    }
}

/// The exit code that an error deserves.
fn exit_of(error: &anyhow::Error) -> Exit {
    match error.downcast_ref::<conserver_core::Error>() {
        Some(error) if error.is_unavailable() => Exit::Unavailable,
        _ if error.is::<config::Unusable>() => Exit::Config,
        _ => Exit::Failed,
    }
}
