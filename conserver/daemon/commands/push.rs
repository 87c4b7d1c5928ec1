//! `push`: store vCons and put their ids on a list.

use std::time::Duration;

use bytes::Bytes;
use conserver_core::QueueName;
use conserver_core::vcon::{Vcon, VconId};
use serde_json::json;

use super::Instance;
use crate::cli::{Global, PushArgs};
use crate::exit::Exit;
use crate::output;
use crate::wiring::Wiring;

/// Ids are pushed in batches of this many.
const BATCH: usize = 500;
/// More items than this get a progress bar.
const MANY: usize = 10;

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &PushArgs) -> anyhow::Result<Exit> {
    anyhow::ensure!(!args.ids || args.list.is_some(), "--ids needs a list: -l LIST");
    super::block_on(async {
        let instance = Instance::open(wiring, global)?;
        let list = args.list.as_ref();
        let progress = output::progress(args.items.len(), MANY);
        let mut ids = Vec::new();
        let mut failures = Vec::new();
        for item in &args.items {
            match store(&instance, args, item).await {
                Ok(id) => ids.push(id),
                // A file that cannot be read costs the others nothing; a server that is away ends it.
                Err(error) => match error.downcast_ref::<conserver_core::Error>() {
                    Some(cause) if cause.is_unavailable() => return Err(error),
                    _ => failures.push((item.clone(), format!("{error:#}"))),
                },
            }
            progress.inc(1);
        }
        let mut length = None;
        if let Some(list) = list {
            for batch in ids.chunks(BATCH) {
                length = Some(instance.backend.queue.push(list, batch).await?);
            }
        }
        progress.finish_and_clear();
        report(args, list, &ids, &failures, length)?;
        Ok(if failures.is_empty() { Exit::Ok } else { Exit::Failed })
    })
}

/// Stores one file, or takes the argument for an id.
async fn store(instance: &Instance, args: &PushArgs, item: &str) -> anyhow::Result<VconId> {
    if args.ids {
        return Ok(VconId::new(item));
    }
    let json = super::read_input(item)?;
    let settings = &instance.plan.settings;
    let vcon = Vcon::from_json(Bytes::from(json), &settings.limits())?;
    let ttl = args.ttl.or(settings.vcon_expiry).filter(|ttl| *ttl != Duration::ZERO);
    instance.backend.store.put(&vcon, ttl).await?;
    Ok(vcon.id().clone())
}

fn report(
    args: &PushArgs,
    list: Option<&QueueName>,
    ids: &[VconId],
    failures: &[(String, String)],
    length: Option<u64>,
) -> anyhow::Result<()> {
    if args.json {
        let failed: Vec<_> =
            failures.iter().map(|(item, error)| json!({"item": item, "error": error})).collect();
        output::line(serde_json::to_string(
            &json!({"list": list, "ids": ids, "failed": failed, "list_length": length}),
        )?);
        return Ok(());
    }
    for (item, error) in failures {
        output::note(format!("error: {item}: {error}"));
    }
    if let [id] = ids {
        output::line(id.as_str());
    }
    let what = if args.ids { "id" } else { "vCon" };
    let plural = if ids.len() == 1 { "" } else { "s" };
    match (list, length) {
        (Some(list), Some(length)) => {
            output::note(format!("pushed {} {what}{plural} to `{list}` (now {length} waiting)", ids.len()));
        }
        (Some(list), None) => output::note(format!("pushed nothing to `{list}`")),
        (None, _) => output::note(format!("stored {} {what}{plural}; no list was named", ids.len())),
    }
    Ok(())
}
