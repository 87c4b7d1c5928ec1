//! Each script on its own: what lies in Redis before and after, the odd cases included.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a test binary")]

mod accept;
mod claim;
mod drain;
mod following;
mod memory;
mod misplaced;
mod model;
mod parked;
mod places;
mod pop;
mod settle;
#[path = "../support/mod.rs"]
mod support;
