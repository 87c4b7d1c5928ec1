//! The grammar of the command line, and nothing but the grammar.

mod dead_letters;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use conserver_core::{NoList, QueueName};

pub use dead_letters::{DlqAction, DlqArgs, From, Select};

/// Moves vCons through chains of links into storages, and loses none.
///
/// Ids wait on lists, in Redis or in a file. Workers take them, run the links of the list's chain, write every storage, then push
/// the id to the egress lists. What fails for good is a dead letter with a reason.
#[derive(Debug, Parser)]
#[command(name = "conserver", version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  conserver demo                            See it work, without Redis or a file
  conserver check -c chains.yaml            Is the configuration right?
  conserver run -c chains.yaml --workers 2  Run it
  conserver push -l ingress call.vcon.json  Store a vCon and queue its id
  conserver queues                          What waits, runs, is dead?
  conserver dlq list                        What failed, and why?

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 69 a server is away, 78 wrong configuration.";

/// What holds for every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The configuration file (the environment variable CONSERVER_CONFIG_FILE does the same).
    #[arg(short = 'c', long = "config", global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Log filter: `info`, `debug`, `warn,conserver=debug` (CONSERVER_LOG).
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// See it work: conversations through a real pipeline, one worker of which is killed half-way.
    ///
    /// It needs no Redis, no network and no configuration, and leaves nothing behind.
    Demo(DemoArgs),
    /// Run the supervisor: workers, recovery of crashed ones, and the API.
    Run(RunArgs),
    /// Run one worker in this process, without a supervisor.
    Worker(WorkerArgs),
    /// Run only the HTTP side: the API, /health, /ready and /metrics.
    Api(ApiArgs),
    /// Check a configuration: every mistake at once, with its line and a way out.
    Check(CheckArgs),
    /// Store vCons and put their ids on a list, or put ids of stored ones there.
    Push(PushArgs),
    /// Print a vCon, from the working copies or else from the storages.
    Get(GetArgs),
    /// Tell what became of a vCon: each run through which links and storages, when, how long, with what result.
    ///
    /// Workers remember every run that failed, and of those that went well a thousand a second each. How many and
    /// how long they are kept says `stories` in the configuration.
    Story(StoryArgs),
    /// Show what waits, runs, is delayed, parked, suspect or dead, list by list.
    Queues(QueuesArgs),
    /// Look at dead letters, put them back to work, or drop them.
    Dlq(DlqArgs),
    /// Return delayed, suspect, parked and abandoned ids to the plain lists.
    ///
    /// The way back to the Python server, and the way through an upgrade: stop the conserver, drain, and every id
    /// is where any consumer finds it.
    Drain(DrainArgs),
    /// Look at the backend, the storages and what lies around; say what is wrong and what to do.
    Doctor(DoctorArgs),
    /// Turn RedisJSON documents of a Python server into strings, and complete the indices.
    ///
    /// It only looks, unless told to --apply. Each document is converted at once and keeps its time to live; killed
    /// half-way, it goes on where it was when it is run again. Python servers that use RedisJSON cannot read the strings.
    Migrate(MigrateArgs),
    /// Run a chain on files, without any queue: what does each link change, and how long does it take?
    ///
    /// Nothing is stored and no list gets an id, but links do what they do: what one sends to a server is sent.
    Try(TryArgs),
    /// Say what is wrong with vCon files: every finding with its place, its rule and the section of the draft.
    Validate(ValidateArgs),
    /// Draw the configuration: lists, chains, links, storages, and what feeds what.
    Graph(GraphArgs),
    /// Print the JSON Schema of the configuration, for editors.
    Schema(SchemaArgs),
    /// Print completions for a shell.
    ///
    /// bash: conserver completions bash > /etc/bash_completion.d/conserver
    #[command(verbatim_doc_comment)]
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for every command into a folder.
    Man(ManArgs),
}

/// `conserver run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Worker processes (CONSERVER_WORKERS).
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Where the API listens, `ADDR:PORT` (CONSERVER_LISTEN).
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Run no API.
    #[arg(long)]
    pub no_api: bool,
    /// Run what is sound of a configuration with errors; the rest waits.
    #[arg(long)]
    pub lenient: bool,
    /// Started by another program: ends with standard input.
    #[arg(long, hide = true)]
    pub supervised: bool,
}

/// `conserver demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// How many conversations.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub count: u64,
    /// Which conversations: the same ones for the same number (default: others each time).
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Worker processes.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub workers: usize,
    /// Leave it running afterwards, to be looked at with the other commands. Ctrl-C ends it.
    #[arg(long)]
    pub keep: bool,
}

/// `conserver worker`.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// Run what is sound of a configuration with errors; the rest waits.
    #[arg(long)]
    pub lenient: bool,
    /// Started by a supervisor that speaks over standard input.
    #[arg(long, hide = true)]
    pub supervised: bool,
    /// Serve the suspect lane.
    #[arg(long, hide = true)]
    pub suspects: bool,
    /// Memory shared with the supervisor.
    #[arg(long, hide = true, value_name = "FILE")]
    pub slots: Option<PathBuf>,
    /// How many workers share the cores.
    #[arg(long, hide = true, value_name = "N")]
    pub among: Option<usize>,
}

/// `conserver api`.
#[derive(Debug, Args)]
pub struct ApiArgs {
    /// Serve with what is sound of a configuration with errors.
    #[arg(long)]
    pub lenient: bool,
    /// Where to listen, `ADDR:PORT` (CONSERVER_LISTEN).
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// Started by a supervisor: ends with standard input.
    #[arg(long, hide = true)]
    pub supervised: bool,
}

