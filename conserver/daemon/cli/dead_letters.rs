//! The grammar of `conserver dlq`: which dead letters, and what to do with them.

use std::time::Duration;

use clap::{Args, Subcommand};
use conserver_core::QueueName;

use super::{duration, list};

/// `conserver dlq`.
#[derive(Debug, Args)]
pub struct DlqArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: DlqAction,
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum DlqAction {
    /// List dead letters with their reasons.
    List {
        /// Which ones.
        #[command(flatten)]
        select: Select,
        /// At most this many.
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: usize,
        /// Print as JSON, one letter per line.
        #[arg(long)]
        json: bool,
    },
    /// Show all that is known about one dead letter.
    Show {
        /// The id.
        id: String,
        /// Which lists to look at.
        #[command(flatten)]
        from: From,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Put dead letters back on their ingress list (storage dead letters: save them again).
    Replay {
        /// Which ones.
        #[command(flatten)]
        select: Select,
        /// Another list than the one they came from.
        #[arg(long, value_name = "LIST", value_parser = list)]
        to: Option<QueueName>,
        /// At most this many.
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// Only say how many.
        #[arg(long)]
        dry_run: bool,
    },
    /// Drop dead letters. Their vCons stay where they are stored.
    Discard {
        /// Which ones.
        #[command(flatten)]
        select: Select,
        /// At most this many.
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// Only say how many.
        #[arg(long)]
        dry_run: bool,
        /// Needed to drop without a filter.
        #[arg(long)]
        all: bool,
    },
}

/// Which dead-letter lists.
#[derive(Debug, Clone, Args)]
pub struct From {
    /// Dead letters of this ingress list (default: of all that the configuration names).
    #[arg(short, long, value_name = "LIST", value_parser = list)]
    pub list: Option<QueueName>,
    /// Dead letters of this storage (`DLQ:storage:<name>`).
    #[arg(long, value_name = "NAME", conflicts_with = "list")]
    pub storage_dlq: Option<String>,
}

/// Which dead letters.
#[derive(Debug, Clone, Args)]
pub struct Select {
    /// Which lists.
    #[command(flatten)]
    pub from: From,
    /// Only with this reason: missing, invalid, timeout, unavailable, poison, panic, too-large, wrong-type, …
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
    /// Only those that failed in this link.
    #[arg(long, value_name = "LINK")]
    pub link: Option<String>,
    /// Only those that failed in this storage.
    #[arg(long, value_name = "STORAGE")]
    pub storage: Option<String>,
    /// Only these ids.
    #[arg(long = "id", value_name = "ID")]
    pub ids: Vec<String>,
    /// Only older than this, as `90s`, `2h`, `7d`.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub older: Option<Duration>,
    /// Only younger than this.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub younger: Option<Duration>,
}
