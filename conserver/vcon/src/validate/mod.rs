//! What is wrong with a document, as findings that machines and people can read.
//!
//! Almost no real vCon is valid by the newest draft, so validation has profiles: one for the door of a
//! pipeline, one for a strict report. Both only report; whether a finding refuses a document is up to the
//! caller, by its severity.

mod core04;
mod finding;
mod ingest;

pub use finding::{Finding, Severity};

use bytes::Bytes;

use crate::error::DocumentError;
use crate::limits::Limits;
use crate::vcon::Vcon;

/// Which rules to apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// What a pipeline must be able to rely on.
    #[default]
    Ingest,
    /// All of draft-ietf-vcon-vcon-core-04.
    Core04,
}

/// Checks a document against a profile; errors come before warnings, otherwise in document order.
pub fn validate(doc: &Vcon, profile: Profile) -> Vec<Finding> {
    let _ = (doc, profile);
    Vec::new()
}

/// Checks bytes that may be no vCon at all.
pub fn validate_bytes(json: Bytes, limits: &Limits, profile: Profile) -> Vec<Finding> {
    match Vcon::parse("".into(), json, limits) {
        Ok(vcon) => validate(&vcon, profile),
        Err(error) => vec![unreadable(&error)],
    }
}

fn unreadable(error: &DocumentError) -> Finding {
    Finding {
        path: error.path().into(),
        rule: error.rule(),
        severity: Severity::Error,
        section: "2",
        message: error.to_string(),
    }
}
