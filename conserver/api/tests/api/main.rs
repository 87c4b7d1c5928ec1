//! The router on a real Redis, and the server on real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    missing_docs,
    unreachable_pub,
    reason = "a test binary"
)]

mod access;
mod config;
mod letters;
mod lists;
mod site;
mod sockets;
mod tolerance;
mod vcons;
