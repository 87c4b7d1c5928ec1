//! What calls answer, as it is described. Only that: the values come from the contracts, and every answer in the tests of
//! the router is held against these.
#![expect(dead_code, reason = "it is only described")]

use std::collections::BTreeMap;

use utoipa::ToSchema;

use crate::feed::Rate;

/// This process lives.
#[derive(ToSchema)]
pub(crate) struct Health {
    /// Always `healthy`.
    status: String,
    version: Build,
}

/// What this build is.
#[derive(ToSchema)]
pub(crate) struct Build {
    version: String,
    git_commit: String,
    build_time: String,
}

/// Whether a worker of this host is at work.
#[derive(ToSchema)]
pub(crate) struct Readiness {
    /// `ready` or `not ready`.
    status: String,
    /// How many workers are, or why none is.
    detail: String,
}

/// How many ids stand on a list.
#[derive(ToSchema)]
pub(crate) struct Depth {
    list_name: String,
    depth: u64,
}

/// How much lies where for one list.
#[derive(ToSchema)]
pub(crate) struct List {
    list: String,
    /// Whether a chain takes from it.
    ingress: bool,
    /// How fast it moves; null where no chain takes from it, and where the workers are not heard.
    rate: Option<Rate>,
    /// Waiting on the list.
    queued: u64,
    /// Held by workers.
    in_flight: u64,
    /// Waiting for their next attempt.
    delayed: u64,
    /// Second occurrences that wait for the first.
    parked: u64,
    /// On the suspect lane.
    suspects: u64,
    /// On its dead-letter list.
    dead: u64,
    /// Whether claims from it are stopped.
    paused: bool,
    /// Milliseconds since the delayed id that is due longest was due.
    overdue_ms: Option<u64>,
    /// The id at its head.
    oldest: Option<Oldest>,
}

/// The id at the head of a list, and how old it is.
#[derive(ToSchema)]
pub(crate) struct Oldest {
    id: String,
    /// Milliseconds since what `since` says; null where nobody knows.
    age_ms: Option<u64>,
    /// `put` on the list, or `created`, by the vCon's own word.
    since: String,
}

/// A vCon as it is stored: a plain one with the Python server's members first, in its order; a signed or encrypted one as
/// it came. Members that are not named here are kept.
#[derive(ToSchema)]
pub(crate) struct Stored {
    vcon: Option<String>,
    uuid: Option<uuid::Uuid>,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// Of a signed one (JWS): the vCon, as base64url.
    payload: Option<String>,
    /// Of an encrypted one (JWE): the vCon, for those who have a key.
    ciphertext: Option<String>,
}

/// A list that was paused or resumed.
#[derive(ToSchema)]
pub(crate) struct Paused {
    list_name: String,
    /// Whether claims from it are stopped now.
    paused: bool,
    /// Whether that changed anything.
    changed: bool,
    /// That no chain takes from it, with the nearest name.
    hint: Option<String>,
}

/// A chain that was paused or resumed.
#[derive(ToSchema)]
pub(crate) struct PausedChain {
    chain: String,
    paused: bool,
    lists: Vec<Paused>,
    /// Lists that it names and that another chain has.
    elsewhere: Vec<Elsewhere>,
}

/// A list of another chain.
#[derive(ToSchema)]
pub(crate) struct Elsewhere {
    list_name: String,
    chain: String,
}

/// A registered worker.
#[derive(ToSchema)]
pub(crate) struct Worker {
    info: WorkerInfo,
    /// Milliseconds until its lease ends; negative once it has.
    lease_ms: i64,
    /// Milliseconds since it last claimed or proved its lists empty.
    progress_ms: u64,
    /// How many ids it holds.
    in_flight: u64,
}

/// A worker as it registered itself.
#[derive(ToSchema)]
pub(crate) struct WorkerInfo {
    id: String,
    host: String,
    /// Within which process ids mean the same.
    realm: String,
    pid: u32,
    /// When the process began, in clock ticks since the machine did.
    started: u64,
    version: String,
    /// Whether it serves the suspect lane.
    suspects: bool,
}

/// A chain, what it is made of, and whether it takes anything in. Null is what is not known at the moment.
#[derive(ToSchema)]
pub(crate) struct Chain {
    name: String,
    ingress_lists: Vec<String>,
    links: Vec<String>,
    storages: Vec<String>,
    egress_lists: Vec<String>,
    /// Its own dead-letter list, if it has one.
    dead_letters: Option<String>,
    /// vCons at once in one worker.
    concurrency: u64,
    weight: u32,
    /// Why nothing of it runs at all.
    blocked: Option<String>,
    /// Why it still runs in its last good form: what is wrong with it in the file of today.
    stale: Option<String>,
    /// Whether all its lists stand still.
    paused: Option<bool>,
    paused_lists: Option<Vec<String>>,
    /// vCons that come to their end per second.
    rate: Option<f64>,
    /// Workers that are heard.
    workers: Option<u64>,
    /// Whether a breaker keeps some worker from claiming.
    held_up: Option<bool>,
    /// Which link or storage it waits for.
    held_up_by: Option<String>,
    /// In how many workers.
    held_up_in: Option<u64>,
    /// Of each link and storage, in order.
    breakers: Vec<Breaker>,
}

