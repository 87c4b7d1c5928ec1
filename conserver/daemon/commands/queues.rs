//! `queues`: what waits, runs, is delayed, parked, suspect or dead.

use std::time::Duration;

use anyhow::Context;
use conserver_core::QueueName;
use conserver_core::config::Plan;
use conserver_core::queue::{ListStatus, Oldest};
use serde_json::json;

use super::Instance;
use crate::cli::{Global, QueuesArgs};
use crate::exit::Exit;
use crate::output;
use crate::wiring::Wiring;

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
        loop {
            let status = instance.backend.queue.status(&lists).await?;
            let workers = instance.backend.queue.workers().await?;
            if args.json {
                let lists: serde_json::Map<_, _> = lists
                    .iter()
                    .zip(&status)
                    .map(|(list, status)| Ok((list.as_str().to_owned(), serde_json::to_value(status)?)))
                    .collect::<serde_json::Result<_>>()?;
                output::line(serde_json::to_string(&json!({"lists": lists, "workers": workers}))?);
            } else {
                show(&lists, &status);
                let live = workers.iter().filter(|worker| worker.lease_ms > 0).count();
                output::line(format!("\n{live} of {} registered workers have a lease", workers.len()));
            }
            if !args.watch {
                return Ok(Exit::Ok);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            output::line("");
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

fn show(lists: &[QueueName], status: &[ListStatus]) {
    let head = ["list", "waiting", "running", "delayed", "parked", "suspect", "dead", "oldest", ""];
    let rows: Vec<Vec<String>> = lists
        .iter()
        .zip(status)
        .map(|(list, s)| {
            let numbers = [s.queued, s.in_flight, s.delayed, s.parked, s.suspects, s.dead];
            let mut row = vec![list.to_string()];
            row.extend(numbers.iter().map(u64::to_string));
            row.push(s.oldest.as_ref().map(age).unwrap_or_default());
            row.push(if s.paused { "paused".to_owned() } else { String::new() });
            row
        })
        .collect();
    output::table(&head, &rows);
}

/// An age in the largest unit of which there are two; a question mark where nobody knows it.
fn age(oldest: &Oldest) -> String {
    let Some(seconds) = oldest.age_ms.map(|ms| ms / 1000) else { return "?".to_owned() };
    let units = [("d", 86_400), ("h", 3600), ("m", 60)];
    let unit = units.into_iter().find(|(_, length)| seconds >= 2 * length);
    unit.map_or_else(|| format!("{seconds}s"), |(name, length)| format!("{}{name}", seconds / length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use conserver_core::queue::Since;

    #[test]
    fn ages_fit_their_column() {
        let shown = |age_ms| age(&Oldest { id: "a".into(), age_ms, since: Since::Put });
        let seconds = [0, 119, 120, 7199, 7200, 172_799, 172_800];
        let ages = seconds.map(|seconds| shown(Some(seconds * 1000)));
        assert_eq!(ages, ["0s", "119s", "2m", "119m", "2h", "47h", "2d"]);
        assert_eq!(shown(None), "?");
    }
}
