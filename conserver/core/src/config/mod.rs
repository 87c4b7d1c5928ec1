//! From YAML text to a checked plan.
//!
//! ```text
//! text ─compose→ tree ─references→ tree ─decode→ raw ─check→ plan
//! ```
//!
//! [`load`] goes the whole way and tells all problems at once, each with its place. Two dialects of one YAML are read:
//! the Python server's, whose quirks are warnings, and ours (`conserver: 1`), which is strict. The file says what the
//! pipeline does, the environment ([`mod@env`]) how this process runs; both end in [`Plan::settings`]. Nothing here
//! connects to anything: the only files that are read are those that a `file:` reference or a variable names.

mod check;
pub mod coerce;
pub mod env;
mod load;
pub(crate) mod nearest;
pub mod plan;
pub mod problem;
mod raw;
pub mod redact;
mod report;
pub mod rule;
mod schema;
pub mod settings;
pub mod update;
pub(crate) mod yaml;

pub use load::{Loaded, load};
pub use plan::Plan;
pub use problem::{Problem, Severity};
pub use schema::schema;
pub use settings::Settings;
