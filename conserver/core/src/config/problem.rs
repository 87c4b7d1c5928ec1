//! What is wrong with a configuration, told with its place and a way out.

use std::fmt;

use super::rule::Scope;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something that has to be repaired: the file is not taken, or a chain is not run.
    Error,
    /// Something that probably means other than it says; the file is taken.
    Warning,
}

/// One thing that is wrong, and where.
///
/// Its text fits a terminal of 80 columns; `{:#}` puts it on one line for a log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The file as it was named, or `environment`.
    pub file: String,
    /// Line, from 1; 0 where there is none.
    pub line: usize,
    /// Column, from 1; 0 where there is none.
    pub column: usize,
    /// The place in the document (`chains.main.links[2]`) or the name of the variable.
    pub path: String,
    /// What is wrong: lowercase, without a full stop, never with a secret in it.
    pub message: String,
    /// The way out.
    pub hint: Option<String>,
    /// What it concerns: see [`Scope`].
    pub scope: Scope,
}

impl Problem {
    /// Sets the way out.
    pub fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether it has to be repaired.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Whether it leaves nothing that could be run.
    pub fn stops_everything(&self) -> bool {
        self.is_error() && self.scope == Scope::Everything
    }

    /// Whether it says what another says, perhaps of another line.
    pub fn says_as(&self, other: &Self) -> bool {
        (self.severity, &self.path, &self.message) == (other.severity, &other.path, &other.message)
    }

    /// Its text with its line, for a place that shows nothing else of it.
    pub(crate) fn at_its_place(&self) -> String {
        let line = if self.line > 0 { format!("line {}: ", self.line) } else { String::new() };
        format!("{line}{}: {}", self.path, self.message)
    }

    fn line_of_text(&self) -> String {
        let mut text = self.file.clone();
        if self.line > 0 {
            text.push_str(&format!(":{}:{}", self.line, self.column));
        }
        text.push_str(&format!(": {}: ", self.severity));
        if !self.path.is_empty() {
            text.push_str(&format!("{}: ", self.path));
        }
        text.push_str(&self.message);
        if let Some(hint) = &self.hint {
            text.push_str("; ");
            text.push_str(hint);
        }
        text
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.line_of_text();
        if f.alternate() {
            return f.write_str(&text);
        }
        // Wrapped at words; what follows the first line is indented, so that a list of problems stays one.
        let mut column = 0;
        for (index, word) in text.split(' ').enumerate() {
            let width = word.chars().count();
            if index > 0 && column + 1 + width > WIDTH {
                write!(f, "\n{INDENT}{word}")?;
                column = INDENT.len() + width;
            } else {
                let space = if index > 0 { " " } else { "" };
                write!(f, "{space}{word}")?;
                column += space.len() + width;
            }
        }
        Ok(())
    }
}

const WIDTH: usize = 80;
const INDENT: &str = "    ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_wrapped_at_eighty_columns_and_on_one_line_in_a_log() {
        let problem = Problem {
            severity: Severity::Error,
            file: "chains.yaml".to_owned(),
            line: 12,
            column: 5,
            path: "chains.main.links[2]".to_owned(),
            message: "no link named `transcirbe`".to_owned(),
            hint: Some("did you mean `transcribe`?".to_owned()),
            scope: Scope::Chain("main".to_owned()),
        };
        assert_eq!(
            problem.to_string(),
            "chains.yaml:12:5: error: chains.main.links[2]: no link named `transcirbe`; did\n    \
             you mean `transcribe`?"
        );
        assert_eq!(
            format!("{problem:#}"),
            "chains.yaml:12:5: error: chains.main.links[2]: no link named `transcirbe`; \
             did you mean `transcribe`?"
        );
    }

    #[test]
    fn a_variable_has_no_line() {
        let problem = Problem {
            severity: Severity::Warning,
            file: "environment".to_owned(),
            line: 0,
            column: 0,
            path: "LOG_LEVEL".to_owned(),
            message: "has no effect".to_owned(),
            hint: None,
            scope: Scope::Everything,
        };
        assert_eq!(problem.to_string(), "environment: warning: LOG_LEVEL: has no effect");
    }
}
