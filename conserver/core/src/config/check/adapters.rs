//! Links and storages: the module each names, its options, the policy around it.

use std::collections::HashMap;
use std::time::Duration;

use crate::config::coerce::DurationText;
use crate::config::plan::{AdapterPlan, Dialect, OnError, OnStorageError, StoragePlan};
use crate::config::raw::{OnErrorWord, Policy, RawFile};
use crate::config::redact::is_secret_name;
use crate::config::report::Report;
use crate::config::yaml::node::Entries;
use crate::config::yaml::{Content, Node, Path};
use crate::policy::{BreakerOptions, PolicyOptions, RetryOptions};
use crate::registry::{Family, Found, Registry};
use crate::{LinkName, StorageName};

/// All links and storages of a file.
pub(super) struct Adapters {
    pub(super) links: Vec<AdapterPlan<LinkName>>,
    pub(super) storages: Vec<StoragePlan>,
    /// Why a link cannot be built, by name.
    pub(super) link_faults: HashMap<String, String>,
    /// Why a storage cannot be built, by name.
    pub(super) storage_faults: HashMap<String, String>,
}

/// Looks at every link and storage.
pub(super) fn check(raw: &RawFile, registry: &Registry, report: &mut Report<'_>) -> Adapters {
    let mut adapters = Adapters {
        links: Vec::new(),
        storages: Vec::new(),
        link_faults: HashMap::new(),
        storage_faults: HashMap::new(),
    };
    let used = raw.used(|chain| &chain.links);
    for (name, link) in &raw.links {
        let path = Path::root().key("links").key(name);
        let is_used = used.contains(name.as_str());
        let one = One { family: Family::Link, name, path, policy: link.policy(), is_used };
        let (plan, fault) = one.check(LinkName::new(name), |module| registry.find_link(module), report);
        adapters.links.push(plan);
        adapters.link_faults.extend(fault.map(|fault| (name.clone(), fault)));
    }
    let used = raw.used(|chain| &chain.storages);
    for (name, storage) in &raw.storages {
        let path = Path::root().key("storages").key(name);
        let is_used = used.contains(name.as_str());
        let one = One { family: Family::Storage, name, path, policy: storage.policy(), is_used };
        let (adapter, fault) =
            one.check(StorageName::new(name), |module| registry.find_storage(module), report);
        let on_refusal = storage.on_error.map(|word| match word {
            OnErrorWord::Continue => OnStorageError::Continue,
            OnErrorWord::Fail => OnStorageError::DeadLetter,
        });
        let required = storage.required.unwrap_or(true);
        adapters.storages.push(StoragePlan { adapter, required, on_refusal });
        adapters.storage_faults.extend(fault.map(|fault| (name.clone(), fault)));
    }
    adapters
}

/// One link or storage.
struct One<'a> {
    family: Family,
    name: &'a str,
    path: Path,
    policy: Policy<'a>,
    is_used: bool,
}

