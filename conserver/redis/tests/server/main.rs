//! The queue on servers that are hard to reach, differently set up, restarted, or replaced by another one.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a test binary")]

mod boot;
mod failover;
mod fake;
mod hint;
mod json;
mod migrate;
mod reach;
mod restart;
#[path = "../support/mod.rs"]
mod support;
mod tls;
