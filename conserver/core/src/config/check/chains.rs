//! Chains: the lists they own, the links and storages they name, how they run.

use std::collections::HashMap;

use super::adapters::{Adapters, timeout};
use crate::config::nearest;
use crate::config::plan::{ChainPlan, Dialect, OnStorageError, RedeliveryOptions};
use crate::config::raw::{OnStorageErrorWord, RawChain, RawFile, RawName};
use crate::config::report::Report;
use crate::config::settings::Settings;
use crate::config::yaml::{Content, Path};
use crate::{ChainName, LinkName, NoList, QueueName, StorageName};

/// Plans of all chains that have an ingress list, in the order of the file.
pub(super) fn check(
    raw: &RawFile,
    settings: &Settings,
    adapters: &Adapters,
    report: &mut Report<'_>,
) -> Vec<ChainPlan> {
    let dialect = report.dialect();
    let mut plans: Vec<ChainPlan> = raw
        .chains
        .iter()
        .filter(|(_, chain)| !is_stopped(chain, dialect))
        .map(|(name, chain)| {
            let path = Path::root().key("chains").key(name);
            One { name, chain, path, raw, settings, adapters, blocked: None }.plan(report)
        })
        .collect();
    give_each_list_one_owner(&mut plans, report);
    plans.retain(|plan| {
        if plan.ingress.is_empty() {
            let path = Path::root().key("chains").key(plan.name.as_str());
            report.warning(&path, "the chain has no ingress list of its own, so nothing reaches it");
        }
        !plan.ingress.is_empty()
    });
    plans
}

/// Where a name stands in a list.
pub(super) fn item(list: &Path, name: &str, report: &Report<'_>) -> Path {
    let items = match report.root().at(list).map(|node| &node.content) {
        Some(Content::List(items)) => items.as_slice(),
        _ => &[],
    };
    let index = items.iter().position(|item| item.content == Content::Text(name.to_owned()));
    index.map_or_else(|| list.clone(), |index| list.index(index))
}

/// Our dialect can stop a chain; the Python server never did, and files say `enabled: 0` that nobody tried.
fn is_stopped(chain: &RawChain, dialect: Dialect) -> bool {
    dialect == Dialect::Ours && chain.enabled.is_some_and(|enabled| !enabled.0)
}

/// A list belongs to one chain: to the last that names it, as in the Python server. In our dialect, where that is a mistake,
/// to the first: the chain that came to it later is the one to be mended.
fn give_each_list_one_owner(plans: &mut [ChainPlan], report: &mut Report<'_>) {
    let mut owner: HashMap<QueueName, usize> = HashMap::new();
    let mut ceded = Vec::new();
    for index in 0..plans.len() {
        for list in plans[index].ingress.clone() {
            let Some(earlier) = owner.get(&list).copied() else {
                owner.insert(list, index);
                continue;
            };
            let is_ours = report.dialect() == Dialect::Ours;
            let (loser, winner, which) =
                if is_ours { (index, earlier, "first") } else { (earlier, index, "last") };
            owner.insert(list.clone(), winner);
            let (one, other) = (plans[earlier].name.clone(), plans[index].name.clone());
            let path = Path::root().key("chains").key(other.as_str()).key("ingress_lists");
            let path = item(&path, list.as_str(), report);
            let message =
                format!("the list `{list}` is named by `{one}` and by `{other}`; the {which} chain gets it");
            report.quirk(&path, message).hint("give each chain a list of its own");
            plans[loser].ingress.retain(|kept| *kept != list);
            ceded.push((loser, list));
        }
    }
    for (loser, list) in ceded {
        let winner = plans[owner[&list]].name.clone();
        plans[loser].ceded.push((list, winner));
    }
}

/// One chain.
struct One<'a> {
    name: &'a str,
    chain: &'a RawChain,
    path: Path,
    raw: &'a RawFile,
    settings: &'a Settings,
    adapters: &'a Adapters,
    blocked: Option<String>,
}

