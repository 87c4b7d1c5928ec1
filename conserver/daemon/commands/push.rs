//! `push`: store vCons and put their ids on a list.

use std::time::Duration;

use bytes::Bytes;
use conserver_core::intake::{Arrival, Target};
use conserver_core::store::IndexKeys;
use conserver_core::vcon::{Vcon, VconId, View};
use serde_json::json;

use super::Instance;
use crate::cli::{Global, PushArgs};
use crate::exit::Exit;
use crate::output;
use crate::wiring::Wiring;

/// What is written in one step at most: ids, and vCons with their bytes. One step is one wait for the disk.
const BATCH: usize = 500;
const BYTES: usize = 4 << 20;
/// More items than this get a progress bar.
const MANY: usize = 10;

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &PushArgs) -> anyhow::Result<Exit> {
    anyhow::ensure!(!args.ids || args.list.is_some(), "--ids needs a list: -l LIST");
    super::block_on(async {
        let instance = Instance::open(wiring, global)?;
        let progress = output::progress(args.items.len(), MANY);
        let mut push = Push { instance: &instance, args, batch: Vec::new(), bytes: 0, done: Done::default() };
        for item in &args.items {
            push.take(item).await?;
            progress.inc(1);
        }
        push.flush().await?;
        let mut done = push.done;
        if let Some(list) = &args.list {
            if args.ids {
                for batch in done.ids.chunks(BATCH) {
                    done.length = Some(instance.backend.queue.push(list, batch).await?);
                }
            } else if !done.ids.is_empty() {
                done.length = Some(instance.backend.intake.length(list).await?);
            }
        }
        progress.finish_and_clear();
        report(args, &done)?;
        Ok(if done.failures.is_empty() { Exit::Ok } else { Exit::Failed })
    })
}

/// What became of the arguments.
#[derive(Default)]
struct Done {
    ids: Vec<VconId>,
    /// Arguments, and why they were not pushed.
    failures: Vec<(String, String)>,
    /// How long the list is now.
    length: Option<u64>,
}

/// vCons on their way: they gather until they are worth a step.
struct Push<'a> {
    instance: &'a Instance,
    args: &'a PushArgs,
    batch: Vec<(&'a str, Arrival)>,
    bytes: usize,
    done: Done,
}

impl<'a> Push<'a> {
    /// Takes one argument. A file that cannot be read costs the others nothing.
    async fn take(&mut self, item: &'a str) -> anyhow::Result<()> {
        if self.args.ids {
            self.done.ids.push(VconId::new(item));
            return Ok(());
        }
        match self.arrival(item) {
            Ok(arrival) => {
                self.bytes += arrival.json.len();
                self.batch.push((item, arrival));
            }
            Err(error) => self.done.failures.push((item.to_owned(), format!("{error:#}"))),
        }
        if self.batch.len() == BATCH || self.bytes > BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    fn arrival(&self, item: &str) -> anyhow::Result<Arrival> {
        let json = super::read_input(item)?;
        let settings = &self.instance.plan.settings;
        let vcon = Vcon::from_json(Bytes::from(json), &settings.limits())?;
        Ok(Arrival {
            id: vcon.id().clone(),
            json: vcon.render(View::Stored),
            keys: IndexKeys::of(&vcon),
            ttl: self.args.ttl.or(settings.vcon_expiry).filter(|ttl| *ttl != Duration::ZERO),
            lists: self.args.list.iter().cloned().map(Target::new).collect(),
            context: None,
            once: None,
        })
    }

    /// Writes what has gathered. A server that is away ends the command.
    async fn flush(&mut self) -> anyhow::Result<()> {
        self.bytes = 0;
        let (items, arrivals): (Vec<&str>, Vec<Arrival>) = self.batch.drain(..).unzip();
        if arrivals.is_empty() {
            return Ok(());
        }
        let accepted = self.instance.backend.intake.accept(&arrivals).await;
        for ((item, arrival), accepted) in items.into_iter().zip(arrivals).zip(accepted) {
            match accepted {
                Ok(_) => self.done.ids.push(arrival.id),
                Err(error) if error.is_unavailable() => return Err(error.into()),
                Err(error) => self.done.failures.push((item.to_owned(), error.chain())),
            }
        }
        Ok(())
    }
}

fn report(args: &PushArgs, Done { ids, failures, length }: &Done) -> anyhow::Result<()> {
    let list = args.list.as_ref();
    if args.json {
        let failed: Vec<_> =
            failures.iter().map(|(item, error)| json!({"item": item, "error": error})).collect();
        output::line(serde_json::to_string(
            &json!({"list": list, "ids": ids, "failed": failed, "list_length": length}),
        )?);
        return Ok(());
    }
    for (item, error) in failures {
        output::note(format!("error: {item}: {error}"));
    }
    if let [id] = &ids[..] {
        output::line(id.as_str());
    }
    let what = if args.ids { "id" } else { "vCon" };
    let plural = if ids.len() == 1 { "" } else { "s" };
    match (list, length) {
        (Some(list), Some(length)) => {
            output::note(format!("pushed {} {what}{plural} to `{list}` (now {length} waiting)", ids.len()));
        }
        (Some(list), None) => output::note(format!("pushed nothing to `{list}`")),
        (None, _) => output::note(format!("stored {} {what}{plural}; no list was named", ids.len())),
    }
    Ok(())
}
