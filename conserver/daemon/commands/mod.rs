//! A file per command. Each takes its arguments, speaks through `output`, and answers an exit code. `phrase` has the
//! numbers and times that they tell.

pub(crate) mod api;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod dlq;
pub(crate) mod doctor;
pub(crate) mod drain;
pub(crate) mod get;
pub(crate) mod graph;
pub(crate) mod manual;
pub(crate) mod migrate;
mod moment;
mod odd_id;
pub(crate) mod push;
pub(crate) mod queues;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod story;
pub(crate) mod try_chain;
pub(crate) mod validate;
pub(crate) mod worker;

pub(crate) mod phrase;

use std::io::Read;

use anyhow::Context;
use conserver_core::config::Plan;
use conserver_core::store::Loaded;
use conserver_core::vcon::{Vcon, VconId};

use crate::cli::Global;
use crate::config::File;
use crate::telemetry;
use crate::wiring::{Backend, Wiring};

/// What a command that looks at a running instance needs.
struct Instance {
    plan: Plan,
    backend: Backend,
}

impl Instance {
    /// Reads the configuration and names its backend; must be called inside the runtime.
    fn open(wiring: &Wiring, global: &Global) -> anyhow::Result<Self> {
        Self::of(wiring, global, &File::read(global)?)
    }

    /// The same for a file that has been read.
    fn of(wiring: &Wiring, global: &Global, file: &File) -> anyhow::Result<Self> {
        Self::with(wiring, global, file.for_looking(wiring)?)
    }

    /// The same for a plan.
    fn with(wiring: &Wiring, global: &Global, plan: Plan) -> anyhow::Result<Self> {
        telemetry::start(&plan.settings.log, Some(global.log.as_deref().unwrap_or("warn")));
        let backend = wiring.connect(&plan.settings)?;
        Ok(Self { plan, backend })
    }

    /// The working copy of a vCon; `None` if there is none.
    async fn working_copy(&self, id: &VconId) -> anyhow::Result<Option<Vcon>> {
        match self.backend.store.load(std::slice::from_ref(id)).await?.pop() {
            Some(Loaded::Found { json, .. }) => {
                Ok(Some(Vcon::parse(id.clone(), json, &self.plan.settings.limits())?))
            }
            Some(Loaded::Unreadable(error)) => Err(error.into()),
            Some(Loaded::Missing) | None => Ok(None),
        }
    }
}

/// The bytes of a file, or of standard input for `-`.
fn read_input(name: &str) -> anyhow::Result<Vec<u8>> {
    if name == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).context("read standard input")?;
        return Ok(bytes);
    }
    std::fs::read(name).with_context(|| format!("read `{name}`"))
}

/// Runs a short command on a runtime of its own.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")?
        .block_on(future)
}
