//! The whole way from a text to a plan.

use std::path::Path as FilePath;

use serde_json::Value;

use super::check::check;
use super::env::Vars;
use super::plan::{Dialect, Plan};
use super::problem::{Problem, Severity};
use super::redact;
use super::report::Report;
use super::yaml::compose::{Composed, compose};
use super::yaml::{Content, Node, Path, reference};
use crate::registry::Registry;

/// What came of a file.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The plan. It is there although there are errors where these only block some chains; it is absent where the file
    /// does not say what is to be done.
    pub plan: Option<Plan>,
    /// Everything that is wrong or odd: first the environment, then the file from its top.
    pub problems: Vec<Problem>,
    /// The file as it is in effect, references resolved, with stars where secrets are: what may be shown.
    pub shown: Value,
}

impl Loaded {
    /// Whether anything has to be repaired.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(Problem::is_error)
    }

    /// Builds every link and storage once, and drops it. What cannot be built although its options could be read is a
    /// problem of the file, and leaves no plan: told now rather than by each process that begins to work.
    pub fn try_build(mut self, file_name: &str, registry: &Registry) -> Self {
        let Some(plan) = &self.plan else { return self };
        let links = registry
            .links_of(plan)
            .filter_map(|(link, built)| Some((format!("links.{}", link.name), built.err()?)));
        let storages = registry.storages_of(plan).filter_map(|(storage, built)| {
            Some((format!("storages.{}", storage.adapter.name), built.err()?))
        });
        let unbuildable: Vec<Problem> = links
            .chain(storages)
            .map(|(path, error)| Problem {
                severity: Severity::Error,
                file: file_name.to_owned(),
                line: 0,
                column: 0,
                path,
                message: error.chain(),
                hint: None,
            })
            .collect();
        if !unbuildable.is_empty() {
            self.plan = None;
            self.problems.extend(unbuildable);
        }
        self
    }
}

/// Loads a configuration. `file_name` is how the file is called in problems, and where relative `file:` references
/// begin. Equal plans ([`Plan`] is `PartialEq`) run alike, so a reload compares them.
pub fn load(text: &str, file_name: &str, env: &dyn Vars, registry: &Registry) -> Loaded {
    let Composed { mut root, duplicates } = match compose(text) {
        Ok(composed) => composed,
        Err(unreadable) => {
            let problem = Problem {
                severity: Severity::Error,
                file: file_name.to_owned(),
                line: unreadable.mark.line,
                column: unreadable.mark.column,
                path: String::new(),
                message: unreadable.message,
                hint: None,
            };
            return Loaded { plan: None, problems: vec![problem], shown: Value::Null };
        }
    };
    let directory = FilePath::new(file_name).parent().unwrap_or(FilePath::new(""));
    let dangling = reference::resolve(&mut root, env, directory);

    let mut report = Report::new(file_name, dialect(&root), &root);
    for (path, mark) in duplicates {
        report.quirk_at(&path, mark, "the key is here twice; the last one counts".to_owned());
    }
    for reference in dangling {
        report.quirk(&reference.path, reference.message).hint = reference.hint;
    }
    if !matches!(root.content, Content::Map(_) | Content::Null) {
        report.error(&Path::root(), "the file has to be a map of sections, such as `chains:`");
        let (problems, _) = report.finish();
        return Loaded { plan: None, problems, shown: Value::Null };
    }
    let plan = check(file_name, env, registry, &mut report);
    let (problems, is_usable) = report.finish();
    Loaded { plan: plan.filter(|_| is_usable), problems, shown: redact::file(&root) }
}

/// Which dialect a file says it is in.
fn dialect(root: &Node) -> Dialect {
    match root.get("conserver") {
        Some(version) if !version.is_null() => Dialect::Ours,
        _ => Dialect::Reference,
    }
}
