//! The whole way from a text to a plan.

use std::path::Path as FilePath;

use serde_json::Value;

use super::check::check;
use super::env::Vars;
use super::plan::{Dialect, Plan};
use super::problem::{Problem, Severity};
use super::redact;
use super::report::Report;
use super::rule::{self, Scope};
use super::yaml::compose::{Composed, compose};
use super::yaml::{Content, Mark, Node, Path, reference};
use crate::registry::Registry;

/// What came of a file.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What can be run of it, with the chains that a mistake stops marked; `None` where a mistake stops everything.
    /// Whether to run it is [`Loaded::for_start`]'s and [`Loaded::for_reload`]'s to say.
    pub plan: Option<Plan>,
    /// The same whatever is wrong, as long as it is known where its backend is.
    pub(super) readable: Option<Plan>,
    /// Everything that is wrong or odd: first the environment, then the file from its top.
    pub problems: Vec<Problem>,
    /// The file as it is in effect, references resolved, with stars where secrets are: what may be shown.
    pub shown: Value,
    /// Where links and storages stand in the file.
    places: Vec<(Scope, Mark)>,
    /// What has values that are not known.
    unknown: Vec<Scope>,
}

impl Loaded {
    /// Whether anything has to be repaired.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(Problem::is_error)
    }

    /// Builds every link and storage once, and drops it. What cannot be built although its options could be read is a
    /// mistake in that link or storage: told now rather than by each process that begins to work.
    pub fn try_build(mut self, file_name: &str, registry: &Registry) -> Self {
        let Some(plan) = &self.readable else { return self };
        let links = registry.links_of(plan).filter_map(|(link, built)| {
            let used = plan.chains.iter().any(|chain| chain.links.contains(&link.name));
            Some((Scope::Link(link.name.to_string()), used, built.err()?))
        });
        let storages = registry.storages_of(plan).filter_map(|(storage, built)| {
            // The read path asks storages that no chain writes to.
            Some((Scope::Storage(storage.adapter.name.to_string()), true, built.err()?))
        });
        let unbuildable: Vec<Problem> = links
            .chain(storages)
            .filter(|(scope, ..)| !self.unknown.contains(scope))
            .map(|(scope, used, error)| {
                let (section, name) = match &scope {
                    Scope::Link(name) => ("links", name),
                    Scope::Storage(name) | Scope::Chain(name) => ("storages", name),
                    Scope::Everything => unreachable!("adapters have names"),
                };
                let place = self.places.iter().find(|(of, _)| *of == scope);
                let mark = place.map(|(_, mark)| *mark).unwrap_or_default();
                // The Python server never looks at what no chain uses.
                let harmless = !used && plan.dialect == Dialect::Reference;
                Problem {
                    severity: if harmless { Severity::Warning } else { Severity::Error },
                    file: file_name.to_owned(),
                    line: mark.line,
                    column: mark.column,
                    path: format!("{section}.{name}"),
                    message: error.chain(),
                    hint: None,
                    scope,
                }
            })
            .collect();
        for problem in unbuildable {
            // A warning that says the same is the same thing said twice.
            self.problems.retain(|told| {
                told.is_error() || told.scope != problem.scope || !problem.message.contains(&told.message)
            });
            self.problems.push(problem);
        }
        self.problems.sort_by_key(|problem| (problem.line, problem.column));
        self.block();
        self
    }

    /// Notes a mistake that was found by trying: it concerns everything.
    pub fn found(&mut self, file_name: &str, path: &str, message: String) {
        self.problems.push(Problem {
            severity: Severity::Error,
            file: file_name.to_owned(),
            line: 0,
            column: 0,
            path: path.to_owned(),
            message,
            hint: None,
            scope: Scope::Everything,
        });
        self.plan = None;
    }

    /// Keeps what is wrong out of what may be run.
    fn block(&mut self) {
        for plan in [&mut self.plan, &mut self.readable].into_iter().flatten() {
            rule::block(plan, &self.problems);
        }
    }
}

