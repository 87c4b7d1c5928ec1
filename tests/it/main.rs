//! End-to-end tests: the real program, real servers, real crashes.
//!
//! They know the program as operators and producers do: its command line, its configuration, plain Redis commands on
//! the public keys, signals, logs. `site`, `db` and `proof` are what they share.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests fail by panicking, and the oracle shows its figures"
)]

mod api;
mod architecture;
mod bad_input;
mod cli;
mod clients;
mod db;
mod proof;
mod site;

mod demo;
mod deploy;
mod docs;
mod dropin;
mod embedded;
mod exclusive;
mod generated;
mod health;
mod hostile;
mod jq;
mod live;
mod log;
mod memory;
mod metrics;
mod oracle;
mod otlp;
mod outage;
mod pasted;
mod poison;
mod reload;
mod schemathesis;
mod shapes;
mod stop;
mod story;
mod stuck;
mod tls;
mod webhooks;

/// Whether the long forms run: `CONSERVER_ORACLE=long`.
fn is_long() -> bool {
    std::env::var("CONSERVER_ORACLE").is_ok_and(|form| form == "long")
}