/// `conserver check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Also reach the backend and every storage, with the configured credentials.
    #[arg(long)]
    pub connect: bool,
    /// Treat warnings as errors.
    #[arg(long)]
    pub strict: bool,
    /// Look at the file alone: what its variables hold is not known, and is not missed.
    #[arg(long, conflicts_with = "connect")]
    pub no_env: bool,
    /// Print problems as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `conserver push`.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// The list that gets the ids. Without it the vCons are only stored.
    #[arg(short, long, value_name = "LIST", value_parser = list)]
    pub list: Option<QueueName>,
    /// vCon files (`-` reads one from standard input), or ids with --ids.
    #[arg(required = true, value_name = "FILE|ID")]
    pub items: Vec<String>,
    /// The arguments are ids of vCons that are stored already.
    #[arg(long)]
    pub ids: bool,
    /// How long a stored vCon lives, as `90s`, `2h`; 0 for ever (VCON_REDIS_EXPIRY, extended while it is queued).
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub ttl: Option<Duration>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `conserver get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// The id.
    pub id: String,
    /// Print it as old consumers want it: format 0.0.1.
    #[arg(long)]
    pub legacy: bool,
    /// Only look into the storages, or into this one.
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    pub storage: Option<String>,
}

/// `conserver story`.
#[derive(Debug, Args)]
pub struct StoryArgs {
    /// The id.
    pub id: String,
    /// One JSON object for each run.
    #[arg(long)]
    pub json: bool,
}

/// `conserver queues`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["lists", "chain"]))]
pub struct QueuesArgs {
    /// Only these lists (default: all that the configuration names).
    #[arg(value_name = "LIST", value_parser = list)]
    pub lists: Vec<QueueName>,
    /// Only the lists that this chain takes from.
    #[arg(long, value_name = "NAME")]
    pub chain: Option<String>,
    /// Stop claims from these lists, for all workers, until resumed. Their ids wait; what runs finishes.
    #[arg(long, conflicts_with = "resume", requires = "which")]
    pub pause: bool,
    /// Resume claims from these lists.
    #[arg(long, requires = "which")]
    pub resume: bool,
    /// Show every second until interrupted.
    #[arg(long)]
    pub watch: bool,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `conserver drain`.
#[derive(Debug, Args)]
pub struct DrainArgs {
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `conserver doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `conserver migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Write what is only looked at otherwise.
    #[arg(long)]
    pub apply: bool,
    /// Only look, as without it.
    #[arg(long, conflicts_with = "apply")]
    pub dry_run: bool,
    /// Also take ids out of the indices whose document is neither in Redis nor in a storage. Asks the storages for each
    /// vCon that has expired in Redis.
    #[arg(long)]
    pub prune: bool,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `conserver schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Compare with this file instead of printing; fails if it is stale.
    #[arg(long, value_name = "FILE")]
    pub check: Option<PathBuf>,
}

/// `conserver try`.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// The chain.
    pub chain: String,
    /// vCon files (`-` reads one from standard input).
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    /// Stop after this link.
    #[arg(long, value_name = "LINK")]
    pub until: Option<String>,
    /// Write the storages of the chain too.
    #[arg(long)]
    pub store: bool,
    /// Print what happened as JSON, one vCon per line, with the document as it is in the end.
    #[arg(long)]
    pub json: bool,
}

/// `conserver validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// vCon files, or folders of `.json` and `.vcon` files (`-` reads one from standard input).
    #[arg(required = true, value_name = "FILE|DIR")]
    pub files: Vec<PathBuf>,
    /// Which rules: what a pipeline relies on, or all of draft-ietf-vcon-vcon-core-04.
    #[arg(long, value_enum, default_value_t = Rules::Ingest, value_name = "PROFILE")]
    pub profile: Rules,
    /// Warnings fail too.
    #[arg(long)]
    pub strict: bool,
    /// Only the summary.
    #[arg(short, long, conflicts_with = "json")]
    pub quiet: bool,
    /// Print findings and summary as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Rules of validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rules {
    /// What a pipeline must be able to rely on.
    Ingest,
    /// All of the draft.
    #[value(name = "core-04")]
    Core04,
}

/// `conserver graph`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// The language: Mermaid (GitHub, GitLab and mdBook draw it) or Graphviz.
    #[arg(long, value_enum, default_value_t = GraphFormat::Mermaid, value_name = "FORMAT")]
    pub format: GraphFormat,
}

/// Languages of graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// A Mermaid flowchart.
    Mermaid,
    /// A Graphviz digraph.
    Dot,
}

/// `conserver completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `conserver man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Where to write a page for every command; without it the main page is printed.
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// The name of a list. Without it, the way that takes every text would be found.
fn list(name: &str) -> Result<QueueName, NoList> {
    name.parse()
}

/// Reads `250ms`, `90s`, `5m`, `2h`, `7d`, or plain seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 =
        text[..digits].parse().map_err(|_| "a time is a number and a unit: `90s`, `2h`, `7d`".to_owned())?;
    let unit = match &text[digits..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        other => return Err(format!("unknown unit `{other}`: use ms, s, m, h or d")),
    };
    Duration::try_from_secs_f64(number * unit).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert!(duration("5 weeks").is_err());
    }
}
