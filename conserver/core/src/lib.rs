//! The contracts of the conserver and everything that follows from them without naming a backend.
//!
//! * [`link`], [`storage`], [`store`], [`queue`], [`intake`], [`directory`], [`story`]: what adapters implement. Each trait method
//!   lists its behaviours; each line of such a list is a case in the suite that every implementation passes.
//! * [`error`]: one error type with three independent facts: kind, class, applied.
//! * [`registry`]: from a module name in the file to a built link or storage.
//! * [`config`]: from YAML text to a checked plan.
//! * [`policy`]: timeout, retry, breaker, limit, applied once and in one order.
//! * [`guarded`]: a link or storage with its policy around it.
//! * [`chain`]: one vCon through one chain.
//! * [`event`]: what is worth telling, one struct per event; [`figure`]: what they count;
//!   [`trace`]: the spans of a run.
//!
//! Nothing here knows Redis, SQL, HTTP or the command line.

pub mod backend;
pub mod chain;
pub mod clock;
pub mod config;
pub mod cpu;
pub mod directory;
pub mod error;
pub mod event;
pub mod figure;
pub mod guarded;
pub mod guards;
pub mod intake;
pub mod link;
pub mod name;
pub mod policy;
pub mod queue;
pub mod registry;
pub mod secret;
pub mod storage;
pub mod store;
pub mod story;
pub mod trace;

pub use conserver_vcon as vcon;
pub use error::{Applied, Class, Error, ErrorKind, Result};
pub use guards::{GuardKind, Guards};
pub use name::{ChainName, LinkName, NoList, QueueName, StorageName, WorkerId};
pub use secret::Secret;
