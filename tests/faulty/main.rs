//! The conserver with links that misbehave on purpose: what a site builds that brings links of its own, and what the
//! end-to-end tests run.
//!
//! | link | what it does to the vCons it is meant for |
//! |---|---|
//! | `test.abort` | ends the process with SIGABRT |
//! | `test.block` | blocks its thread for ever |
//! | `test.hang` | never answers, and blocks nothing |
//! | `test.panic` | panics |
//! | `test.fail` | fails, with an error of a kind, on the first runs |
//! | `test.wait` | waits |
//! | `test.count` | counts its runs, in the document and in a file; not idempotent, which is the point |

mod count;
mod crash;
mod fail;
mod meant;
mod stall;

use std::process::ExitCode;

fn main() -> ExitCode {
    conserver::main_with(|registry| {
        registry.link::<crash::Abort>().link::<crash::Panic>();
        registry.link::<stall::Block>().link::<stall::Hang>().link::<stall::Wait>();
        registry.link::<fail::Fail>().link::<count::Count>();
    })
}
