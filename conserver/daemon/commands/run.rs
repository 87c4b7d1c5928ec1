//! `run`: the supervisor.

use crate::cli::{Global, RunArgs};
use crate::config::File;
use crate::exit::Exit;
use crate::figures::Instance;
use crate::supervisor::{Options, Supervisor};
use crate::telemetry::{self, Exports};
use crate::wiring::Wiring;
use crate::worker::inbox;

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &RunArgs) -> anyhow::Result<Exit> {
    let file = File::read(global)?;
    let (mut plan, problems) = file.for_start(wiring, args.lenient)?;
    telemetry::start(&plan.settings.log, global.log.as_deref());
    let instance = Instance::default();
    let figures = instance.clone();
    // Dropped last: what the children counted to their end goes, too.
    let _exports = Exports::start(&plan.settings, Some(move || figures.figures()));
    if let Some(workers) = args.workers {
        anyhow::ensure!(workers > 0, "--workers must be at least 1");
        plan.settings.workers = workers;
    }
    let listen =
        (!args.no_api).then(|| args.listen.clone().unwrap_or_else(|| plan.settings.api.listen.clone()));
    let owner = args.supervised.then(inbox::listen).transpose()?;
    let options = Options { problems, listen, log: global.log.clone(), instance, owner };
    super::block_on(async { Supervisor::new(wiring.clone(), file, plan, options)?.run().await })
}
