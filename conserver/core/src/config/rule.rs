//! The one rule of what a mistake in the file stops, for start, reload, posted files, the API, workers and commands alike.
//!
//! | mistake in | at a start | at a reload |
//! |---|---|---|
//! | a link, storage or chain | our dialect: nothing starts, unless `--lenient`; the Python server's: the chains that need it wait | chains that need it go on in their last good form; all else is taken up |
//! | anything else: the text, `redis`, `api`, `limits`, a variable | nothing starts | nothing is taken up |
//!
//! A posted file is the file of the next start, so it is held to the rule of a start.

use serde::Serialize;

use super::load::Loaded;
use super::plan::{Dialect, Plan};
use super::problem::Problem;
use super::yaml::Path;
use super::yaml::path::Step;
use crate::ChainName;

/// What a mistake concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The whole file, or the process.
    Everything,
    /// This link, and the chains that need it.
    Link(String),
    /// This storage, and the chains that need it.
    Storage(String),
    /// This chain.
    Chain(String),
}

impl Scope {
    /// What a mistake at this place concerns.
    pub(crate) fn of(path: &Path) -> Self {
        match path.steps() {
            [Step::Key(section), Step::Key(name), ..] if section == "links" => Self::Link(name.clone()),
            [Step::Key(section), Step::Key(name), ..] if section == "storages" => Self::Storage(name.clone()),
            [Step::Key(section), Step::Key(name), ..] if section == "chains" => Self::Chain(name.clone()),
            _ => Self::Everything,
        }
    }
}

/// A mistake that keeps a chain from being run as the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The chain.
    pub chain: ChainName,
    /// The first thing that is wrong, with its line.
    pub why: String,
}

/// Takes what is wrong out of a plan: links and storages that cannot be built, and the chains that need them. A chain that
/// could not even be read is among [`Plan::mistakes`], as is each that is blocked.
pub(super) fn block(plan: &mut Plan, problems: &[Problem]) {
    for problem in problems.iter().filter(|problem| problem.is_error()) {
        let why = problem.at_its_place();
        let needs: Box<dyn Fn(&super::plan::ChainPlan) -> bool> = match &problem.scope {
            Scope::Everything => continue,
            Scope::Link(name) => {
                let faulty = plan.links.iter_mut().filter(|link| link.name.as_str() == name);
                faulty.for_each(|link| link.kind = None);
                Box::new(move |chain| chain.links.iter().any(|link| link.as_str() == name))
            }
            Scope::Storage(name) => {
                let faulty = plan.storages.iter_mut().filter(|storage| storage.adapter.name.as_str() == name);
                faulty.for_each(|storage| storage.adapter.kind = None);
                Box::new(move |chain| chain.storages.iter().any(|storage| storage.as_str() == name))
            }
            Scope::Chain(name) => {
                let known = plan.mistakes.iter().any(|mistake| mistake.chain.as_str() == name);
                if plan.chain(name).is_none() && !known {
                    plan.mistakes.push(Mistake { chain: ChainName::new(name), why: why.clone() });
                }
                Box::new(move |chain| chain.name.as_str() == name)
            }
        };
        for chain in plan.chains.iter_mut().filter(|chain| needs(chain)) {
            chain.blocked.get_or_insert_with(|| why.clone());
        }
    }
    for chain in &plan.chains {
        let Some(why) = &chain.blocked else { continue };
        if plan.mistakes.iter().all(|mistake| mistake.chain != chain.name) {
            plan.mistakes.push(Mistake { chain: chain.name.clone(), why: why.clone() });
        }
    }
}

impl Loaded {
    /// What a start runs; `None`: nothing. Our dialect wants a file without a mistake, unless `lenient`.
    pub fn for_start(&self, lenient: bool) -> Option<&Plan> {
        let plan = self.plan.as_ref()?;
        (lenient || plan.dialect == Dialect::Reference || !self.has_errors()).then_some(plan)
    }

    /// What a running instance goes on with; `None`: with what it runs. A chain that runs and that a mistake would stop keeps
    /// its last good form, with the links and storages it needs, until the mistake is mended.
    pub fn for_reload(&self, running: &Plan) -> Option<Plan> {
        let mut plan = self.plan.clone()?;
        for old in running.chains.iter().filter(|chain| chain.blocked.is_none()) {
            let Some(mistake) = plan.mistakes.iter().find(|mistake| mistake.chain == old.name) else {
                continue;
            };
            let mut kept = old.clone();
            kept.stale = Some(mistake.why.clone());
            let others = plan.chains.iter().filter(|chain| chain.name != old.name && chain.blocked.is_none());
            let taken: Vec<_> = others.flat_map(|chain| chain.ingress.iter().cloned()).collect();
            kept.ingress.retain(|list| !taken.contains(list));
            for name in &kept.links {
                let sound = |link: &&_| is_of(*link, name);
                if let Some(good) = running.links.iter().find(sound)
                    && !plan.links.iter().any(|link| sound(&link))
                {
                    plan.links.retain(|link| link.name != *name);
                    plan.links.push(good.clone());
                }
            }
            for name in &kept.storages {
                let sound = |storage: &&super::plan::StoragePlan| is_of(&storage.adapter, name);
                if let Some(good) = running.storages.iter().find(sound)
                    && !plan.storages.iter().any(|storage| sound(&storage))
                {
                    plan.storages.retain(|storage| storage.adapter.name != *name);
                    plan.storages.push(good.clone());
                }
            }
            match plan.chains.iter_mut().find(|chain| chain.name == kept.name) {
                Some(blocked) => *blocked = kept,
                None => plan.chains.push(kept),
            }
        }
        Some(plan)
    }

    /// What a command that only looks works with, whatever is wrong elsewhere; `None` where the file does not even say
    /// where to look.
    pub fn for_looking(&self) -> Option<&Plan> {
        self.readable.as_ref()
    }
}

/// Whether it has this name and can be built.
fn is_of<Name: PartialEq>(adapter: &super::plan::AdapterPlan<Name>, name: &Name) -> bool {
    adapter.name == *name && adapter.kind.is_some()
}
