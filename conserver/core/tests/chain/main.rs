//! One vCon through one chain: real small links, a real storage in memory, paused time.

#![expect(clippy::unwrap_used, reason = "the test support unwraps as its tests do")]

mod ends;
mod failures;
mod guards;
mod memory;
mod outages;
mod shelf;
mod steps;
mod storages;
mod workshop;
