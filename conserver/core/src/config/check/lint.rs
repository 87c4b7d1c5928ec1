//! What is well formed and probably not meant: loops, things nobody uses, an open door.

use std::collections::hash_map::Entry::Vacant;
use std::collections::{HashMap, HashSet, VecDeque};

use super::chains::item;
use crate::QueueName;
use crate::config::plan::ChainPlan;
use crate::config::raw::RawFile;
use crate::config::report::Report;
use crate::config::yaml::Path;

/// Looks at a plan as a whole.
pub(super) fn lint(raw: &RawFile, chains: &[ChainPlan], report: &mut Report<'_>) {
    unused(raw, report);
    loops(chains, report);
    dead_letters(chains, report);
    if raw.chains.is_empty() && !report.is_wrong(&Path::root().key("chains")) {
        report.warning(&Path::root(), "there are no chains, so there is nothing to do");
    }
}

/// Links and storages that no chain names.
fn unused(raw: &RawFile, report: &mut Report<'_>) {
    let links = raw.used(|chain| &chain.links);
    for name in raw.links.keys().filter(|name| !links.contains(name.as_str())) {
        report.warning(&Path::root().key("links").key(name), "no chain uses this link");
    }
    let storages = raw.used(|chain| &chain.storages);
    for name in raw.storages.keys().filter(|name| !storages.contains(name.as_str())) {
        let message =
            "no chain writes to this storage; it is only read for documents that are missing elsewhere";
        report.warning(&Path::root().key("storages").key(name), message);
    }
}

/// Chains that feed themselves, each in one loop.
fn loops(chains: &[ChainPlan], report: &mut Report<'_>) {
    let mut told: HashSet<usize> = HashSet::new();
    let owner: HashMap<&QueueName, usize> = chains
        .iter()
        .enumerate()
        .flat_map(|(index, chain)| chain.ingress.iter().map(move |list| (list, index)))
        .collect();
    let feeds: Vec<Vec<usize>> = chains
        .iter()
        .map(|chain| chain.egress.iter().filter_map(|list| owner.get(list).copied()).collect())
        .collect();
    for start in 0..chains.len() {
        if told.contains(&start) {
            continue;
        }
        let Some(round) = shortest_round(&feeds, start) else { continue };
        told.extend(&round);
        let names: Vec<&str> =
            round.iter().chain([&start]).map(|&index| chains[index].name.as_str()).collect();
        let next = &chains[*round.get(1).unwrap_or(&start)];
        let list = chains[start].egress.iter().find(|list| next.ingress.contains(list));
        let path = Path::root().key("chains").key(names[0]).key("egress_lists");
        let path = list.map_or_else(|| path.clone(), |list| item(&path, list.as_str(), report));
        let message = format!("the chain feeds itself: {}", names.join(" → "));
        report.warning(&path, message).hint("a vCon goes round for ever unless a link halts it");
    }
}

/// The chains of the shortest way from a chain back to itself, itself first; `feeds` has the next ones of each.
fn shortest_round(feeds: &[Vec<usize>], start: usize) -> Option<Vec<usize>> {
    let mut came_from: HashMap<usize, usize> = HashMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(from) = waiting.pop_front() {
        for &to in &feeds[from] {
            if to == start {
                let mut round = vec![from];
                while let Some(&before) = round.last().and_then(|last| came_from.get(last)) {
                    round.push(before);
                }
                round.reverse();
                return Some(round);
            }
            if let Vacant(place) = came_from.entry(to) {
                place.insert(from);
                waiting.push_back(to);
            }
        }
    }
    None
}

/// Dead letters that are worked on like any other id.
fn dead_letters(chains: &[ChainPlan], report: &mut Report<'_>) {
    for chain in chains {
        let path = Path::root().key("chains").key(chain.name.as_str());
        for list in chain.ingress.iter().filter(|list| list.as_str().starts_with("DLQ:")) {
            let path = item(&path.key("ingress_lists"), list.as_str(), report);
            report
                .warning(&path, "this chain takes dead letters as they come, without their reasons")
                .hint("`conserver dlq` replays them");
        }
        let Some(dlq) = &chain.dlq else { continue };
        if let Some(other) = chains.iter().find(|other| other.ingress.contains(dlq)) {
            let message = format!("dead letters go straight into the chain `{}`", other.name);
            report.warning(&path.key("dlq"), message);
        }
    }
}