impl One<'_> {
    fn check<'r, Name, T: ?Sized + 'r>(
        self,
        name: Name,
        find: impl Fn(&str) -> Found<'r, T>,
        report: &mut Report<'_>,
    ) -> (AdapterPlan<Name>, Option<String>) {
        let mut node = self.options(report);
        let mut plan = AdapterPlan {
            name,
            kind: None,
            options: node.to_json(),
            policy: self.policy(report),
            on_error: match self.policy.on_error {
                Some(OnErrorWord::Continue) => OnError::Continue,
                Some(OnErrorWord::Fail) | None => OnError::Fail,
            },
        };
        let Some(module) = self.module(report) else {
            let fault = format!("the {} `{}` names no module", self.family.noun(), self.name);
            return (plan, Some(fault));
        };
        match find(module) {
            Found::Module(module) => {
                plan.kind = Some(module.name);
                let path = self.path.key("options");
                if !report.is_wrong(&path) {
                    let checked = (module.check)(&node, &path);
                    for scalar in checked.scalars.iter().filter_map(|scalar| scalar.below(&path)) {
                        node.plain_at(&scalar);
                    }
                    plan.options = node.to_json();
                    // The Python server never looks at what no chain uses.
                    if self.is_used || report.dialect() == Dialect::Ours {
                        report.flaws(checked.flaws);
                    } else {
                        report.mild_flaws(checked.flaws);
                    }
                    report.unknown(checked.unknown);
                    for sentence in checked.sentences {
                        report.quirk(&path, sentence);
                    }
                }
                (plan, None)
            }
            Found::Nothing { message, hint } => {
                self.fault(&self.path.key("module"), &message, hint, report);
                (plan, Some(message))
            }
        }
    }

    /// The module it names; in our dialect its own name says what it is.
    fn module(&self, report: &mut Report<'_>) -> Option<&str> {
        match (self.policy.module, report.dialect()) {
            (Some(module), _) => Some(module),
            (None, Dialect::Ours) => Some(self.name),
            (None, Dialect::Reference) => {
                if !report.is_wrong(&self.path.key("module")) {
                    let hint = match self.family {
                        Family::Link => "write `module: links.tag`, or what it is",
                        Family::Storage => "write `module: storage.file`, or what it is",
                    };
                    self.fault(&self.path, "`module` is missing", Some(hint.to_owned()), report);
                }
                None
            }
        }
    }

    /// Something without which it cannot be built: it blocks the chains that use it, if there are any.
    fn fault(&self, path: &Path, message: &str, hint: Option<String>, report: &mut Report<'_>) {
        let problem = if self.is_used {
            report.error(path, format!("{message}; the chains that use it do not run, their ids wait"))
        } else {
            report.warning(path, message)
        };
        problem.hint = hint;
    }

    /// What stands under `options:`, without what is for hooks; nothing is an empty map, so that defaults hold.
    fn options(&self, report: &mut Report<'_>) -> Node {
        let path = self.path.key("options");
        let mut node = match report.root().at(&path) {
            Some(node) if !node.is_null() => node.clone(),
            _ => Node::new(report.root().mark_of(&path), Content::Map(Entries::new())),
        };
        if self.family == Family::Link && node.remove("after_link").is_some() {
            report
                .warning(&path.key("after_link"), "the hook `after_link` is not called")
                .hint("put a link after this one that does what the hook did");
        }
        let empty = Content::Text(String::new());
        for entry in node.entries().filter(|entry| entry.value.content == empty) {
            if self.is_used && is_secret_name(&entry.key) {
                report.warning(&path.key(&entry.key), "this secret is empty");
            }
        }
        node
    }

    fn policy(&self, report: &mut Report<'_>) -> PolicyOptions {
        let defaults = PolicyOptions::default();
        let retry = self.policy.retry.map_or(defaults.retry.clone(), |raw| {
            let path = self.path.key("retry");
            RetryOptions {
                attempts: raw.attempts.map_or(defaults.retry.attempts, Into::into),
                delay: raw
                    .delay
                    .map_or(defaults.retry.delay, |text| report.duration(text, &path.key("delay"))),
                max_delay: raw
                    .max_delay
                    .map_or(defaults.retry.max_delay, |text| report.duration(text, &path.key("max_delay"))),
            }
        });
        let breaker = self.policy.breaker.map_or(defaults.breaker.clone(), |raw| {
            let path = self.path.key("breaker");
            BreakerOptions {
                failures: raw.failures.unwrap_or(defaults.breaker.failures),
                cooldown: raw
                    .cooldown
                    .map_or(defaults.breaker.cooldown, |text| report.duration(text, &path.key("cooldown"))),
            }
        });
        if self.policy.rate_limit.is_some_and(|rate| rate <= 0.0) {
            report.error(&self.path.key("rate_limit"), "a rate limit has to be more than zero");
        }
        PolicyOptions {
            timeout: timeout(self.policy.timeout, &self.path.key("timeout"), report)
                .unwrap_or(defaults.timeout),
            retry,
            breaker,
            rate_limit: self.policy.rate_limit,
            in_flight: self.policy.in_flight.map(Into::into),
        }
    }
}

/// A limit of time. In the Python server's dialect a bare number is what that server ignores.
pub(super) fn timeout(text: Option<DurationText>, path: &Path, report: &mut Report<'_>) -> Option<Duration> {
    let text = text?;
    if text.bare && report.dialect() == Dialect::Reference {
        let hint = format!("write `timeout: {}s` to give it effect", text.value.as_secs_f64());
        report.warning(path, "a bare number is ignored here, as the Python server does").hint(hint);
        return None;
    }
    if text.value.is_zero() {
        report.error(path, "a timeout of zero lets nothing finish").hint("leave it out for none");
    }
    Some(report.duration(text, path))
}
