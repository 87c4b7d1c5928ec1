//! The queue and the working copies in one SQLite file, shared by the processes of one machine.
//!
//! The guarantee is that of Redis, and so is the way: an id is *held* by a worker from its claim to its settlement,
//! and one transaction writes the document, pushes to the egress lists and lets go of the id. `sql/schema.sql` has every
//! table with its meaning. `writer` is the one connection of a process that writes; `bell` wakes other processes.

mod base;
mod bell;
mod boot;
mod claim;
mod clock;
mod directory;
mod documents;
mod drain;
mod error;
mod intake;
mod lease;
mod letters;
mod lists;
mod obstacle;
mod options;
mod place;
mod presence;
mod queue;
mod recover;
mod session;
mod settle;
mod share;
mod store;
mod story;
mod stray;
mod sweep;
mod writer;

pub use options::SqliteOptions;
pub use queue::SqliteQueue;
