//! `migrate`: turns what a Python server left in Redis into what the conserver writes.

use anyhow::Context;
use serde_json::json;

use super::Instance;
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
        let answer = redis.migrate(args.apply, |so_far| progress.set_position(so_far.documents)).await;
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
            let rows = [
                ("documents looked at", found.documents),
                ("documents of the JSON module, to text", found.json_documents),
                ("bare ids in the sorted set, to `vcon:<id>`", found.bare_members),
                ("documents missing in the sorted set", found.missing_members),
                ("ids missing in search sets", found.missing_search_entries),
            ];
            let rows = rows.map(|(what, n)| vec![what.to_owned(), n.to_string()]);
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
