//! `queues`: what waits, runs, is delayed, parked, suspect or dead, and why nothing moves.

use std::time::Duration;

use anyhow::Context;
use conserver_core::QueueName;
use conserver_core::config::Plan;
use conserver_core::queue::{ListStatus, Oldest, WorkerStatus};
use serde_json::json;

use super::{Instance, phrase};
use crate::cli::{Global, QueuesArgs};
use crate::exit::Exit;
use crate::notice::Notice;
use crate::output;
use crate::wiring::{Wiring, dead_letter_lists};

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &QueuesArgs) -> anyhow::Result<Exit> {
    super::block_on(async {
        let instance = Instance::open(wiring, global)?;
        let lists: Vec<QueueName> = match &args.chain {
            Some(chain) => lists_of(&instance.plan, chain)?,
            None if args.lists.is_empty() => instance.plan.ingress_lists(),
            None => args.lists.clone(),
        };
        if args.pause || args.resume {
            return set_paused(&instance, &lists, args.pause).await;
        }
        let all = args.chain.is_none() && args.lists.is_empty();
        loop {
            let seen = Seen::look(&instance, &lists, all).await?;
            if args.watch && output::is_watched() && !args.json {
                output::clear();
            }
            if args.json {
                output::line(serde_json::to_string(&seen.json()?)?);
            } else {
                seen.show(&instance.plan, args.watch);
            }
            if !args.watch {
                return Ok(Exit::Ok);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            if !output::is_watched() && !args.json {
                output::line("");
            }
        }
    })
}

/// The lists that a chain takes from. One that belongs to another chain is said, and left out.
fn lists_of(plan: &Plan, name: &str) -> anyhow::Result<Vec<QueueName>> {
    let chain = plan.chain(name).with_context(|| {
        let names: Vec<String> = plan.chains.iter().map(|chain| format!("`{}`", chain.name)).collect();
        format!("no chain `{name}` takes from a list; there is {}", names.join(", "))
    })?;
    for (list, owner) in &chain.ceded {
        output::note(format!(
            "`{list}` belongs to the chain `{owner}`, which names it after `{name}`: left alone"
        ));
    }
    Ok(chain.ingress.clone())
}

async fn set_paused(instance: &Instance, lists: &[QueueName], paused: bool) -> anyhow::Result<Exit> {
    for list in lists {
        let changed = instance.backend.queue.set_paused(list, paused).await?;
        output::line(match (paused, changed) {
            (true, true) => format!(
                "`{list}` is paused: nothing is claimed from it until `conserver queues --resume {list}`"
            ),
            (true, false) => format!("`{list}` was paused already"),
            (false, true) => format!("`{list}` is resumed"),
            (false, false) => format!("`{list}` was not paused"),
        });
    }
    Ok(Exit::Ok)
}

/// How everything stands.
struct Seen {
    lists: Vec<(QueueName, ListStatus)>,
    /// Dead-letter lists that are no ingress list's `DLQ:<list>`: those of storages, and those that chains name.
    dead: Vec<(QueueName, u64)>,
    workers: Vec<WorkerStatus>,
    notice: Notice,
}

impl Seen {
    async fn look(instance: &Instance, lists: &[QueueName], all: bool) -> anyhow::Result<Self> {
        let backend = &instance.backend;
        let status = backend.queue.status(lists).await?;
        let mut dead = Vec::new();
        if all {
            let mut others = dead_letter_lists(&instance.plan);
            others.retain(|dlq| lists.iter().all(|list| list.dead_letters() != *dlq));
            for dlq in others {
                dead.push((dlq.clone(), backend.queue.push(&dlq, &[]).await?));
            }
        }
        Ok(Self {
            lists: lists.iter().cloned().zip(status).collect(),
            dead,
            workers: backend.queue.workers().await?,
            notice: Notice::read(backend).await?,
        })
    }

    fn json(&self) -> serde_json::Result<serde_json::Value> {
        let lists: serde_json::Map<_, _> = self
            .lists
            .iter()
            .map(|(list, status)| Ok((list.as_str().to_owned(), serde_json::to_value(status)?)))
            .collect::<serde_json::Result<_>>()?;
        let dead: serde_json::Map<_, _> =
            self.dead.iter().map(|(list, length)| (list.as_str().to_owned(), (*length).into())).collect();
        let Notice { not_run, outages, .. } = &self.notice;
        Ok(json!({"lists": lists, "dead_letters": dead, "workers": self.workers, "not_run": not_run,
            "held_up": outages.held_up}))
    }

    fn show(&self, plan: &Plan, with_rates: bool) {
        let head = [
            "list", "waiting", "running", "delayed", "parked", "suspect", "dead", "oldest", "per s", "state",
        ];
        let mut rows: Vec<Vec<String>> =
            self.lists.iter().map(|(list, status)| self.row(plan, list, status)).collect();
        for (list, length) in &self.dead {
            let mut row = vec!["-".to_owned(); 7];
            row[0] = list.to_string();
            row[6] = length.to_string();
            row.extend([String::new(), "-".to_owned(), String::new()]);
            rows.push(row);
        }
        let rates = head.iter().position(|name| *name == "per s").filter(|_| !with_rates);
        let head: Vec<&str> =
            head.into_iter().enumerate().filter(|(n, _)| Some(*n) != rates).map(|(_, name)| name).collect();
        if let Some(rates) = rates {
            rows.iter_mut().for_each(|row| drop(row.remove(rates)));
        }
        output::table(&head, &rows);
        output::line("");
        output::line(super::doctor::workers(&self.workers).1);
    }

    fn row(&self, plan: &Plan, list: &QueueName, status: &ListStatus) -> Vec<String> {
        let s = status;
        let mut row = vec![list.to_string()];
        row.extend([s.queued, s.in_flight, s.delayed, s.parked, s.suspects, s.dead].map(|n| n.to_string()));
        row.push(s.oldest.as_ref().map(age).unwrap_or_default());
        row.push(
            self.notice
                .settled
                .get(list.as_str())
                .map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}")),
        );
        row.push(self.state(plan, list, status));
        row
    }

    /// Why nothing moves.
    fn state(&self, plan: &Plan, list: &QueueName, status: &ListStatus) -> String {
        let mut state = Vec::new();
        if status.paused {
            state.push("paused".to_owned());
        }
        match plan.chains.iter().find(|chain| chain.ingress.contains(list)) {
            None => state.push("no chain takes from it".to_owned()),
            Some(chain) => {
                let name = chain.name.as_str();
                if self.notice.not_run.contains_key(name)
                    || self.notice.instances == 0 && chain.blocked.is_some()
                {
                    state.push("not run".to_owned());
                }
                if let Some(held) = self.notice.outages.held_up.iter().find(|held| held.chain == name) {
                    state.push(format!("held up by {}", held.by));
                }
            }
        }
        state.join(", ")
    }
}

/// An age that fits its column; a question mark where nobody knows it.
fn age(oldest: &Oldest) -> String {
    oldest.age_ms.map_or_else(|| "?".to_owned(), |ms| phrase::age(ms / 1000))
}
