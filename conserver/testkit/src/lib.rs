//! What the tests of all crates share.
//!
//! * [`redis`], [`postgres`]: private servers on free ports, gone with their owner.
//! * [`daemon`], [`proxy`], [`oracle`]: the real program, faults between it and Redis, and whether nothing was lost.
//! * [`collector`]: a stand-in for an OpenTelemetry collector; [`http`]: an HTTP server that answers by script.
//! * [`vcons`]: generated documents, the same ones for the same seed.
//! * [`storage_suite!`], [`link_suite!`], [`queue_suite!`], [`store_suite!`], [`intake_suite!`], [`directory_suite!`], [`chronicle_suite!`]: the behaviours that the contracts promise, one case for each line, as macros
//!   that every implementation calls.
//!
//! It knows the contracts and no implementation. A server that is not installed fails the test with the name of its
//! package: nothing is green by absence.

pub mod certificate;
pub mod chronicle_suite;
pub mod collector;
#[cfg(test)]
mod contract;
pub mod daemon;
pub mod directory_suite;
pub mod http;
pub mod intake_suite;
pub mod json;
pub mod link_suite;
pub mod oracle;
pub mod postgres;
mod process;
pub mod proxy;
mod queue_fixture;
pub mod queue_suite;
pub mod redis;
pub mod storage_suite;
pub mod store_suite;

/// The generator of documents.
pub use conserver_generator as vcons;
pub use process::{free_port, wait_until};
