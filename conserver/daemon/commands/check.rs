//! `check`: is the configuration right, and do the servers answer?

use std::time::Duration;

use conserver_core::backend::Gravity;
use conserver_core::config::{Loaded, Plan, env};

use super::phrase::many;
use futures::future::join_all;

use crate::cli::{CheckArgs, Global};
use crate::config::File;
use crate::exit::Exit;
use crate::output;
use crate::telemetry;
use crate::wiring::Wiring;

/// No server gets longer than this to answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &CheckArgs) -> anyhow::Result<Exit> {
    let file = File::read(global)?;
    let loaded = if args.no_env { file.load_with(wiring, &env::Unknown) } else { file.load_to_start(wiring) };
    let problems = &loaded.problems;
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let warnings = problems.len() - errors;
    if args.json {
        output::line(serde_json::to_string_pretty(problems)?);
    } else {
        for problem in problems {
            output::line(problem.to_string());
        }
    }
    let mut exit = if errors > 0 || (args.strict && warnings > 0) { Exit::Config } else { Exit::Ok };
    if !args.json {
        stops(&loaded).into_iter().for_each(output::line);
    }
    if let Some(plan) = &loaded.plan {
        if !args.json {
            output::line(summary(&file.name(), plan, errors, warnings));
        }
        if args.connect {
            telemetry::start(&plan.settings.log, Some(global.log.as_deref().unwrap_or("error")));
            let reached = super::block_on(connect(wiring, plan))?;
            if !reached && exit == Exit::Ok {
                exit = Exit::Unavailable;
            }
        }
    } else if !args.json {
        output::line(format!("{}: {}", file.name(), counts(errors, warnings)));
    }
    Ok(exit)
}

/// What the errors stop, a line each.
fn stops(loaded: &Loaded) -> Vec<String> {
    let errors = loaded.problems.iter().filter(|problem| problem.is_error()).count();
    let everything = loaded.problems.iter().filter(|problem| problem.stops_everything()).count();
    let mut lines = Vec::new();
    let mistakes = loaded.plan.as_ref().map(|plan| plan.mistakes.as_slice()).unwrap_or_default();
    if everything > 0 {
        lines.push(format!("nothing starts: {} of the whole file", many(everything as u64, "error")));
    } else if errors > 0 && loaded.for_start(false).is_none() {
        lines.push("nothing starts (--lenient runs what is sound)".to_owned());
    }
    for mistake in mistakes {
        lines.push(format!("chain `{}` does not run: {}", mistake.chain, mistake.why));
    }
    lines
}

fn summary(name: &str, plan: &Plan, errors: usize, warnings: usize) -> String {
    let lists = plan.chains.iter().map(|chain| chain.ingress.len()).sum::<usize>();
    format!(
        "{name}: {}; {} on {}, {}, {}",
        counts(errors, warnings),
        many(plan.chains.len() as u64, "chain"),
        many(lists as u64, "ingress list"),
        many(plan.links.len() as u64, "link"),
        many(plan.storages.len() as u64, "storage"),
    )
}

fn counts(errors: usize, warnings: usize) -> String {
    match (errors, warnings) {
        (0, 0) => "no problems".to_owned(),
        _ => format!("{}, {}", many(errors as u64, "error"), many(warnings as u64, "warning")),
    }
}

/// Reaches every server that the plan names, one line each.
async fn connect(wiring: &Wiring, plan: &Plan) -> anyhow::Result<bool> {
    let backend = wiring.connect(&plan.settings)?;
    let mut all = true;
    match tokio::time::timeout(PATIENCE, backend.advise(plan)).await {
        Ok(Ok(findings)) => {
            for finding in findings {
                let mark = match finding.gravity {
                    Gravity::Good => "ok     ",
                    Gravity::Warning => "warning",
                    Gravity::Fatal => {
                        all = false;
                        "error  "
                    }
                };
                let advice =
                    if finding.advice.is_empty() { String::new() } else { format!("; {}", finding.advice) };
                output::line(format!("{mark}  {}: {}{advice}", backend.shown, finding.found));
            }
        }
        Ok(Err(error)) => {
            all = false;
            output::line(format!("error    {}: {}", backend.shown, error.chain()));
        }
        Err(_) => {
            all = false;
            output::line(format!("error    {}: no answer within 10 s", backend.shown));
        }
    }
    let storages = wiring.storages(plan)?;
    // All at once: those that do not answer cost their time together.
    let answers = join_all(storages.iter().map(|storage| tokio::time::timeout(PATIENCE, storage.check())));
    for (storage, answer) in storages.iter().zip(answers.await) {
        let kind = storage.info().kind;
        let name = storage.name();
        match answer {
            Ok(Ok(())) => output::line(format!("ok       storage `{name}` ({kind}) answers")),
            Ok(Err(error)) => {
                all = false;
                output::line(format!("error    storage `{name}` ({kind}): {}", error.chain()));
            }
            Err(_) => {
                all = false;
                output::line(format!("error    storage `{name}` ({kind}): no answer within 10 s"));
            }
        }
    }
    Ok(all)
}
