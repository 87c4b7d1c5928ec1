//! `drain`: every id that no live worker holds goes back to its plain list.

use super::Instance;
use crate::cli::{DrainArgs, Global};
use crate::exit::Exit;
use crate::output;
use crate::wiring::Wiring;

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &DrainArgs) -> anyhow::Result<Exit> {
    super::block_on(async {
        let instance = Instance::open(wiring, global)?;
        let queue = &instance.backend.queue;
        let live = queue.workers().await?.iter().filter(|worker| worker.lease_ms > 0).count();
        let drained = queue.drain(&instance.plan.ingress_lists()).await?;
        if args.json {
            output::line(serde_json::to_string(&drained)?);
        } else {
            output::line(format!(
                "returned to the lists: {} delayed, {} suspect, {} parked, {} of lost workers",
                drained.delayed, drained.suspects, drained.parked, drained.abandoned
            ));
            if live > 0 {
                output::note(format!(
                    "{live} workers still run: stop them first if no id shall be delayed or parked again"
                ));
            }
        }
        Ok(Exit::Ok)
    })
}
