//! `doctor`: looks at the backend, the instances and their workers, chains, lists, storages, and what lies around.

use std::collections::BTreeMap;

use conserver_core::backend::{Advice, Gravity, Stray};
use conserver_core::config::Plan;
use conserver_core::queue::{ListStatus, WorkerStatus};
use conserver_core::{QueueName, StorageName};
use futures::future::join_all;
use serde_json::json;

use super::Instance;
use super::phrase::many;
use crate::cli::{DoctorArgs, Global};
use crate::exit::Exit;
use crate::notice::Notice;
use crate::output;
use crate::wiring::{Wiring, dead_letter_lists, known_lists};

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &DoctorArgs) -> anyhow::Result<Exit> {
    super::block_on(async {
        let instance = Instance::open(wiring, global)?;
        let seen = Seen::look(wiring, &instance).await?;
        let said = seen.findings(&instance.plan);
        if args.json {
            output::line(serde_json::to_string_pretty(&seen.json(&instance.plan))?);
        } else {
            for (good, text) in &said {
                output::line(format!("{}  {text}", if *good { "ok  " } else { "WARN" }));
            }
        }
        let concerns = said.iter().filter(|(good, _)| !good).count();
        if !args.json {
            output::line(match concerns {
                0 => "nothing to worry about".to_owned(),
                n => format!("{} to look at", many(n as u64, "thing")),
            });
        }
        Ok(if concerns == 0 { Exit::Ok } else { Exit::Failed })
    })
}

/// All that was looked at.
struct Seen {
    kind: &'static str,
    backend: Vec<Advice>,
    storages: Vec<Answer>,
    workers: Vec<WorkerStatus>,
    notice: Notice,
    lists: Vec<List>,
    dead: Vec<(QueueName, u64)>,
    /// Lists with ids that nothing in the configuration names.
    strangers: Vec<(QueueName, u64)>,
    strays: Vec<Stray>,
}

/// What a storage answers.
struct Answer {
    name: StorageName,
    kind: &'static str,
    error: Option<String>,
}

/// An ingress list, and why ids of it are delayed.
struct List {
    name: QueueName,
    status: ListStatus,
    why_delayed: Option<String>,
}

impl Seen {
    async fn look(wiring: &Wiring, instance: &Instance) -> anyhow::Result<Self> {
        let (plan, backend) = (&instance.plan, &instance.backend);
        let findings = backend.advise(plan).await?;
        let names = plan.ingress_lists();
        let mut lists = Vec::new();
        for (name, status) in names.iter().cloned().zip(backend.queue.status(&names).await?) {
            let why_delayed = match status.delayed {
                0 => None,
                _ => backend.queue.why_delayed(&name).await?,
            };
            lists.push(List { name, status, why_delayed });
        }
        let storages = wiring.storages(plan)?;
        let storages = storages.iter().map(async |storage| Answer {
            name: storage.name().clone(),
            kind: storage.info().kind,
            error: storage.check().await.err().map(|error| error.chain()),
        });
        let mut dead = Vec::new();
        for list in dead_letter_lists(plan) {
            dead.push((list.clone(), backend.queue.push(&list, &[]).await?));
        }
        let known = known_lists(wiring, plan);
        let mut strangers = backend.queue.lists().await?;
        strangers.retain(|(list, _)| !known.contains(list));
        Ok(Self {
            kind: backend.inspect.kind(),
            backend: findings,
            storages: join_all(storages).await,
            workers: backend.queue.workers().await?,
            notice: Notice::read(backend).await?,
            lists,
            dead,
            strangers,
            strays: backend.inspect.strays().await?,
        })
    }

    /// What is well and what is not, in words.
    fn findings(&self, plan: &Plan) -> Vec<(bool, String)> {
        let mut said = Vec::new();
        for finding in &self.backend {
            let advice = match &*finding.advice {
                "" => String::new(),
                advice => format!("\n        {advice}"),
            };
            let text = format!("{} {}: {}{advice}", self.kind, finding.subject, finding.found);
            said.push((finding.gravity == Gravity::Good, text));
        }
        for Answer { name, kind, error } in &self.storages {
            said.push(match error {
                None => (true, format!("storage `{name}` ({kind}) answers")),
                Some(error) => (false, format!("storage `{name}` ({kind}): {error}")),
            });
        }
        said.push(workers(&self.workers));
        let concerns = [self.breakers(), self.chains(plan), self.of_lists()].concat();
        said.extend(concerns.into_iter().map(|text| (false, text)));
        said
    }

    fn breakers(&self) -> Vec<String> {
        let guards = self.notice.outages.guards.iter().map(|guard| {
            format!(
                "{} `{}`: breaker open for {} s in {}: {}",
                guard.kind.as_str(),
                guard.name,
                guard.open_ms / 1000,
                many(guard.open_in as u64, "worker"),
                guard.why
            )
        });
        let held_up = self.notice.outages.held_up.iter().map(|held| {
            format!(
                "chain `{}` waits for `{}` in {}",
                held.chain,
                held.by,
                many(held.workers as u64, "worker")
            )
        });
        guards.chain(held_up).collect()
    }

