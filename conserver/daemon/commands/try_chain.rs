//! `try`: a chain on files, without any queue. Each link runs through the runner of production, as a chain of its own,
//! so that its result can be looked at; documents are kept in memory.

mod shelf;
mod show;

use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use conserver_core::chain::{self, Chain, Job, LoadedDocument, RunEnd};
use conserver_core::config::Plan;
use conserver_core::link::Effect;
use conserver_core::queue::{Entry, Lease, Tries};
use conserver_core::store::Encoding;
use conserver_core::vcon::{Vcon, VconId};
use conserver_core::{ChainName, LinkName};

use self::shelf::Shelf;
use crate::cli::{Global, TryArgs};
use crate::config::File;
use crate::exit::Exit;
use crate::output;
use crate::telemetry;
use crate::wiring::{Built, BuiltChain, Wiring};

/// What one link, or the storages, did.
pub(crate) struct Step {
    /// The link's name; `None` for the storages.
    link: Option<LinkName>,
    took: Duration,
    before: Bytes,
    after: Bytes,
    effects: Vec<Effect>,
    end: RunEnd,
    /// The id the chain goes on with, if it is another.
    switched: Option<VconId>,
}

/// What became of one file.
pub(crate) struct Trial {
    file: String,
    id: VconId,
    steps: Vec<Step>,
    /// The document in the end.
    document: Bytes,
}

impl Trial {
    fn failed(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.end, RunEnd::Failed { .. } | RunEnd::Lost))
    }
}

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &TryArgs) -> anyhow::Result<Exit> {
    let plan = File::read(global)?.for_looking(wiring)?;
    telemetry::start(&plan.settings.log, Some(global.log.as_deref().unwrap_or("error")));
    super::block_on(async {
        let built = wiring.build(&plan)?;
        let chain = find(&plan, built, args)?;
        let mut failures = 0;
        for file in &args.files {
            match trial(&plan, &chain, file, args.store).await {
                Ok(trial) => {
                    failures += usize::from(trial.failed());
                    show::trial(&trial, &chain, args)?;
                }
                Err(error) => {
                    failures += 1;
                    output::error(&error);
                }
            }
        }
        if args.files.len() > 1 {
            output::note(format!("{} files, {failures} failed", args.files.len()));
        }
        Ok(if failures > 0 { Exit::Failed } else { Exit::Ok })
    })
}

/// The chain that is meant, as far as it is to be run.
fn find(plan: &Plan, built: Built, args: &TryArgs) -> anyhow::Result<Chain> {
    let name = ChainName::from(args.chain.as_str());
    let Some(planned) = plan.chains.iter().find(|chain| chain.name == name) else {
        let names: Vec<&str> = plan.chains.iter().map(|chain| chain.name.as_str()).collect();
        anyhow::bail!("no chain named `{name}`; there are: {}", names.join(", "));
    };
    if let Some(why) = &planned.blocked {
        anyhow::bail!("the chain `{name}` cannot be run: {why}");
    }
    let found = built.chains.into_iter().find(|chain| chain.chain.plan.name == name);
    let BuiltChain { mut chain, .. } = found.context("a chain that is not blocked is built")?;
    if let Some(until) = &args.until {
        let at = chain.links.iter().position(|link| link.name().as_str() == until);
        let Some(at) = at else {
            let names: Vec<&str> = chain.links.iter().map(|link| link.name().as_str()).collect();
            anyhow::bail!("the chain `{name}` has no link `{until}`; it has: {}", names.join(", "));
        };
        chain.links.truncate(at + 1);
        chain.storages.clear();
        chain.plan.egress.clear();
    }
    Ok(chain)
}

async fn trial(plan: &Plan, chain: &Chain, file: &str, store: bool) -> anyhow::Result<Trial> {
    let json = Bytes::from(super::read_input(file)?);
    let vcon = Vcon::from_json(json.clone(), &plan.settings.limits());
    let first = vcon.with_context(|| format!("`{file}` holds no vCon"))?.id().clone();
    let shelf = Shelf::new(first.clone(), json);
    let mut trial =
        Trial { file: file.to_owned(), id: first.clone(), steps: Vec::new(), document: Bytes::new() };
    let mut id = first.clone();
    let storing = store && !chain.storages.is_empty();
    for link in chain.links.iter().map(Some).chain(storing.then_some(None)) {
        let part = Chain {
            plan: chain.plan.clone(),
            links: link.into_iter().cloned().collect(),
            storages: if link.is_none() { chain.storages.clone() } else { Vec::new() },
        };
        let step = step(plan, &part, &shelf, &id).await;
        if let Some(other) = &step.switched {
            id = other.clone();
        }
        let goes_on = matches!(step.end, RunEnd::Done);
        trial.steps.push(step);
        if !goes_on {
            break;
        }
    }
    trial.document = shelf.document(&id);
    Ok(trial)
}

/// Runs one link, or the storages.
async fn step(plan: &Plan, part: &Chain, shelf: &Shelf, id: &VconId) -> Step {
    let list = part.plan.ingress.first().cloned().unwrap_or_else(|| "try".into());
    let lease = Lease {
        entry: Entry { list, token: 0, id: id.clone() },
        context: None,
        document_bytes: None,
        tries: Tries::default(),
    };
    let before = shelf.document(id);
    let prefetched = (!before.is_empty())
        .then(|| LoadedDocument::Text { json: before.clone(), encoding: Encoding::default() });
    let limits = plan.settings.limits();
    let job =
        Job { lease: &lease, prefetched, documents: shelf, limits: &limits, shape: plan.settings.body_shape };
    let began = Instant::now();
    let run = chain::run(part, job).await;
    let took = began.elapsed();
    run.documents.iter().for_each(|document| shelf.put(document));
    Step {
        link: part.links.first().map(|link| link.name().clone()),
        took,
        before,
        after: shelf.document(id),
        effects: run.effects,
        switched: (run.id != *id).then_some(run.id),
        end: run.end,
    }
}
