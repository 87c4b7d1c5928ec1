//! Collects findings, one error for a place.
//!
//! Rules overlap: a duration that is text breaks a rule of the door and one of the strict report. The
//! first error at a path is kept; further ones there would say the same thing again.

use std::collections::HashSet;

use super::finding::{Finding, Severity};

#[derive(Default)]
pub(super) struct Report {
    findings: Vec<Finding>,
    seen: HashSet<(String, &'static str)>,
}

/// Stands for any rule: the mark of a path that has its error.
const ERROR: &str = "";

impl Report {
    /// Notes an error, unless the path has one.
    pub(super) fn error(
        &mut self,
        path: impl Into<String>,
        rule: &'static str,
        section: &'static str,
        message: impl Into<String>,
    ) {
        let path = path.into();
        if self.seen.insert((path.clone(), ERROR)) {
            self.findings.push(Finding {
                path,
                rule,
                severity: Severity::Error,
                section,
                message: message.into(),
            });
        }
    }

    /// Notes a warning, unless the path has an error or this warning.
    pub(super) fn warn(
        &mut self,
        path: impl Into<String>,
        rule: &'static str,
        section: &'static str,
        message: impl Into<String>,
    ) {
        let path = path.into();
        let seen = |rule| self.seen.contains(&(path.clone(), rule));
        if !seen(ERROR) && !seen(rule) {
            self.seen.insert((path.clone(), rule));
            self.findings.push(Finding {
                path,
                rule,
                severity: Severity::Warning,
                section,
                message: message.into(),
            });
        }
    }

    /// Takes over what another found, its errors as warnings.
    pub(super) fn take_as_warnings(&mut self, other: Self) {
        for finding in other.findings {
            self.warn(finding.path, finding.rule, finding.section, finding.message);
        }
    }

    pub(super) fn finish(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        self.findings
    }
}
