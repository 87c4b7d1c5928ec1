//! From YAML text to a checked plan.

pub mod coerce;
pub mod env;
mod nearest;
pub mod problem;
pub mod redact;
pub mod settings;
mod yaml;

pub use problem::{Problem, Severity};
pub use settings::Settings;
