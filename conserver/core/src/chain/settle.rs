//! What a run means for its lease, as a pure function of the run, the plan and the clock.
//!
//! | end | document | effects, egress | then |
//! |---|---|---|---|
//! | done | as after the last link | applied | |
//! | halt | as after that link | effects applied, no egress | |
//! | retry | as after the last successful link | dropped | handed out again |
//! | dead | as after the last successful link | dropped | dead-letter list, under the id as it stood in the list |
//! | lost | – | – | given back, which does nothing if somebody else has it by now |
//!
//! What fails for good is dead at once. What may heal is tried as often as the chain says. What is away is waited
//! for as long as the chain says, without counting: being refused by an open breaker is such a case.

use std::time::Duration;

use serde::Deserialize;

use super::job::{Run, RunEnd};
use crate::config::plan::{ChainPlan, RedeliveryOptions};
use crate::policy::refused;
use crate::queue::{DeadLetter, End, Finish, Lease, StorageLetter, Tries};
use crate::{Applied, Class, Error, LinkName, StorageName};

/// Judges a run. `now` is in Unix seconds; `jitter` lies between 0 and 1 and shortens the pause by up to a half.
pub fn to_end(run: Run, plan: &ChainPlan, lease: &Lease, now: i64, jitter: f64) -> End {
    match run.end {
        RunEnd::Done => {
            let egress = plan.egress.iter().map(|list| (list.clone(), run.id.clone())).collect();
            let letter = |(storage, error): (StorageName, Error)| StorageLetter {
                letter: letter(&error, plan, lease, None, Some(storage.clone())),
                storage,
                id: run.id.clone(),
            };
            End::Finish(Box::new(Finish {
                documents: run.documents,
                effects: run.effects,
                expires: run.expires,
                egress,
                halted: false,
                context: run.context.or_else(|| lease.context.clone()),
                storage_letters: run.refused.into_iter().map(letter).collect(),
            }))
        }
        RunEnd::Halted { .. } => End::Finish(Box::new(Finish {
            halted: true,
            documents: run.documents,
            effects: run.effects,
            expires: run.expires,
            context: run.context.or_else(|| lease.context.clone()),
            ..Finish::default()
        })),
        RunEnd::Failed { error, link, storage } => {
            match redelivery(&error, &plan.retry, &lease.tries, now, jitter) {
                Some((after, tries)) => {
                    // A run that did not come to the storages leaves what they have as it was.
                    let tries = match run.saved_digest {
                        Some(_) if run.saved.is_empty() => {
                            Tries { saved: Vec::new(), saved_digest: None, ..tries }
                        }
                        Some(_) => Tries { saved: run.saved, saved_digest: run.saved_digest, ..tries },
                        None => tries,
                    };
                    End::Retry { documents: run.documents, after, tries }
                }
                None => End::Dead {
                    documents: run.documents,
                    dlq: plan.dead_letters(&lease.entry.list),
                    letter: Box::new(DeadLetter {
                        trace_id: run.context.as_deref().or(lease.context.as_deref()).and_then(trace_id),
                        ..letter(&error, plan, lease, link, storage)
                    }),
                },
            }
        }
        RunEnd::Lost => End::GiveBack,
    }
}

/// When to hand it out again and what to remember; `None` if never.
fn redelivery(
    error: &Error,
    options: &RedeliveryOptions,
    before: &Tries,
    now: i64,
    jitter: f64,
) -> Option<(Duration, Tries)> {
    let mut tries = Tries { last_error: Some(error.chain()), ..before.clone() };
    let (asked, pause) = match error.get_class() {
        Class::Permanent => return None,
        Class::Retryable { after } => {
            tries.attempt += 1;
            tries.unavailable_since = None;
            if tries.attempt >= options.attempts {
                return None;
            }
            let doubled = options.delay.saturating_mul(2_u32.saturating_pow(before.attempt));
            (after.unwrap_or_default(), doubled)
        }
        Class::Unavailable => {
            let since = *tries.unavailable_since.get_or_insert(now);
            let away = Duration::from_secs(u64::try_from(now - since).unwrap_or(0));
            if away >= options.give_up_after {
                return None;
            }
            // The longer it has been away, the rarer the question: as long again as it has been away already.
            (refused(error).map_or(Duration::ZERO, |open| open.wait), away.max(options.delay))
        }
    };
    let pause = pause.min(options.max_delay).mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0);
    Some((asked.max(pause), tries))
}

fn letter(
    error: &Error,
    plan: &ChainPlan,
    lease: &Lease,
    link: Option<LinkName>,
    storage: Option<StorageName>,
) -> DeadLetter {
    DeadLetter {
        reason: error.kind().as_str().to_owned(),
        error: error.chain(),
        list: Some(lease.entry.list.clone()),
        chain: Some(plan.name.clone()),
        link,
        storage,
        attempt: lease.tries.attempt + 1,
        may_have_happened: error.get_applied() == Applied::Unknown,
        trace_id: lease.context.as_deref().and_then(trace_id),
        ..DeadLetter::default()
    }
}

/// The trace id in a producer's context; contexts that other programs wrote may be anything.
fn trace_id(context: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Context {
        trace_id: String,
    }
    let is_hex = |id: &String| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    serde_json::from_str::<Context>(context).ok().map(|context| context.trace_id).filter(is_hex)
}

#[cfg(test)]
mod tests;
