//! `demo`: conversations of a call centre through a real pipeline, one worker of which is killed half-way.
//!
//! The pipeline is `conserver run` itself, on the embedded backend in a temporary folder. This command is its producer, its
//! operator and its auditor: it pushes, looks at the lists, kills, and afterwards says where every id is.
//!
//! | module | what lives there |
//! |---|---|
//! | `site` | the folder, the configuration, the running daemon |
//! | `producer` | pushes what the generator makes |
//! | `sight` | what the lists and workers say, again and again |
//! | `casualty` | the worker that is killed, and what became of what it held |
//! | `books` | where every id is in the end |
//! | `display`, `summary` | what is shown meanwhile and afterwards |

mod books;
mod casualty;
mod display;
mod producer;
mod sight;
mod site;
mod summary;

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use tokio::signal::unix::{SignalKind, signal};

use self::books::Books;
use self::casualty::Casualty;
use self::display::Display;
use self::producer::Producer;
use self::sight::Sight;
use self::site::Site;
use self::summary::Summary;
use crate::cli::DemoArgs;
use crate::exit::Exit;
use crate::output;
use crate::wiring::Wiring;

/// How often it looks at the lists.
const LOOK: Duration = Duration::from_millis(50);
/// How long nothing may happen before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run(wiring: &Wiring, args: &DemoArgs) -> anyhow::Result<Exit> {
    ensure!(args.count > 0, "--count must be at least 1");
    ensure!(args.workers > 0, "--workers must be at least 1");
    super::block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let stopped = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        };
        tokio::pin!(stopped);
        let mut site = Site::build(wiring, args.workers)?;
        let played = tokio::select! {
            played = play(&site, args) => Some(played),
            () = &mut stopped => None,
        };
        let exit = match played {
            None => {
                output::note("interrupted; stopping, and removing the folder");
                Ok(Exit::Failed)
            }
            Some(Ok(Exit::Ok)) if args.keep => {
                stopped.await;
                Ok(Exit::Ok)
            }
            Some(outcome) => outcome,
        };
        if output::is_watched() {
            output::note("\nremoving its folder");
        }
        site.leave().await;
        exit
    })
}

/// All of it, on a site that stands.
async fn play(site: &Site, args: &DemoArgs) -> anyhow::Result<Exit> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(1..100_000));
    let display = Display::new(site, args, seed);
    let begun = Instant::now();
    let producer = Producer::start(site.backend.clone(), seed, args.count);
    let mut sight = Sight::new(begun, args.count);
    let mut casualty = None;
    loop {
        sight.look(site, producer.pushed()).await?;
        if let Some(id) = sight.first_through() {
            display.first(site, id, begun.elapsed()).await?;
        }
        if casualty.is_none() && sight.finished >= args.count.div_ceil(2) {
            casualty = Casualty::choose(site, begun.elapsed()).await?;
        }
        if let Some(casualty) = &mut casualty {
            casualty.follow(site).await?;
        }
        display.show(&sight, casualty.as_ref());
        let settled = casualty.as_ref().is_none_or(Casualty::is_over);
        if producer.is_done() && sight.is_empty() && settled {
            break;
        }
        if sight.idle() > PATIENCE {
            bail!("nothing has moved for {} s; the log says:\n{}", PATIENCE.as_secs(), site.end_of_log());
        }
        tokio::time::sleep(LOOK).await;
    }
    let elapsed = sight.moved_at;
    let pushed = producer.finish().await?;
    display.clear();
    let books = Books::read(site, &pushed).await?;
    Summary { site, args, seed, elapsed, books: &books, casualty: casualty.as_ref() }.print();
    Ok(if books.balance() { Exit::Ok } else { Exit::Failed })
}
