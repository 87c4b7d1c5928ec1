//! What is wrong with a document, as findings that machines and people can read.
//!
//! Almost no real vCon is valid by the newest draft, so validation has profiles: one for the door of a
//! pipeline, one for a strict report. Both only report; whether a finding refuses a document is up to the
//! caller, by its severity. Rules look at raw values; the one body that is decoded is text that claims to
//! be base64url or JSON.

mod content;
mod core04;
mod dialog;
mod extension;
mod field;
mod finding;
mod ingest;
mod jose;
mod kind;
mod oddity;
mod reference;
mod report;
mod session;

pub use extension::unsupported_extensions;
pub use finding::{Finding, Severity};

use bytes::Bytes;

use crate::error::DocumentError;
use crate::form::Form;
use crate::limits::Limits;
use crate::vcon::Vcon;
use report::Report;

/// Which rules to apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// What a pipeline must be able to rely on.
    #[default]
    Ingest,
    /// All of draft-ietf-vcon-vcon-core-04.
    Core04,
}

/// Checks a document against a profile. Errors come before warnings, otherwise in the order of the rules.
///
/// ```
/// use conserver_vcon::{Limits, Vcon, validate::{Profile, validate}};
///
/// let json = r#"{"uuid": "018f2a4b-0000-8000-9dd8-dd37220d739c", "parties": []}"#;
/// let vcon = Vcon::from_json(json.into(), &Limits::default())?;
/// let findings = validate(&vcon, Profile::Ingest);
/// assert_eq!((&*findings[0].path, findings[0].rule), ("/created_at", "required"));
/// # Ok::<(), conserver_vcon::DocumentError>(())
/// ```
pub fn validate(doc: &Vcon, profile: Profile) -> Vec<Finding> {
    let mut report = Report::default();
    if doc.form() == Form::Unsigned {
        ingest::check(doc, &mut report);
        if profile == Profile::Core04 {
            core04::check(doc, &mut report);
        }
        oddity::check(doc, profile, &mut report);
    } else {
        jose::check(doc, &mut report);
    }
    report.finish()
}

/// Checks bytes that may be no vCon at all: what [`Vcon::parse`] refuses becomes the one finding.
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
        section: "3",
        message: error.to_string(),
    }
}

#[cfg(test)]
mod tests;
