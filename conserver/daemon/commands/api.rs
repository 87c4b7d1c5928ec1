//! `api`: the HTTP side in a process of its own.

use std::time::Duration;

use anyhow::Context;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

use super::Instance;
use crate::cli::{ApiArgs, Global};
use crate::exit::Exit;
use crate::identity;
use crate::wiring::Wiring;

/// A worker that has neither claimed nor proved its lists empty for this long is not ready.
const STALE: Duration = Duration::from_secs(10);

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &ApiArgs) -> anyhow::Result<Exit> {
    let global = Global { log: global.log.clone().or_else(|| Some("info".to_owned())), ..global.clone() };
    super::block_on(async {
        let instance = Instance::open(wiring, &global)?;
        let settings = &instance.plan.settings;
        let address = args.listen.clone().unwrap_or_else(|| settings.api.listen.clone());
        let state = conserver_api::State {
            queue: instance.backend.queue.clone(),
            realm: identity::realm(),
            stale_after: STALE,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            root_path: settings.api.root_path.clone(),
        };
        let listener = tokio::net::TcpListener::bind(&address).await.with_context(|| {
            format!("cannot listen on `{address}` (choose another with --listen or CONSERVER_LISTEN, or run with --no-api)")
        })?;
        tracing::info!(address = %listener.local_addr()?, "API listening");
        conserver_api::serve(listener, state, stopped(args.supervised)).await?;
        Ok(Exit::Ok)
    })
}

/// Completes when it is time to end: a signal, or the end of the supervisor.
async fn stopped(supervised: bool) {
    let wait = async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv(), if !supervised => {}
            _ = end_of_input(), if supervised => {}
        }
        std::io::Result::Ok(())
    };
    if let Err(error) = wait.await {
        tracing::error!(%error, "cannot listen for signals");
    }
}

async fn end_of_input() {
    let mut input = tokio::io::stdin();
    let mut buffer = [0; 64];
    while matches!(input.read(&mut buffer).await, Ok(n) if n > 0) {}
}
