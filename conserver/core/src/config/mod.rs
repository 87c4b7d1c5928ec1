//! From YAML text to a checked plan.

pub mod coerce;
pub mod env;
pub mod plan;
pub mod problem;
pub mod settings;

pub use plan::Plan;
pub use problem::{Problem, Severity};
pub use settings::Settings;
