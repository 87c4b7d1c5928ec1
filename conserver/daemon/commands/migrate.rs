//! `migrate`: turns what a Python server left in Redis into what the conserver writes.

use anyhow::Context;
use conserver_core::Error;
use conserver_core::vcon::VconId;
use serde_json::json;

use super::Instance;
use super::get::first_of;
use crate::cli::{Global, MigrateArgs};
use crate::exit::Exit;
use crate::output;
use crate::wiring::Wiring;

/// Problems that are told one by one.
const TOLD: usize = 20;

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &MigrateArgs) -> anyhow::Result<Exit> {
    super::block_on(async {
        let instance = Instance::open(wiring, global)?;
        let redis = instance.backend.redis.as_ref().with_context(|| {
            format!(
                "`migrate` is for a Redis that a Python server filled; this configuration keeps everything in `{}`, \
                 which has nothing to migrate",
                instance.backend.shown
            )
        })?;
        let progress = output::counting("documents");
        let storages = if args.prune { wiring.storages(&instance.plan)? } else { Vec::new() };
        let is_stored = async |id: &VconId| Ok(first_of(&storages, id).await?.is_some());
        let answer = async {
            let mut found =
                redis.migrate(args.apply, |so_far| progress.set_position(so_far.documents)).await?;
            if args.prune {
                redis.prune(args.apply, &mut found, is_stored, |_| progress.tick()).await?;
            }
            Ok::<_, Error>(found)
        };
        let answer = answer.await;
        progress.finish_and_clear();
        let found = answer.inspect_err(|_| {
            if args.apply {
                output::note("every document is whole; run it again to go on");
            }
        })?;
        if args.json {
            let mut all = json!({"applied": args.apply});
            if let (Some(all), serde_json::Value::Object(found)) = (all.as_object_mut(), json!(found)) {
                all.extend(found);
            }
            output::line(serde_json::to_string(&all)?);
        } else {
            let mut rows = vec![
                ("documents looked at", found.documents),
                ("documents of the JSON module, to text", found.json_documents),
                ("bare ids in the sorted set, to `vcon:<id>`", found.bare_members),
                ("documents missing in the sorted set", found.missing_members),
                ("ids missing in search sets", found.missing_search_entries),
            ];
            if args.prune {
                rows.extend([
                    ("ids of no document in the sorted set, out", found.stale_members),
                    ("ids of no document in search sets, out", found.stale_search_entries),
                    ("expired in Redis and kept: they are in a storage", found.stored_elsewhere),
                ]);
            }
            let rows: Vec<_> =
                rows.into_iter().map(|(what, n)| vec![what.to_owned(), n.to_string()]).collect();
            output::table(&["what", if args.apply { "done" } else { "found" }], &rows);
            for problem in found.problems.iter().take(TOLD) {
                output::note(format!("left as it is: `{}`: {}", problem.key, problem.error));
            }
            if found.problems.len() > TOLD {
                output::note(format!("and {} more: --json has them all", found.problems.len() - TOLD));
            }
            if found.is_nothing() {
                output::note("nothing to do");
            } else if !args.apply {
                output::note("nothing was written: stop Python servers that use RedisJSON, then say --apply");
            }
        }
        Ok(if found.problems.is_empty() { Exit::Ok } else { Exit::Failed })
    })
}
