//! `story`: what became of a vCon, run by run.

use conserver_core::clock::{self, millis, unix_millis};
use conserver_core::story::{RunStory, Step};
use conserver_core::vcon::VconId;

use super::Instance;
use crate::cli::{Global, StoryArgs};
use crate::exit::Exit;
use crate::output;
use crate::wiring::Wiring;

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &StoryArgs) -> anyhow::Result<Exit> {
    super::block_on(async {
        let instance = Instance::open(wiring, global)?;
        let memory = instance.plan.settings.stories;
        let since = unix_millis().saturating_sub_unsigned(millis(memory.age));
        let runs = instance.backend.chronicle.runs_of(&VconId::new(&args.id), since).await?;
        for run in &runs {
            if args.json {
                output::line(serde_json::to_string(run)?);
            } else {
                show(run);
            }
        }
        if runs.is_empty() {
            output::note(format!(
                "nothing is remembered of `{0}`: it has not run, or too long ago (`stories` in the configuration \
                 says how much is kept), or while more than a thousand a second went through; one that crashed \
                 its workers is a dead letter: `dlq list --id {0}`",
                args.id
            ));
            return Ok(Exit::NotFound);
        }
        Ok(Exit::Ok)
    })
}

fn show(run: &RunStory) {
    let attempt = if run.attempt > 1 { format!(", attempt {}", run.attempt) } else { String::new() };
    output::line(format!(
        "{}  chain `{}` from `{}`: {} after {}{attempt}",
        clock::rfc3339(run.at),
        run.chain,
        run.list,
        output::bold(&run.end),
        shown(run.ms as f64)
    ));
    for step in &run.steps {
        output::line(line_of(step));
    }
    if run.crashes > 0 {
        let times = if run.crashes == 1 { "a worker".to_owned() } else { format!("{} workers", run.crashes) };
        output::line(format!("    before, {times} crashed while running it"));
    }
    if let Some(id) = &run.went_on_as {
        output::line(format!("    went on as {id}"));
    }
    if let Some(why) = &run.why {
        output::line(format!("    why: {why}"));
    }
    if let Some(ms) = run.again_in_ms {
        output::line(format!("    handed out again {} later", shown(ms as f64)));
    }
    output::line(format!("    by worker {}", run.worker));
}

fn line_of(step: &Step) -> String {
    let what = match (&step.link, &step.storage) {
        (Some(link), _) => format!("link {link}"),
        (None, Some(storage)) => format!("storage {storage}"),
        (None, None) => String::new(),
    };
    let result = serde_json::to_value(step.result).unwrap_or_default();
    let result = result.as_str().unwrap_or_default();
    let error = step.error.as_deref().map(|kind| format!("  {kind}")).unwrap_or_default();
    format!("    {what:<32}  {result:<11}  {:>9}{error}", shown(step.ms))
}

/// Milliseconds, as people read them.
fn shown(ms: f64) -> String {
    if ms < 1000.0 { format!("{ms:.1} ms") } else { format!("{:.1} s", ms / 1000.0) }
}
