//! `doctor`: looks at the backend, the workers, the lists, the storages and what lies around.

use conserver_core::backend::Gravity;
use serde_json::json;

use super::Instance;
use crate::cli::{DoctorArgs, Global};
use crate::exit::Exit;
use crate::output;
use crate::wiring::{Wiring, dead_letter_lists};

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &DoctorArgs) -> anyhow::Result<Exit> {
    super::block_on(async {
        let instance = Instance::open(wiring, global)?;
        let backend = &instance.backend;
        let kind = backend.inspect.kind();
        let findings = backend.advise(&instance.plan).await?;
        let lists = instance.plan.ingress_lists();
        let status = backend.queue.status(&lists).await?;
        let workers = backend.queue.workers().await?;
        let strays = backend.inspect.strays().await?;
        let mut storages = Vec::new();
        for storage in wiring.storages(&instance.plan)? {
            let answer = storage.check().await.err().map(|error| error.chain());
            storages.push((storage.name().clone(), storage.info().kind, answer));
        }
        let mut dead = Vec::new();
        for list in dead_letter_lists(&instance.plan) {
            dead.push((backend.queue.push(&list, &[]).await?, list));
        }

        if args.json {
            let storages: Vec<_> = storages
                .iter()
                .map(|(name, kind, error)| json!({"name": name, "kind": kind, "error": error}))
                .collect();
            let lists: Vec<_> = lists
                .iter()
                .zip(&status)
                .map(|(list, status)| json!({"list": list, "status": status}))
                .collect();
            let dead: Vec<_> =
                dead.iter().map(|(length, list)| json!({"list": list, "length": length})).collect();
            let all = json!({"redis": findings, "workers": workers, "lists": lists, "dead_letters": dead,
                "strays": strays, "storages": storages});
            output::line(serde_json::to_string_pretty(&all)?);
        }
        let mut concerns = 0;
        let mut say = |good: bool, text: String| {
            concerns += usize::from(!good);
            if !args.json {
                output::line(format!("{}  {text}", if good { "ok  " } else { "LOOK" }));
            }
        };
        for finding in &findings {
            let advice = if finding.advice.is_empty() {
                String::new()
            } else {
                format!("\n        {}", finding.advice)
            };
            say(
                finding.gravity == Gravity::Good,
                format!("{kind} {}: {}{advice}", finding.subject, finding.found),
            );
        }
        for (name, kind, error) in &storages {
            match error {
                None => say(true, format!("storage `{name}` ({kind}) answers")),
                Some(error) => say(false, format!("storage `{name}` ({kind}): {error}")),
            }
        }
        let live = workers.iter().filter(|w| w.lease_ms > 0).count();
        say(live > 0, format!("{live} workers have a lease, {} registered", workers.len()));
        for (list, status) in lists.iter().zip(&status) {
            if status.paused {
                say(false, format!("`{list}` is paused with {} ids waiting", status.queued));
            }
            if status.suspects > 0 {
                say(false, format!("`{list}` has {} suspects: ids whose worker crashed", status.suspects));
            }
        }
        for (length, list) in &dead {
            if *length > 0 {
                say(false, format!("`{list}` has {length} dead letters: `conserver dlq list`"));
            }
        }
        for stray in &strays {
            say(false, format!("`{}` ({} entries): {}", stray.key, stray.entries, stray.meaning));
        }
        if !args.json {
            output::line(match concerns {
                0 => "nothing to worry about".to_owned(),
                1 => "1 thing to look at".to_owned(),
                n => format!("{n} things to look at"),
            });
        }
        Ok(if concerns == 0 { Exit::Ok } else { Exit::Failed })
    })
}
