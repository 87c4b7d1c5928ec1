//! `api`: the HTTP side in a process of its own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Instance;
use crate::cli::{ApiArgs, Global};
use crate::exit::Exit;
use crate::figures::{self, Snapshot};
use crate::identity;
use crate::telemetry::Exports;
use crate::wiring::Wiring;
use crate::worker::inbox::{self, Message};

/// A worker that has neither claimed nor proved its lists empty for this long is not ready.
const STALE: Duration = Duration::from_secs(10);

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &ApiArgs) -> anyhow::Result<Exit> {
    let global = Global { log: global.log.clone().or_else(|| Some("info".to_owned())), ..global.clone() };
    let inbox = args.supervised.then(inbox::listen).transpose().context("listen to the supervisor")?;
    args.supervised.then(figures::report).transpose().context("speak to the supervisor")?;
    super::block_on(async {
        let instance = Instance::open(wiring, &global)?;
        let settings = &instance.plan.settings;
        let _exports = Exports::start(settings, (!args.supervised).then_some(figures::of_this_process));
        // Alone, it looks at the lists itself; else the supervisor tells what it and the workers know.
        let plans = watch::Sender::new(instance.plan.clone());
        if !args.supervised {
            tokio::spawn(figures::watch(instance.backend.clone(), plans.subscribe()));
        }
        let (told, newest) = watch::channel(None);
        let supervised = inbox.is_some();
        let stop = stopped(inbox, told);
        let address = args.listen.clone().unwrap_or_else(|| settings.api.listen.clone());
        let state = conserver_api::State {
            queue: instance.backend.queue.clone(),
            realm: identity::realm(),
            stale_after: STALE,
            figures: Arc::new(move || match &*newest.borrow() {
                Some(figures) => figures::text(figures),
                None if supervised => String::new(),
                None => figures::text(&figures::of_this_process()),
            }),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            root_path: settings.api.root_path.clone(),
        };
        let listener = tokio::net::TcpListener::bind(&address).await.with_context(|| {
            format!("cannot listen on `{address}` (choose another with --listen or CONSERVER_LISTEN, or run with --no-api)")
        })?;
        tracing::info!(address = %listener.local_addr()?, "API listening");
        conserver_api::serve(listener, state, stop).await?;
        figures::flush();
        Ok(Exit::Ok)
    })
}

/// What the supervisor says.
type Inbox = tokio::sync::mpsc::UnboundedReceiver<Message>;

/// Completes when it is time to end: a signal, or the end of the supervisor. Until then it takes what that one tells.
async fn stopped(inbox: Option<Inbox>, told: watch::Sender<Option<Snapshot>>) {
    let supervised = inbox.is_some();
    let wait = async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv(), if !supervised => {}
            () = listen(inbox, told) => {}
        }
        std::io::Result::Ok(())
    };
    if let Err(error) = wait.await {
        tracing::error!(%error, "cannot listen for signals");
    }
}

async fn listen(inbox: Option<Inbox>, told: watch::Sender<Option<Snapshot>>) {
    let Some(mut inbox) = inbox else { return std::future::pending().await };
    while let Some(message) = inbox.recv().await {
        if let Message::Figures(figures) = message {
            told.send_replace(Some(figures));
        }
    }
}
