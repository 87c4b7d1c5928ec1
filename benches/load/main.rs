//! Load benchmarks. Figures depend on the machine, so each is held against a floor of the same run; `README.md` says
//! how to repeat them and which ratios are promised.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod bare;
mod floor;
mod folder;
mod instance;
mod resp;
mod scenarios;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// Measures the daemon under load.
#[derive(Parser)]
struct Cli {
    /// What to measure (default: everything).
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    /// How often each pair of floor and daemon is measured.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// vCons of 4.4 kB in each round.
    #[arg(long, default_value_t = 60_000)]
    vcons: usize,
    /// Posts to the API before its memory is compared.
    #[arg(long, default_value_t = 1_000_000)]
    posts: u64,
    /// Let Redis write an append-only file, synced each second.
    #[arg(long)]
    aof: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Scenario {
    /// A one-link tag chain, against the bare loop.
    Tag,
    /// One worker with 256 in flight on a link that waits 50 ms.
    Wait,
    /// Four storages of 100 ms each.
    FanOut,
    /// PostgreSQL, against COPY.
    Postgres,
    /// Documents of 10 MB, against GET and SET; memory.
    Large,
    /// The tag chain without Redis, against the bare loop on the same file; an idle worker.
    Embedded,
    /// From a push to the start of a run, over 50 idle lists.
    Latency,
    /// Chains beside each other: one busy of twenty, twenty busy, a slow one, one whose storage is away, one that feeds another;
    /// each against the chain alone, on both backends.
    Shapes,
    /// CPU and memory of an idle worker; from start to the first vCon done.
    Idle,
    /// The API under `wrk`: posts, reads, memory after a million posts.
    Api,
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let mut all_kept = true;
    let all = [
        Scenario::Tag,
        Scenario::Wait,
        Scenario::FanOut,
        Scenario::Postgres,
        Scenario::Large,
        Scenario::Embedded,
        Scenario::Latency,
        Scenario::Shapes,
        Scenario::Idle,
        Scenario::Api,
    ];
    let chosen = if cli.scenarios.is_empty() { all.to_vec() } else { cli.scenarios.clone() };
    for scenario in chosen {
        let promises = match scenario {
            Scenario::Tag => scenarios::tag::measure(cli.vcons, cli.rounds, cli.aof)?,
            Scenario::Wait => scenarios::wait::measure()?,
            Scenario::FanOut => scenarios::fan_out::measure()?,
            Scenario::Postgres => scenarios::postgres::measure(cli.rounds)?,
            Scenario::Large => scenarios::large::measure()?,
            Scenario::Embedded => scenarios::embedded::measure(cli.rounds)?,
            Scenario::Latency => scenarios::latency::measure()?,
            Scenario::Shapes => scenarios::shapes::measure(cli.rounds)?,
            Scenario::Idle => scenarios::idle::measure()?,
            Scenario::Api => scenarios::api::measure(cli.rounds, cli.posts)?,
        };
        for promise in promises {
            println!("{promise}");
            all_kept &= promise.is_kept();
        }
        println!();
    }
    Ok(if all_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