/// The breaker of a link or storage.
#[derive(ToSchema)]
pub(crate) struct Breaker {
    /// `link`, `storage`.
    kind: String,
    name: String,
    /// Whether the chain waits for it.
    required: bool,
    /// `closed`, `open`, `half-open`.
    state: Option<String>,
    /// In how many workers it is open.
    open_in: Option<u64>,
    open_ms: Option<u64>,
    probe_in_ms: Option<u64>,
    error: Option<String>,
}

/// Dead letters, oldest first.
#[derive(ToSchema)]
pub(crate) struct Letters {
    letters: Vec<Letter>,
    /// The `offset` at which there may be more.
    next: Option<u64>,
}

/// A dead letter.
#[derive(ToSchema)]
pub(crate) struct Letter {
    id: String,
    /// Missing where another program put it there.
    why: Option<Reason>,
}

/// Why an id is a dead letter.
#[derive(ToSchema)]
pub(crate) struct Reason {
    /// The kind of reason: `invalid`, `timeout`, `poison` …
    reason: String,
    /// What was being done, what went wrong, and its causes.
    error: String,
    list: Option<String>,
    chain: Option<String>,
    link: Option<String>,
    storage: Option<String>,
    /// How many runs were tried.
    attempt: u32,
    /// Whether the failed step may have taken effect.
    may_have_happened: bool,
    /// What a process died of.
    signal: Option<String>,
    trace_id: Option<String>,
    worker: Option<String>,
    /// When.
    #[schema(format = DateTime)]
    at: String,
}

/// How many dead letters there are of which kind.
#[derive(ToSchema)]
pub(crate) struct Facets {
    total: u64,
    /// Whether all letters were looked at.
    complete: bool,
    reason: BTreeMap<String, u64>,
    link: BTreeMap<String, u64>,
    chain: BTreeMap<String, u64>,
}

/// Dead letters that went back to a list.
#[derive(ToSchema)]
pub(crate) struct Replayed {
    replayed: u64,
    /// That no chain takes from that list, with the nearest name.
    hint: Option<String>,
}

/// Dead letters that are gone.
#[derive(ToSchema)]
pub(crate) struct Discarded {
    discarded: u64,
}

/// What became of a vCon.
#[derive(ToSchema)]
pub(crate) struct Story {
    uuid: String,
    /// Oldest first.
    runs: Vec<Run>,
    memory: Memory,
    /// Why there may be no runs.
    hint: Option<String>,
}

/// How much is remembered.
#[derive(ToSchema)]
pub(crate) struct Memory {
    /// About how many runs, of all vCons.
    runs: u64,
    age_seconds: u64,
}

/// One run through a chain.
#[derive(ToSchema)]
pub(crate) struct Run {
    vcon: String,
    chain: String,
    list: String,
    worker: String,
    attempt: u32,
    /// How many workers had crashed while they ran it; missing where none had.
    crashes: Option<u32>,
    /// When it was settled.
    #[schema(format = DateTime)]
    at: String,
    /// From its claim to its settlement.
    ms: u64,
    /// `done`, `halted`, `retry`, `dead`, `given-back`, `gone`.
    end: String,
    why: Option<String>,
    /// Only `retry`: until it is handed out again.
    again_in_ms: Option<u64>,
    /// The id that the chain ended with, if it went on with another.
    went_on_as: Option<String>,
    /// Links in their order, then storages.
    steps: Vec<Step>,
}

/// A link or a storage of a run.
#[derive(ToSchema)]
pub(crate) struct Step {
    link: Option<String>,
    storage: Option<String>,
    /// `ok`, `halted`, `passed-over`, `failed`, `cut-off`.
    result: String,
    ms: f64,
    /// The kind of its error.
    error: Option<String>,
}

/// A vCon that is gone from the store.
#[derive(ToSchema)]
pub(crate) struct Deleted {
    deleted: bool,
    /// Storages that may have a copy, for they cannot delete.
    kept: Vec<String>,
    hint: String,
}

/// What a configuration is worth.
#[derive(ToSchema)]
pub(crate) struct Checked {
    usable: bool,
    problems: Vec<ConfigProblem>,
}

/// Something in a configuration.
#[derive(ToSchema)]
pub(crate) struct ConfigProblem {
    /// `error` or `warning`.
    severity: String,
    /// The place: `links.tagger.options`.
    path: String,
    message: String,
    hint: Option<String>,
}
