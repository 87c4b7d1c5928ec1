//! What a trial looks like: a line for each step, and what it changed.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use bytes::Bytes;
use conserver_core::chain::{Chain, RunEnd};
use conserver_core::link::Effect;
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::{Step, Trial};
use crate::cli::TryArgs;
use crate::output;

/// Strings longer than this are cut: nobody reads a recording.
const LONG: usize = 100;
/// Lines around a change.
const AROUND: usize = 2;

pub(super) fn trial(trial: &Trial, chain: &Chain, args: &TryArgs) -> anyhow::Result<()> {
    if args.json {
        output::line(serde_json::to_string(&as_json(trial, chain))?);
        return Ok(());
    }
    output::line(output::bold(&format!("{}  ({})", trial.file, trial.id)));
    let widest = trial.steps.iter().map(|step| name(step).chars().count()).max().unwrap_or(0);
    for step in &trial.steps {
        let diff = diff(&step.before, &step.after);
        let what = if diff.is_empty() { "changed nothing" } else { "changed" };
        let mut says = match &step.end {
            RunEnd::Failed { error, .. } => format!("failed: {}", error.chain()),
            RunEnd::Halted { reason, .. } => format!("{what}; halted: {reason}"),
            RunEnd::Lost => "lost".to_owned(),
            RunEnd::Done if step.link.is_none() => "saved".to_owned(),
            RunEnd::Done => what.to_owned(),
        };
        if let Some(id) = &step.switched {
            says.push_str(&format!("; goes on with {id}"));
        }
        output::line(format!("  {:widest$}  {:>9}  {says}", name(step), millis(step.took)));
        for effect in &step.effects {
            output::line(format!("  {:widest$}             → {}", "", effect_text(effect)));
        }
        for line in diff {
            output::line(format!("      {line}"));
        }
    }
    output::line(format!("  {}", ending(trial, chain, args.store)));
    Ok(())
}

fn name(step: &Step) -> &str {
    step.link.as_ref().map_or("storages", |link| link.as_str())
}

fn millis(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1e3)
}

fn effect_text(effect: &Effect) -> String {
    match effect {
        Effect::Enqueue { queue, id } => format!("would put {id} on `{queue}`"),
        Effect::ExpireAfter(after) => format!("would let it expire after {} s", after.as_secs()),
    }
}

/// What the end of the trial would have meant.
fn ending(trial: &Trial, chain: &Chain, store: bool) -> String {
    match trial.steps.last().map(|step| &step.end) {
        Some(RunEnd::Failed { error, .. }) if error.is_permanent() => "→ would be a dead letter".to_owned(),
        Some(RunEnd::Failed { .. } | RunEnd::Lost) => "→ would be tried again later".to_owned(),
        Some(RunEnd::Halted { .. }) => "→ done: no storage, no egress".to_owned(),
        Some(RunEnd::Done) | None => {
            let names = |names: Vec<&str>| {
                names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            };
            let storages = names(chain.storages.iter().map(|storage| storage.name().as_str()).collect());
            let egress = names(chain.plan.egress.iter().map(|list| list.as_str()).collect());
            let mut parts = vec!["→ done".to_owned()];
            if !storages.is_empty() && !store {
                parts.push(format!("would be saved in {storages}"));
            }
            if !egress.is_empty() {
                parts.push(format!("would go to {egress}"));
            }
            parts.join("; ")
        }
    }
}

fn as_json(trial: &Trial, chain: &Chain) -> Value {
    let steps: Vec<Value> = trial
        .steps
        .iter()
        .map(|step| {
            let (flow, reason) = match &step.end {
                RunEnd::Done => ("continue", None),
                RunEnd::Halted { reason, .. } => ("halt", Some(reason.clone())),
                RunEnd::Failed { error, .. } => ("error", Some(error.chain())),
                RunEnd::Lost => ("lost", None),
            };
            let effects: Vec<Value> = step
                .effects
                .iter()
                .map(|effect| match effect {
                    Effect::Enqueue { queue, id } => json!({"enqueue": id, "list": queue}),
                    Effect::ExpireAfter(after) => json!({"expire_after_seconds": after.as_secs()}),
                })
                .collect();
            json!({
                "link": step.link,
                "ms": (step.took.as_secs_f64() * 1e6).round() / 1e3,
                "changed": step.before != step.after,
                "flow": flow,
                "reason": reason,
                "effects": effects,
                "switched_to": step.switched,
            })
        })
        .collect();
    let document: Value = serde_json::from_slice(&trial.document).unwrap_or(Value::Null);
    json!({"file": trial.file, "id": trial.id, "chain": chain.plan.name, "steps": steps, "failed": trial.failed(), "document": document})
}

/// The lines that differ, with some around them; nothing if the documents mean the same.
fn diff(before: &Bytes, after: &Bytes) -> Vec<String> {
    if before == after {
        return Vec::new();
    }
    let (before, after) = (pretty(before), pretty(after));
    let diff = TextDiff::from_lines(&before, &after);
    let mut lines = Vec::new();
    for (n, group) in diff.grouped_ops(AROUND).iter().enumerate() {
        if n > 0 {
            lines.push("⋮".to_owned());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{sign} {}", change.value().trim_end_matches('\n')));
        }
    }
    lines
}

/// The document as people read it. A cut string keeps a mark of its whole, so that a change behind the cut is seen.
fn pretty(json: &Bytes) -> String {
    let Ok(mut value) = serde_json::from_slice::<Value>(json) else { return String::new() };
    cut(&mut value);
    serde_json::to_string_pretty(&value).unwrap_or_default() + "\n"
}

fn cut(value: &mut Value) {
    match value {
        Value::String(text) if text.chars().count() > LONG => {
            let mut mark = DefaultHasher::new();
            text.hash(&mut mark);
            let start: String = text.chars().take(LONG / 2).collect();
            let count = text.chars().count();
            *text = format!("{start}… ({count} characters, mark {:08x})", mark.finish() >> 32);
        }
        Value::Array(items) => items.iter_mut().for_each(cut),
        Value::Object(members) => members.values_mut().for_each(cut),
        _ => {}
    }
}