impl One<'_> {
    fn plan(mut self, report: &mut Report<'_>) -> ChainPlan {
        let (ingress, egress) = self.lists(report);
        let links = self.names(self.chain.links.as_deref(), "links", report);
        self.resolve(&links, "links", report);
        let mut storages = self.names(self.chain.storages.as_deref(), "storages", report);
        self.resolve(&storages, "storages", report);
        if without_repeats(&mut storages) {
            report.warning(&self.path.key("storages"), "a storage is named twice; it is written once");
        }
        let concurrency = self.chain.concurrency.map_or(self.settings.concurrency, Into::into);
        let timeout = timeout(self.chain.timeout, &self.path.key("timeout"), report);
        let retry = self.redelivery(report);
        ChainPlan {
            name: ChainName::new(self.name),
            ingress,
            ceded: Vec::new(),
            links: links.iter().map(LinkName::new).collect(),
            storages: storages.iter().map(StorageName::new).collect(),
            egress,
            dlq: self.chain.dlq.as_ref().map(|list| QueueName::new(&list.0)),
            concurrency,
            weight: self.chain.weight.map_or(1, Into::into),
            timeout,
            retry,
            on_storage_error: match self.chain.on_storage_error {
                Some(OnStorageErrorWord::DeadLetter) => OnStorageError::DeadLetter,
                Some(OnStorageErrorWord::Continue) | None => OnStorageError::Continue,
            },
            blocked: self.blocked,
            stale: None,
        }
    }

    /// The lists it takes from and gives to. In our dialect a chain that names none has two of its own name.
    fn lists(&mut self, report: &mut Report<'_>) -> (Vec<QueueName>, Vec<QueueName>) {
        let mut ingress = self.names(self.chain.ingress_lists.as_deref(), "ingress_lists", report);
        let mut egress = self.names(self.chain.egress_lists.as_deref(), "egress_lists", report);
        if report.dialect() == Dialect::Ours && self.chain.ingress_lists.is_none() {
            ingress.push(format!("{}_ingress", self.name));
            if self.chain.egress_lists.is_none() {
                egress.push(format!("{}_egress", self.name));
            }
        }
        if without_repeats(&mut ingress) {
            report.warning(&self.path.key("ingress_lists"), "a list is named twice; once is enough");
        }
        let dlq = self.chain.dlq.iter().map(|list| ("dlq", &list.0));
        let named = ingress.iter().map(|list| ("ingress_lists", list));
        let named = named.chain(egress.iter().map(|list| ("egress_lists", list))).chain(dlq);
        for (key, list) in named {
            let refused = match list.parse::<QueueName>() {
                Ok(_) if *list == self.settings.sorted_set => NoList::OwnKey(list.clone()),
                Ok(_) => continue,
                Err(refused) => refused,
            };
            let path = item(&self.path.key(key), list, report);
            let message = refused.to_string();
            report.error(&path, message.clone()).hint("the chain does not run, its ids wait");
            self.blocked.get_or_insert(message);
        }
        (ingress.iter().map(QueueName::new).collect(), egress.iter().map(QueueName::new).collect())
    }

    /// Names as they stand in a list. A null list is empty, which the Python server mostly does not survive.
    fn names(&self, list: Option<&[RawName]>, key: &str, report: &mut Report<'_>) -> Vec<String> {
        let entry = report.root().at(&self.path).and_then(|chain| chain.entry(key));
        let is_reference = report.dialect() == Dialect::Reference;
        match (entry, key) {
            (Some(entry), "ingress_lists") if entry.value.is_null() && is_reference => {
                let message = "null is taken as an empty list, where the Python server fails";
                report.quirk_at(&self.path.key(key), entry.mark, message.to_owned());
            }
            (None, "links") if is_reference => {
                let message =
                    "`links` is absent and taken as empty, where the Python server dead-letters every vCon";
                report.warning(&self.path, message).hint("write `links: []`");
            }
            _ => {}
        }
        list.unwrap_or_default().iter().map(|RawName(name)| name.clone()).collect()
    }

    /// Finds each name in the section of the same key; what is not there, or cannot be built, blocks the chain.
    fn resolve(&mut self, names: &[String], section: &str, report: &mut Report<'_>) {
        let (faults, noun) = match section {
            "links" => (&self.adapters.link_faults, "link"),
            _ => (&self.adapters.storage_faults, "storage"),
        };
        let known: Vec<&str> = match section {
            "links" => self.raw.links.keys().map(String::as_str).collect(),
            _ => self.raw.storages.keys().map(String::as_str).collect(),
        };
        for name in names {
            if known.contains(&name.as_str()) {
                if let Some(fault) = faults.get(name) {
                    self.blocked.get_or_insert_with(|| fault.clone());
                }
                continue;
            }
            let message = format!("no {noun} named `{name}`");
            self.blocked.get_or_insert_with(|| message.clone());
            // A section or an entry that is wrong itself was told; this is the consequence.
            if !report.is_wrong(&Path::root().key(section).key(name)) {
                let path = item(&self.path.key(section), name, report);
                let hint = nearest::find(name, known.iter().copied()).map_or_else(
                    || format!("declare it under `{section}:`; the chain does not run, its ids wait"),
                    |near| format!("did you mean `{near}`? the chain does not run, its ids wait"),
                );
                report.error(&path, message).hint(hint);
            }
        }
    }

    fn redelivery(&self, report: &mut Report<'_>) -> RedeliveryOptions {
        let defaults = RedeliveryOptions::default();
        let Some(raw) = &self.chain.retry else { return defaults };
        let path = self.path.key("retry");
        RedeliveryOptions {
            attempts: raw.attempts.map_or(defaults.attempts, Into::into),
            delay: raw.delay.map_or(defaults.delay, |text| report.duration(text, &path.key("delay"))),
            max_delay: raw
                .max_delay
                .map_or(defaults.max_delay, |text| report.duration(text, &path.key("max_delay"))),
            give_up_after: raw
                .give_up_after
                .map_or(defaults.give_up_after, |text| report.duration(text, &path.key("give_up_after"))),
        }
    }
}

/// Keeps the first of equal names; whether there were any.
fn without_repeats(names: &mut Vec<String>) -> bool {
    let before = names.len();
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names.len() < before
}
