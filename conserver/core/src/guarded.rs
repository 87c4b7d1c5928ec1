//! Links and storages as everybody but their authors sees them: with policy around them and events about them.
//!
//! An adapter translates and nothing else. What it is guarded with stands here, once for all links and once for
//! all storages: panics become errors, the policy is applied, and each operation is told as one event with the time
//! of all its attempts.

mod link;
mod panic;
mod storage;
mod tend;

pub use link::GuardedLink;
pub(crate) use panic::caught;
pub use storage::GuardedStorage;
pub use tend::tend;
