//! The queue and the working copies on Redis ≥ 6.2 or Valkey.
//!
//! Lists are the Python server's: plain ids, producers push at the tail. A blocking pop alone loses what a dying
//! process held, so ids are moved by a script into an in-flight list of the worker, and leave it only with the
//! script that also writes the document and pushes to the egress lists. `keys.rs` lists every key; `lua/` has
//! each script with its arguments, answers and order of writes.
//!
//! [`Client`] and [`classify`] serve the storage on Redis, too: one way to reach a server, one reading of its errors.

mod address;
mod boot;
mod claim;
mod client;
mod directory;
mod drain;
mod error;
mod hint;
mod intake;
mod keys;
mod lease;
mod letters;
mod look;
mod migrate;
mod misplaced;
mod options;
mod pop;
mod prune;
mod queue;
mod recover;
mod reply;
mod rights;
mod script;
mod settle;
mod stage;
mod status;
mod store;
mod story;
mod stray;
mod sweep;
mod unreadable;

pub use address::{check_address, shown};
pub use client::{Client, Server};
pub use error::classify;
pub use migrate::{Migration, Problem};
pub use options::{Delivery, RedisOptions};
pub use queue::RedisQueue;