/// Loads a configuration. `file_name` is how the file is called in problems, and where relative `file:` references
/// begin. Equal plans ([`Plan`] is `PartialEq`) run alike, so a reload compares them.
pub fn load(text: &str, file_name: &str, env: &dyn Vars, registry: &Registry) -> Loaded {
    let Composed { mut root, duplicates } = match compose(text) {
        Ok(composed) => composed,
        Err(unreadable) => {
            let line = text.lines().nth(unreadable.mark.line.saturating_sub(1)).unwrap_or_default();
            let in_braces = unreadable.message.contains("flow") && line.contains("${");
            let hint =
                in_braces.then(|| "write references in quotes inside of `{ }`: `\"${NAME}\"`".to_owned());
            let problem = Problem {
                severity: Severity::Error,
                file: file_name.to_owned(),
                line: unreadable.mark.line,
                column: unreadable.mark.column,
                path: String::new(),
                message: unreadable.message,
                hint,
                scope: Scope::Everything,
            };
            return Loaded::unreadable(vec![problem]);
        }
    };
    let directory = FilePath::new(file_name).parent().unwrap_or(FilePath::new(""));
    let (dangling, unknown) = reference::resolve(&mut root, env, directory);

    let mut report = Report::new(file_name, dialect(&root), &root);
    for (path, mark) in duplicates {
        report.quirk_at(&path, mark, "the key is here twice; the last one counts".to_owned());
    }
    for reference in dangling {
        let problem = if reference.foreign {
            report.warning(&reference.path, reference.message)
        } else {
            report.quirk(&reference.path, reference.message)
        };
        problem.hint = reference.hint;
    }
    if root.is_null() {
        report
            .error(&Path::root(), "the file is empty, or of comments alone")
            .hint("an instance with nothing to do is `chains: {}`");
        let shown = redact::file(&root);
        return Loaded { shown, ..Loaded::unreadable(report.finish()) };
    }
    if !matches!(root.content, Content::Map(_)) {
        report.error(&Path::root(), "the file has to be a map of sections, such as `chains:`");
        return Loaded::unreadable(report.finish());
    }
    let readable = check(file_name, env, registry, &mut report);
    let mut problems = report.finish();
    // What is wrong with a value that is not known is not known either.
    problems.retain(|problem| !unknown.iter().any(|path| problem.path.starts_with(&path.to_string())));
    let nothing_runs = problems.iter().any(Problem::stops_everything);
    let is_lost = |problem: &Problem| {
        problem.stops_everything() && BACKEND.iter().any(|key| problem.path.starts_with(key))
    };
    let readable = readable.filter(|_| !problems.iter().any(is_lost));
    let mut loaded = Loaded {
        plan: readable.clone().filter(|_| !nothing_runs),
        readable,
        problems,
        shown: redact::file(&root),
        places: places(&root),
        unknown: unknown.iter().map(Scope::of).collect(),
    };
    loaded.block();
    loaded
}

/// What says where the backend is, in the file and in the environment.
const BACKEND: &[&str] = &["conserver", "redis", "data_dir", "REDIS_URL", "CONSERVER_DATA_DIR"];

impl Loaded {
    fn unreadable(problems: Vec<Problem>) -> Self {
        Self {
            plan: None,
            readable: None,
            problems,
            shown: Value::Null,
            places: Vec::new(),
            unknown: Vec::new(),
        }
    }
}

fn places(root: &Node) -> Vec<(Scope, Mark)> {
    let mut places = Vec::new();
    for section in ["links", "storages"] {
        let entries = root.get(section).into_iter().flat_map(Node::entries);
        places
            .extend(entries.map(|entry| (Scope::of(&Path::root().key(section).key(&entry.key)), entry.mark)));
    }
    places
}

/// Which dialect a file says it is in.
fn dialect(root: &Node) -> Dialect {
    match root.get("conserver") {
        Some(version) if !version.is_null() => Dialect::Ours,
        _ => Dialect::Reference,
    }
}
