//! From YAML text to a checked plan.
pub mod coerce;
pub mod env;
pub(crate) mod nearest;
pub mod plan;
pub mod problem;
mod raw;
pub mod redact;
mod report;
pub mod settings;
pub(crate) mod yaml;

pub use plan::Plan;
pub use problem::{Problem, Severity};
pub use settings::Settings;
