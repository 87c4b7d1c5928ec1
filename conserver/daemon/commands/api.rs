//! `api`: the HTTP side in a process of its own.

use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use anyhow::Context;
use conserver_api::{ConfigFile, Feed, Parts, Standing, State, Tls};
use conserver_core::config::env;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Instance;
use crate::cli::{ApiArgs, Global};
use crate::config::File;
use crate::exit::Exit;
use crate::figures::{self, Meter, Snapshot, Told};
use crate::identity;
use crate::telemetry::Exports;
use crate::wiring::Wiring;
use crate::worker::inbox::{self, Message};

/// A worker that has neither claimed nor proved its lists empty for this long is not ready.
const STALE: Duration = Duration::from_secs(10);
/// How often keys and files are looked at.
const RELOAD: Duration = Duration::from_secs(1);

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &ApiArgs) -> anyhow::Result<Exit> {
    let global = Global { log: global.log.clone().or_else(|| Some("info".to_owned())), ..global.clone() };
    let mut inbox = args.supervised.then(inbox::listen).transpose().context("listen to the supervisor")?;
    args.supervised.then(figures::report).transpose().context("speak to the supervisor")?;
    let file = match &mut inbox {
        None => File::read(&global)?,
        Some(inbox) => match told_file(inbox) {
            Some(file) => file,
            None => return Ok(Exit::Ok),
        },
    };
    let plan =
        if args.supervised { file.for_child(wiring)? } else { file.for_start(wiring, args.lenient)?.0 };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(async {
        let instance = Instance::with(wiring, &global, plan)?;
        let settings = &instance.plan.settings;
        let _exports = Exports::start(settings, (!args.supervised).then_some(figures::of_this_process));
        // Alone, it looks at the lists itself; else the supervisor tells what it and the workers know.
        let plans = watch::Sender::new(instance.plan.clone());
        if !args.supervised {
            tokio::spawn(figures::watch(instance.backend.clone(), plans.subscribe()));
        }
        let (told, newest) = watch::channel(None);
        let (supervised, feed) = (inbox.is_some(), Feed::default());
        let stop = stopped(inbox, told, feed.clone());
        let config = ConfigFile {
            path: file.path.clone(),
            given: (!file.lasts).then(|| file.text.clone().into()),
            vars: Arc::new(env::Process),
            registry: wiring.registry().clone(),
        };
        let state = State::new(Parts {
            queue: instance.backend.queue.clone(),
            store: instance.backend.store.clone(),
            intake: instance.backend.intake.clone(),
            directory: instance.backend.directory.clone(),
            chronicle: instance.backend.chronicle.clone(),
            storages: wiring.storages(&instance.plan)?,
            plan: instance.plan.clone(),
            file: Some(config.clone()),
            realm: identity::realm(),
            stale_after: STALE,
            figures: Arc::new(move || match &*newest.borrow() {
                Some(figures) => figures::text(figures),
                None if supervised => String::new(),
                None => figures::text(&figures::of_this_process()),
            }),
            feed: feed.clone(),
        });
        let address = address(&state, args.listen.as_ref().unwrap_or(&settings.api.listen));
        let tls = settings.api.tls.as_ref().map(Tls::new).transpose();
        let tls = tls.map_err(|error| anyhow::anyhow!("cannot speak TLS (`api.tls`): {error}"))?;
        let listener = tokio::net::TcpListener::bind(&address).await.with_context(|| {
            format!("cannot listen on `{address}` (choose another with --listen or CONSERVER_LISTEN, or run with --no-api)")
        })?;
        tracing::info!(address = %listener.local_addr()?, tls = tls.is_some(), "API listening");
        let mut services = JoinSet::new();
        services.spawn(reload(state.clone(), config, tls.clone()));
        services.spawn(state.clone().pulse());
        services.spawn(state.clone().tend());
        let stop = async {
            stop.await;
            // Streams of events would keep the server from ending.
            feed.close();
        };
        conserver_api::serve(listener, conserver_api::app(state), tls, stop).await?;
        services.shutdown().await;
        figures::flush();
        Ok(Exit::Ok)
    })
}

