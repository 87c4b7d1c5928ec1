//! What is shown while it runs: lines that move on a terminal, a line each second without one. At most 80 columns.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use conserver_core::WorkerId;
use conserver_core::store::Loaded;
use conserver_core::vcon::{Vcon, VconId};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::casualty::Casualty;
use super::sight::{LISTS, Sight};
use super::site::Site;
use crate::cli::DemoArgs;
use crate::commands::phrase::{grouped, plural, time};
use crate::output;

/// How often a line without a terminal.
const EVERY: Duration = Duration::from_secs(1);

/// What is shown.
pub(super) struct Display {
    /// `None` without a terminal.
    live: Option<Live>,
    last_line: Cell<Duration>,
    told_death: Cell<bool>,
    told_recovery: Cell<bool>,
}

struct Live {
    screen: MultiProgress,
    lists: Vec<ProgressBar>,
    workers: RefCell<BTreeMap<WorkerId, ProgressBar>>,
    total: ProgressBar,
}

impl Display {
    /// Says what is about to happen.
    pub(super) fn new(site: &Site, args: &DemoArgs, seed: u64) -> Self {
        output::line(format!(
            "{} conversations of a call centre (seed {seed}), {}:",
            grouped(args.count),
            plural(args.workers as u64, "worker process", "worker processes")
        ));
        output::line("");
        for chain in &site.plan.chains {
            let ingress = chain.ingress.iter().map(ToString::to_string);
            let links = chain.links.iter().map(ToString::to_string);
            let storages = chain.storages.iter().map(ToString::to_string);
            let egress = chain.egress.iter().map(ToString::to_string);
            let way: Vec<String> = ingress.chain(links).chain(storages).chain(egress).collect();
            output::line(format!("  {}", way.join(" ─▶ ")));
        }
        output::line("");
        let live = output::is_watched().then(|| Live::new(args.count));
        Self {
            live,
            last_line: Cell::new(Duration::ZERO),
            told_death: Cell::new(false),
            told_recovery: Cell::new(false),
        }
    }

    /// Tells of the first conversation that came through.
    pub(super) async fn first(&self, site: &Site, id: VconId, after: Duration) -> anyhow::Result<()> {
        let loaded = site.backend.store.load(std::slice::from_ref(&id)).await?.pop();
        let Some(Loaded::Found { json, .. }) = loaded else { return Ok(()) };
        let tags = Vcon::parse(id.clone(), json, &site.limits())?.tags()?;
        let tag = |name| tags.iter().find(|(tag, _)| tag == name).map_or("", |(_, value)| value.as_str());
        self.say(&format!(
            "first one through after {:.2} s: {}",
            after.as_secs_f64(),
            [tag("source"), tag("language"), tag("topic")].join(", ")
        ));
        self.say(&format!("  {id}"));
        Ok(())
    }

    /// Shows the newest look.
    pub(super) fn show(&self, sight: &Sight, casualty: Option<&Casualty>) {
        if let Some(dead) = casualty {
            if !self.told_death.replace(true) {
                self.say(&format!("kill -9 of worker {}, half-way, with {} in hand", dead.pid, dead.held));
            }
            if let (Some(recovered), Some((pid, replaced))) = (dead.recovered, dead.replaced)
                && !self.told_recovery.replace(true)
            {
                self.say(&format!(
                    "  put back after {}, worker {pid} took its place after {}",
                    time(recovered),
                    time(replaced)
                ));
            }
        }
        match &self.live {
            Some(live) => live.show(sight),
            None if sight.elapsed() - self.last_line.get() >= EVERY => {
                self.last_line.set(sight.elapsed());
                let all = &sight.lists;
                output::line(format!(
                    "{:4} s  {} of {} through, {}/s; {} waiting, {} running",
                    sight.elapsed().as_secs(),
                    grouped(sight.finished),
                    grouped(sight.count),
                    grouped(sight.rate() as u64),
                    grouped(all.iter().map(|list| list.queued).sum()),
                    grouped(all.iter().map(|list| list.in_flight).sum()),
                ));
            }
            None => {}
        }
    }

    /// Takes away what moves.
    pub(super) fn clear(&self) {
        if let Some(live) = &self.live {
            // A terminal that went away needs no clearing.
            let _ = live.screen.clear();
        }
    }

    fn say(&self, text: &str) {
        match &self.live {
            Some(live) => live.screen.suspend(|| output::line(text)),
            None => output::line(text),
        }
    }
}

impl Live {
    fn new(count: u64) -> Self {
        let screen = MultiProgress::new();
        screen.add(line()).set_message(" ");
        let lists = LISTS.iter().map(|_| screen.add(line())).collect();
        let total = screen.add(ProgressBar::new(count));
        let style = ProgressStyle::with_template("  {bar:46.green/dim} {percent:>3} %  {msg}");
        total.set_style(style.expect("the template is one").progress_chars("━━─"));
        Self { screen, lists, workers: RefCell::default(), total }
    }

    fn show(&self, sight: &Sight) {
        for (index, line) in self.lists.iter().enumerate() {
            let (list, (from, to)) = (&sight.lists[index], LISTS[index]);
            line.set_message(format!(
                "  {from:<10} {:>8} waiting {:>5} running {:>4} dead  ─▶ {to:<9} {:>8}",
                grouped(list.queued),
                list.in_flight,
                list.dead,
                grouped(sight.egress[index])
            ));
        }
        let mut lines = self.workers.borrow_mut();
        for worker in &sight.workers {
            let line = lines
                .entry(worker.info.id.clone())
                .or_insert_with(|| self.screen.insert_before(&self.total, line()));
            line.set_message(format!("  worker {:<9}{:>21} running", worker.info.pid, worker.in_flight));
        }
        lines.retain(|id, line| {
            let is_there = sight.workers.iter().any(|worker| worker.info.id == *id);
            if !is_there {
                line.finish_and_clear();
            }
            is_there
        });
        self.total.set_position(sight.finished);
        self.total.set_message(format!("{}/s", grouped(sight.rate() as u64)));
    }
}

fn line() -> ProgressBar {
    let line = ProgressBar::no_length();
    line.set_style(ProgressStyle::with_template("{msg}").expect("the template is one"));
    line
}