    /// Chains that do not run. What instances say counts; without any, what the file says.
    fn chains(&self, plan: &Plan) -> Vec<String> {
        let mut said = Vec::new();
        for chain in &plan.chains {
            let name = chain.name.as_str();
            let waiting: Vec<String> = self
                .lists
                .iter()
                .filter(|list| list.status.queued > 0 && chain.ingress.contains(&list.name))
                .map(|List { name, status, .. }| {
                    format!(
                        "; {} on `{name}`",
                        if status.queued == 1 {
                            "1 id waits".to_owned()
                        } else {
                            format!("{} wait", many(status.queued, "id"))
                        }
                    )
                })
                .collect();
            match (self.notice.not_run.get(name), &chain.blocked) {
                (Some(why), _) => {
                    said.push(format!("chain `{name}` does not run: {why}{}", waiting.concat()))
                }
                (None, Some(why)) if self.notice.instances == 0 => {
                    said.push(format!("chain `{name}` cannot run: {why}{}", waiting.concat()));
                }
                (None, Some(why)) => {
                    said.push(format!("chain `{name}` runs as it was before its file had a mistake: {why}"));
                }
                (None, None) => {}
            }
        }
        said
    }

    fn of_lists(&self) -> Vec<String> {
        let mut said = Vec::new();
        for List { name, status, why_delayed } in &self.lists {
            if status.paused {
                said.push(format!("`{name}` is paused, {} waiting", many(status.queued, "id")));
            }
            if status.delayed > 0 {
                let why = why_delayed.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
                said.push(format!(
                    "`{name}` has {} delayed after a failure{why}",
                    many(status.delayed, "id")
                ));
            }
            if status.suspects > 0 {
                let suspects = many(status.suspects, "suspect");
                said.push(format!("`{name}` has {suspects}: a worker crashed while it ran them"));
            }
        }
        for (list, length) in self.dead.iter().filter(|(_, length)| *length > 0) {
            said.push(format!("`{list}` has {}: `conserver dlq list`", many(*length, "dead letter")));
        }
        for (list, length) in &self.strangers {
            said.push(format!("`{list}` has {}, and no chain takes from it", many(*length, "id")));
        }
        for stray in &self.strays {
            said.push(format!("`{}` ({}): {}", stray.key, plural_entries(stray.entries), stray.meaning));
        }
        said
    }

    fn json(&self, plan: &Plan) -> serde_json::Value {
        let storages = self
            .storages
            .iter()
            .map(|Answer { name, kind, error }| json!({"name": name, "kind": kind, "error": error}));
        let lists = self.lists.iter().map(
            |List { name, status, why_delayed }| json!({"list": name, "status": status, "why_delayed": why_delayed}),
        );
        let lengths = |lists: &[(QueueName, u64)]| -> Vec<_> {
            lists.iter().map(|(list, length)| json!({"list": list, "length": length})).collect()
        };
        let mut not_run: BTreeMap<&str, &str> = BTreeMap::new();
        if self.notice.instances == 0 {
            not_run.extend(
                plan.chains.iter().filter_map(|chain| Some((chain.name.as_str(), chain.blocked.as_deref()?))),
            );
        }
        not_run.extend(self.notice.not_run.iter().map(|(chain, why)| (chain.as_str(), why.as_str())));
        json!({
            "redis": self.backend,
            "workers": self.workers,
            "lists": lists.collect::<Vec<_>>(),
            "dead_letters": lengths(&self.dead),
            "unserved": lengths(&self.strangers),
            "strays": self.strays,
            "storages": storages.collect::<Vec<_>>(),
            "not_run": not_run,
            "outages": self.notice.outages,
        })
    }
}

fn plural_entries(entries: u64) -> String {
    super::phrase::plural(entries, "entry", "entries")
}

/// Whether those who are registered are alive, and so in words.
pub(super) fn workers(workers: &[WorkerStatus]) -> (bool, String) {
    if workers.is_empty() {
        return (false, "no worker runs: start `conserver run`".to_owned());
    }
    let (live, silent): (Vec<_>, Vec<_>) = workers.iter().partition(|worker| worker.lease_ms > 0);
    if silent.is_empty() {
        return (true, format!("{}, alive", many(live.len() as u64, "worker")));
    }
    let silent: Vec<String> = silent.iter().map(|worker| said_of(worker)).collect();
    (
        false,
        format!("{} of {} alive; {}", live.len(), many(workers.len() as u64, "worker"), silent.join(", ")),
    )
}

fn said_of(worker: &WorkerStatus) -> String {
    // Each renewal puts the end of the lease so far ahead.
    let silent = (conserver_core::queue::LEASE.as_millis() as i64 - worker.lease_ms) / 1000;
    format!("{}:{} has not reported for {silent} s", worker.info.host, worker.info.pid)
}
