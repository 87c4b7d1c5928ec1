//! `dlq`: look at dead letters, put them back to work, or drop them.

use std::collections::{BTreeMap, BTreeSet};

use conserver_core::clock::unix_seconds;
use conserver_core::guarded::GuardedStorage;
use conserver_core::queue::{DeadLetter, Letter, LetterFilter, Paging};
use conserver_core::vcon::VconId;
use conserver_core::{LinkName, QueueName, StorageName};
use serde_json::json;

use super::{Instance, moment, odd_id};
use crate::cli::{DlqAction, DlqArgs, From, Global, Select};
use crate::exit::Exit;
use crate::wiring::{Wiring, dead_letter_lists};
use crate::{output, plain};

/// Letters are read in pages of this many.
const PAGE: usize = 500;

pub(crate) fn run(wiring: &Wiring, global: &Global, args: &DlqArgs) -> anyhow::Result<Exit> {
    super::block_on(async {
        let instance = Instance::open(wiring, global)?;
        let desk = Desk { wiring, instance: &instance };
        match &args.action {
            DlqAction::List { select, limit, json } => desk.list(select, *limit, *json).await,
            DlqAction::Show { id, from, json } => desk.show(id, from, *json).await,
            DlqAction::Replay { select, to, limit, dry_run } => {
                desk.replay(select, to.as_ref(), limit.unwrap_or(usize::MAX), *dry_run).await
            }
            DlqAction::Discard { select, limit, dry_run, all } => {
                anyhow::ensure!(
                    *all || *dry_run || is_narrowed(select),
                    "this would drop every dead letter: narrow it (--reason, --link, --id, --older …), or say --all"
                );
                desk.discard(select, limit.unwrap_or(usize::MAX), *dry_run).await
            }
        }
    })
}

/// One dead-letter list, and where its letters come from.
struct DeadLetters {
    dlq: QueueName,
    origin: Origin,
}

enum Origin {
    Ingress(Vec<QueueName>),
    Storage(StorageName),
}

struct Desk<'a> {
    wiring: &'a Wiring,
    instance: &'a Instance,
}

