//! One thing that is wrong.

use std::fmt;

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Odd, but a reader can cope.
    Warning,
    /// Against the profile.
    Error,
}

/// One thing that is wrong, with place and rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where, as a JSON pointer (RFC 6901).
    pub path: String,
    /// The id of the rule.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The section of draft-ietf-vcon-vcon-core-04 the rule comes from; `after core-04` for what came later.
    pub section: &'static str,
    /// What is wrong and what would be right. Quotes no content.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let sign = if self.section.starts_with(char::is_numeric) { "§" } else { "" };
        write!(f, "{severity}: {} (`{}`, {}, {sign}{})", self.message, self.path, self.rule, self.section)
    }
}