/// Where to listen: without a key nobody else's machine may come in.
fn address(state: &State, wanted: &str) -> String {
    let Some((host, port)) = wanted.rsplit_once(':').filter(|_| state.is_open()) else {
        return wanted.to_owned();
    };
    let is_local = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
    if is_local {
        return wanted.to_owned();
    }
    tracing::warn!(
        wanted,
        "no API key is configured, so the API stays on this machine; \
         set CONSERVER_API_TOKEN or `api: {{keys: …}}` to open it"
    );
    format!("127.0.0.1:{port}")
}

/// Takes over keys, lists, limits, storages and certificates when the file, or a file that it or a variable names, has
/// changed.
async fn reload(state: State, file: ConfigFile, tls: Option<Tls>) {
    let (mut draft, mut taken) = (None, None);
    loop {
        tokio::time::sleep(RELOAD).await;
        if let Some(tls) = tls.clone()
            && let Ok(renewed) = tokio::task::spawn_blocking(move || tls.renew()).await
        {
            match renewed {
                Ok(true) => tracing::info!("the certificate was renewed"),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(error, "the changed certificate cannot be used; the old one stays")
                }
            }
        }
        let again = file.clone();
        let Ok(Ok(loaded)) = tokio::task::spawn_blocking(move || again.load()).await else { continue };
        // What was seen once may be half written.
        let seen = (loaded.plan.clone(), loaded.problems.clone());
        if draft.as_ref() != Some(&seen) {
            draft = Some(seen);
            continue;
        }
        if taken == draft {
            continue;
        }
        taken.clone_from(&draft);
        let again = file.clone();
        let whole = tokio::task::spawn_blocking(move || again.load_whole()).await;
        let Ok(Ok(whole)) = whole else { continue };
        let renewed = match whole.for_reload(&state.plan()) {
            Some(plan) => state.renew(plan, &file.registry).map_err(|error| error.chain()),
            None => Err(whole
                .problems
                .iter()
                .find(|p| p.is_error())
                .map(|p| format!("{p:#}"))
                .unwrap_or_default()),
        };
        match renewed {
            Ok(true) => tracing::info!("the API took up the changed configuration"),
            Ok(false) => {}
            Err(error) => tracing::error!(error, "the API goes on with the configuration that it has"),
        }
    }
}

/// The configuration that the supervisor hands over before anything else; `None` if it is gone.
fn told_file(inbox: &mut Inbox) -> Option<File> {
    loop {
        match inbox.blocking_recv()? {
            Message::Configure { file, text } => {
                let path = std::path::PathBuf::from(file);
                return Some(File { lasts: path.is_file(), path, text });
            }
            Message::Hurry => return None,
            Message::News(_) => {}
        }
    }
}

/// What the supervisor says.
type Inbox = tokio::sync::mpsc::UnboundedReceiver<Message>;

/// Completes when it is time to end: a signal, or the end of the supervisor. Until then it takes what that one tells.
async fn stopped(inbox: Option<Inbox>, told: watch::Sender<Option<Snapshot>>, feed: Feed) {
    let supervised = inbox.is_some();
    let wait = async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv(), if !supervised => {}
            () = listen(inbox, told, feed) => {}
        }
        std::io::Result::Ok(())
    };
    if let Err(error) = wait.await {
        tracing::error!(%error, "cannot listen for signals");
    }
}

async fn listen(inbox: Option<Inbox>, told: watch::Sender<Option<Snapshot>>, feed: Feed) {
    let Some(mut inbox) = inbox else { return std::future::pending().await };
    let mut meter = Meter::default();
    while let Some(message) = inbox.recv().await {
        let Message::News(news) = message else { continue };
        match news {
            Told::Standing { figures, outages } => {
                feed.tell(Standing { rates: meter.read(Clock::now(), &figures), outages });
                told.send_replace(Some(figures));
            }
            Told::Events { events, missed } => feed.publish(&events, missed),
        }
    }
}
