//! Collects problems, each at its place.

use std::time::Duration;

use super::coerce::DurationText;
use super::nearest;
use super::plan::Dialect;
use super::problem::{Problem, Severity};
use super::rule::Scope;
use super::yaml::decode::{Flaw, UnknownKey};
use super::yaml::{Mark, Node, Path};

/// All problems of one load.
pub(crate) struct Report<'a> {
    file: &'a str,
    dialect: Dialect,
    root: &'a Node,
    problems: Vec<Problem>,
    /// Where values are wrong: what refers to them is a consequence.
    wrong: Vec<Path>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(file: &'a str, dialect: Dialect, root: &'a Node) -> Self {
        Self { file, dialect, root, problems: Vec::new(), wrong: Vec::new() }
    }

    /// Which dialect is read.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The tree that is read.
    pub(crate) fn root(&self) -> &'a Node {
        self.root
    }

    /// Something that probably means other than it says.
    pub(crate) fn warning(&mut self, path: &Path, message: impl Into<String>) -> &mut Problem {
        self.push(Severity::Warning, path, self.root.mark_of(path), message.into())
    }

    /// Something that has to be repaired. What it stops follows from its place.
    pub(crate) fn error(&mut self, path: &Path, message: impl Into<String>) -> &mut Problem {
        self.push(Severity::Error, path, self.root.mark_of(path), message.into())
    }

    /// A quirk of the Python server's dialect, an error in ours.
    pub(crate) fn quirk(&mut self, path: &Path, message: impl Into<String>) -> &mut Problem {
        self.quirk_at(path, self.root.mark_of(path), message.into())
    }

    /// [`Report::quirk`] at a place that the tree does not have, such as a key.
    pub(crate) fn quirk_at(&mut self, path: &Path, mark: Mark, message: String) -> &mut Problem {
        let severity = match self.dialect {
            Dialect::Reference => Severity::Warning,
            Dialect::Ours => Severity::Error,
        };
        self.push(severity, path, mark, message)
    }

    /// A variable that is wrong.
    pub(crate) fn variable(
        &mut self,
        severity: Severity,
        name: &str,
        message: impl Into<String>,
    ) -> &mut Problem {
        let problem = self.push(severity, &Path::root(), Mark::default(), message.into());
        problem.file = "environment".to_owned();
        problem.path = name.to_owned();
        problem
    }

    /// What decoding a part of the tree found wrong.
    pub(crate) fn flaws(&mut self, flaws: Vec<Flaw>) {
        for flaw in flaws {
            self.push(Severity::Error, &flaw.path, flaw.mark, flaw.message).hint = flaw.hint;
            self.wrong.push(flaw.path);
        }
    }

    /// What is wrong where it does no harm.
    pub(crate) fn mild_flaws(&mut self, flaws: Vec<Flaw>) {
        for flaw in flaws {
            self.push(Severity::Warning, &flaw.path, flaw.mark, flaw.message).hint = flaw.hint;
        }
    }

    /// Keys that nobody knows.
    pub(crate) fn unknown(&mut self, keys: Vec<UnknownKey>) {
        for unknown in keys {
            let ignored = if self.dialect == Dialect::Reference { ", ignored" } else { "" };
            let message = format!("unknown key `{}`{ignored}", unknown.key);
            let hint = nearest::hint(&unknown.key, unknown.known.iter().copied());
            self.quirk_at(&unknown.path, unknown.mark, message).hint = hint;
        }
    }

    /// Whether what stands at this path, or all around it, was told to be wrong.
    pub(crate) fn is_wrong(&self, path: &Path) -> bool {
        self.wrong.iter().any(|wrong| path.is_within(wrong))
    }

    /// A duration of the file; a bare number is seconds, with a word about it.
    pub(crate) fn duration(&mut self, text: DurationText, path: &Path) -> Duration {
        if text.bare {
            let hint = format!("write `{}s`", text.value.as_secs_f64());
            self.warning(path, "a bare number is taken as seconds").hint(hint);
        }
        text.value
    }

    /// The problems in the order of the file.
    pub(crate) fn finish(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| (problem.line, problem.column));
        self.problems.dedup();
        self.problems
    }

    fn push(&mut self, severity: Severity, path: &Path, mark: Mark, message: String) -> &mut Problem {
        self.problems.push(Problem {
            severity,
            file: self.file.to_owned(),
            line: mark.line,
            column: mark.column,
            path: path.to_string(),
            message,
            hint: None,
            scope: Scope::of(path),
        });
        self.problems.last_mut().expect("one was pushed in the line above")
    }
}