impl Desk<'_> {
    async fn list(&self, select: &Select, limit: usize, json: bool) -> anyhow::Result<Exit> {
        let mut rows = Vec::new();
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for list in self.lists(&select.from) {
            for letter in self.select(&list, select, usize::MAX).await? {
                let why = letter.why.clone().unwrap_or_default();
                let reason = if letter.why.is_some() { why.reason.as_str() } else { "unknown" };
                *reasons.entry(reason.to_owned()).or_default() += 1;
                if rows.len() >= limit {
                    continue;
                }
                if json {
                    output::line(serde_json::to_string(
                        &json!({"dlq": list.dlq, "id": letter.id, "why": letter.why}),
                    )?);
                }
                let place = why
                    .link
                    .map(|l| l.to_string())
                    .or(why.storage.map(|s| s.to_string()))
                    .unwrap_or_default();
                rows.push(vec![
                    list.dlq.to_string(),
                    plain::id(letter.id.as_str()),
                    reason.to_owned(),
                    place,
                    shorten(&why.error),
                    odd_id::hint(letter.id.as_str()).unwrap_or_default().to_owned(),
                ]);
            }
        }
        let total: usize = reasons.values().sum();
        if json {
            return Ok(Exit::Ok);
        }
        if total == 0 {
            output::line("no dead letters");
            return Ok(Exit::Ok);
        }
        for row in &rows {
            output::line(format!("{}  {}  {}  {}", row[1], row[2], row[3], row[0]));
            for more in row[4..].iter().filter(|more| !more.is_empty()) {
                output::line(format!("    {more}"));
            }
        }
        let by_reason: Vec<String> = reasons.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
        output::line(format!("\n{}: {}", letters_of(total), by_reason.join(", ")));
        if rows.len() < total {
            output::line(format!("shown: {} (--limit N for more)", rows.len()));
        }
        Ok(Exit::Ok)
    }

    async fn show(&self, id: &str, from: &From, json: bool) -> anyhow::Result<Exit> {
        let filter = LetterFilter { ids: vec![VconId::new(id)], ..LetterFilter::default() };
        let mut found = false;
        for list in self.lists(from) {
            for letter in self.matching(&list.dlq, &filter, usize::MAX).await? {
                found = true;
                if json {
                    output::line(serde_json::to_string(
                        &json!({"dlq": list.dlq, "id": letter.id, "why": letter.why}),
                    )?);
                    continue;
                }
                let shown = plain::id(letter.id.as_str());
                output::line(format!("{shown} on `{}`", list.dlq));
                match &letter.why {
                    None => output::line("  nothing is known: another program put it there"),
                    Some(why) => facts(why).iter().for_each(|(name, value)| fact(name, value)),
                }
                match odd_id::hint(letter.id.as_str()) {
                    Some(hint) => fact("hint", hint),
                    None => {
                        output::line(format!("  conserver get {shown}\n  conserver dlq replay --id {shown}"))
                    }
                }
            }
        }
        if !found {
            output::note(format!("`{}` is no dead letter of these lists", plain::id(id)));
        }
        Ok(if found { Exit::Ok } else { Exit::NotFound })
    }

    async fn replay(
        &self,
        select: &Select,
        to: Option<&QueueName>,
        limit: usize,
        dry_run: bool,
    ) -> anyhow::Result<Exit> {
        let (mut moved, mut failed) = (0, 0);
        let mut targets = BTreeSet::new();
        for list in self.lists(&select.from) {
            let letters = self.select(&list, select, limit.saturating_sub(moved)).await?;
            if dry_run {
                moved += letters.len();
                targets.extend(match &list.origin {
                    Origin::Ingress(origins) => {
                        by_target(letters, origins, to)?.into_keys().map(|list| format!("`{list}`")).collect()
                    }
                    Origin::Storage(_) if letters.is_empty() => Vec::new(),
                    Origin::Storage(name) => vec![format!("storage `{name}`")],
                });
                continue;
            }
            let progress = output::progress(letters.len(), PAGE);
            match &list.origin {
                Origin::Ingress(origins) => {
                    for (target, ids) in by_target(letters, origins, to)? {
                        for page in ids.chunks(PAGE) {
                            moved += self.instance.backend.queue.replay(&list.dlq, page, &target).await?;
                            progress.inc(page.len() as u64);
                        }
                    }
                }
                Origin::Storage(name) => {
                    anyhow::ensure!(to.is_none(), "storage dead letters are saved again; they go to no list");
                    let storage = self.storage(name)?;
                    for letter in letters {
                        match self.save_again(&storage, &letter.id).await {
                            Ok(()) => {
                                moved += self.instance.backend.queue.discard(&list.dlq, &[letter.id]).await?;
                            }
                            Err(error) => {
                                failed += 1;
                                output::note(format!("{}: {error:#}", letter.id));
                            }
                        }
                        progress.inc(1);
                    }
                }
            }
            progress.finish_and_clear();
        }
        let again = if failed > 0 { format!(", {failed} failed again") } else { String::new() };
        output::line(match dry_run {
            true if moved == 0 => "no dead letters would go back".to_owned(),
            true => {
                let targets: Vec<String> = targets.into_iter().collect();
                format!("{} would go back to {}", letters_of(moved), targets.join(", "))
            }
            false => format!("replayed {}{again}", letters_of(moved)),
        });
        Ok(if failed == 0 { Exit::Ok } else { Exit::Failed })
    }

    async fn discard(&self, select: &Select, limit: usize, dry_run: bool) -> anyhow::Result<Exit> {
        let mut dropped = 0;
        for list in self.lists(&select.from) {
            let letters = self.select(&list, select, limit.saturating_sub(dropped)).await?;
            if dry_run {
                dropped += letters.len();
                continue;
            }
            let ids: Vec<VconId> = letters.into_iter().map(|letter| letter.id).collect();
            for page in ids.chunks(PAGE) {
                dropped += self.instance.backend.queue.discard(&list.dlq, page).await?;
            }
        }
        let done = if dry_run { "would drop" } else { "dropped" };
        output::line(format!("{done} {}", letters_of(dropped)));
        Ok(Exit::Ok)
    }

    /// The dead-letter lists that are meant.
    fn lists(&self, from: &From) -> Vec<DeadLetters> {
        let plan = &self.instance.plan;
        if let Some(name) = &from.storage_dlq {
            let name = StorageName::new(name);
            return vec![DeadLetters { dlq: name.dead_letters(), origin: Origin::Storage(name) }];
        }
        let origins = |dlq: &QueueName| -> Vec<QueueName> {
            let chains = plan.chains.iter();
            let lists = chains.flat_map(|chain| chain.ingress.iter().map(move |list| (chain, list)));
            let fills = lists.filter(|(chain, list)| chain.dead_letters(list) == *dlq);
            fills.map(|(_, list)| list.clone()).collect()
        };
        if let Some(list) = &from.list {
            let dlq = plan.dead_letters(list);
            return vec![DeadLetters { dlq, origin: Origin::Ingress(vec![list.clone()]) }];
        }
        let storages = plan.storages.iter().map(|storage| storage.adapter.name.clone());
        let by_storage: BTreeMap<QueueName, StorageName> =
            storages.map(|name| (name.dead_letters(), name)).collect();
        dead_letter_lists(plan)
            .into_iter()
            .map(|dlq| match by_storage.get(&dlq) {
                Some(name) => DeadLetters { origin: Origin::Storage(name.clone()), dlq },
                None => DeadLetters { origin: Origin::Ingress(origins(&dlq)), dlq },
            })
            .collect()
    }

    async fn select(&self, list: &DeadLetters, select: &Select, limit: usize) -> anyhow::Result<Vec<Letter>> {
        let filter = LetterFilter {
            reason: select.reason.clone(),
            link: select.link.as_ref().map(LinkName::new),
            storage: select.storage.as_ref().map(StorageName::new),
            ids: select.ids.iter().map(VconId::new).collect(),
            older_than: select.older,
            younger_than: select.younger,
            ..LetterFilter::default()
        };
        self.matching(&list.dlq, &filter, limit).await
    }

    async fn matching(
        &self,
        dlq: &QueueName,
        filter: &LetterFilter,
        limit: usize,
    ) -> anyhow::Result<Vec<Letter>> {
        let now = unix_seconds();
        let mut found = Vec::new();
        for offset in (0..).step_by(PAGE) {
            let page = self.instance.backend.queue.dead_letters(dlq, Paging { offset, limit: PAGE }).await?;
            let last = page.len() < PAGE;
            found.extend(page.into_iter().filter(|letter| filter.matches(letter, now)));
            if last || found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    fn storage(&self, name: &StorageName) -> anyhow::Result<std::sync::Arc<GuardedStorage>> {
        let storages = self.wiring.storages(&self.instance.plan)?;
        storages
            .into_iter()
            .find(|storage| storage.name() == name)
            .ok_or_else(|| anyhow::anyhow!("no storage named `{name}` in the configuration"))
    }

    async fn save_again(&self, storage: &GuardedStorage, id: &VconId) -> anyhow::Result<()> {
        match self.instance.working_copy(id).await? {
            Some(vcon) => Ok(storage.save(&vcon, None).await?),
            None => anyhow::bail!("there is no working copy of the document any more"),
        }
    }
}

/// Where each letter goes: to `to`, or to the list that its record names, or to the only list it can come from.
fn by_target(
    letters: Vec<Letter>,
    origins: &[QueueName],
    to: Option<&QueueName>,
) -> anyhow::Result<BTreeMap<QueueName, Vec<VconId>>> {
    let mut targets: BTreeMap<QueueName, Vec<VconId>> = BTreeMap::new();
    for letter in letters {
        let recorded = letter.why.as_ref().and_then(|why| why.list.clone());
        let target = match (to, recorded, origins) {
            (Some(to), _, _) => to.clone(),
            (None, Some(list), _) => list,
            (None, None, [only]) => only.clone(),
            (None, None, _) => {
                anyhow::bail!("it is not known which list `{}` came from; say --to LIST", letter.id)
            }
        };
        targets.entry(target).or_default().push(letter.id);
    }
    Ok(targets)
}

fn is_narrowed(select: &Select) -> bool {
    select.reason.is_some()
        || select.link.is_some()
        || select.storage.is_some()
        || !select.ids.is_empty()
        || select.older.is_some()
        || select.younger.is_some()
}

/// `1 dead letter`, `2 dead letters`.
fn letters_of(number: usize) -> String {
    format!("{number} dead letter{}", if number == 1 { "" } else { "s" })
}

/// What is known, in words.
fn facts(why: &DeadLetter) -> Vec<(&'static str, String)> {
    let effect = if why.may_have_happened { "perhaps" } else { "no" };
    let text = |value: Option<&dyn std::fmt::Display>| value.map(ToString::to_string);
    let facts = [
        ("reason", Some(why.reason.clone())),
        ("error", Some(why.error.clone())),
        ("list", text(why.list.as_ref().map(|list| list as _))),
        ("chain", text(why.chain.as_ref().map(|chain| chain as _))),
        ("link", text(why.link.as_ref().map(|link| link as _))),
        ("storage", text(why.storage.as_ref().map(|storage| storage as _))),
        ("attempt", Some(why.attempt.to_string())),
        ("took effect", Some(effect.to_owned())),
        ("signal", why.signal.clone()),
        ("trace", why.trace_id.clone()),
        ("worker", text(why.worker.as_ref().map(|worker| worker as _))),
        ("at", Some(moment::told(why.at))),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// A line of `show`, wrapped.
fn fact(name: &str, value: &str) {
    const NAME: usize = 13;
    for (row, line) in output::wrapped(value, output::WIDTH - NAME - 2).into_iter().enumerate() {
        output::line(format!("  {:<NAME$}{line}", if row == 0 { name } else { "" }));
    }
}

/// One line that fits the terminal; `show` has the rest.
fn shorten(error: &str) -> String {
    const WIDTH: usize = output::WIDTH - 5;
    match error.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &error[..end]),
        None => error.to_owned(),
    }
}
