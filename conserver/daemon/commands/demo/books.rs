//! Where every id is in the end: at exactly one end of the chain it was pushed to, or the demo has failed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use conserver_core::QueueName;
use conserver_core::queue::{Letter, Paging};
use conserver_core::store::Loaded;
use conserver_core::vcon::{Vcon, VconId};

use super::producer::Pushed;
use super::sight::LISTS;
use super::site::Site;

/// Letters and documents are read in pages of this many.
const PAGE: usize = 500;

/// Dead letters of one reason.
pub(super) struct Failed {
    pub(super) number: u64,
    /// What the first of them says.
    pub(super) error: String,
    /// One of them, to look at.
    pub(super) id: VconId,
}

/// Where everything is.
pub(super) struct Books {
    pub(super) pushed: u64,
    pub(super) done: u64,
    pub(super) halted: u64,
    pub(super) dead: u64,
    pub(super) failed: BTreeMap<String, Failed>,
    /// Lengths of the lists of the other chains: `callbacks`, `offers`.
    pub(super) routed: Vec<(&'static str, u64)>,
    pub(super) files: u64,
    pub(super) bytes: u64,
    /// What does not add up, in plain language.
    pub(super) wrong: Vec<String>,
}

impl Books {
    /// Reads every list to its end, and the archive.
    pub(super) async fn read(site: &Site, pushed: &[Pushed]) -> anyhow::Result<Self> {
        let mut ends: HashMap<VconId, u64> = HashMap::new();
        let mut wrong = Vec::new();
        let mut routed = Vec::new();
        for (_, egress) in LISTS {
            let ids = site.backend.queue.peek(&QueueName::new(egress), pushed.len() * 2 + PAGE).await?;
            let distinct: HashSet<&VconId> = ids.iter().collect();
            if distinct.len() < ids.len() {
                wrong.push(format!("{} ids stand on `{egress}` twice", ids.len() - distinct.len()));
            }
            if egress == LISTS[0].1 {
                ids.into_iter().for_each(|id| *ends.entry(id).or_default() += 1);
            } else {
                routed.push((egress, ids.len() as u64));
            }
        }
        let done = ends.values().sum();
        let mut failed: BTreeMap<String, Failed> = BTreeMap::new();
        let mut dead = 0;
        for (index, (ingress, _)) in LISTS.iter().enumerate() {
            for letter in letters(site, &QueueName::new(*ingress).dead_letters()).await? {
                if index > 0 {
                    wrong.push(format!("`{}` failed in `{ingress}`", letter.id));
                    continue;
                }
                dead += 1;
                *ends.entry(letter.id.clone()).or_default() += 1;
                let why = letter.why.unwrap_or_default();
                let entry = failed.entry(why.reason);
                entry.or_insert_with(|| Failed { number: 0, error: why.error, id: letter.id }).number += 1;
            }
        }
        let mut rest = Vec::new();
        for one in pushed {
            match ends.remove(&one.id) {
                Some(1) => {}
                Some(times) => wrong.push(format!("`{}` has {times} ends", one.id)),
                None if one.hung_up => rest.push(one.id.clone()),
                None => wrong.push(format!("`{}` is lost", one.id)),
            }
        }
        if !ends.is_empty() {
            wrong.push(format!("{} ids stand on lists that nobody pushed", ends.len()));
        }
        let halted = rest.len() as u64;
        wrong.extend(unseen(site, &rest).await?.into_iter().map(|id| format!("`{id}` is lost")));
        let (files, bytes) = files_below(&site.archive());
        if files != done {
            wrong.push(format!("{done} are done and {files} are in the archive"));
        }
        Ok(Self { pushed: pushed.len() as u64, done, halted, dead, failed, routed, files, bytes, wrong })
    }

    /// Whether every id is in exactly one end.
    pub(super) fn balance(&self) -> bool {
        self.wrong.is_empty() && self.pushed == self.done + self.halted + self.dead
    }
}

async fn letters(site: &Site, dlq: &QueueName) -> anyhow::Result<Vec<Letter>> {
    let mut letters = Vec::new();
    loop {
        let paging = Paging { offset: letters.len(), limit: PAGE };
        let page = site.backend.queue.dead_letters(dlq, paging).await?;
        let is_last = page.len() < PAGE;
        letters.extend(page);
        if is_last {
            return Ok(letters);
        }
    }
}

/// Those that no chain has seen: a halted vCon is on no list, but it carries the tag of the link before.
async fn unseen(site: &Site, ids: &[VconId]) -> anyhow::Result<Vec<VconId>> {
    let mut unseen = Vec::new();
    for page in ids.chunks(PAGE) {
        for (id, loaded) in page.iter().zip(site.backend.store.load(page).await?) {
            let Loaded::Found { json, .. } = loaded else {
                unseen.push(id.clone());
                continue;
            };
            let tags = Vcon::parse(id.clone(), json, &site.limits())?.tags()?;
            if !tags.iter().any(|(name, value)| name == "seen" && value == "demo") {
                unseen.push(id.clone());
            }
        }
    }
    Ok(unseen)
}

/// How many documents, and how large all together.
fn files_below(folder: &Path) -> (u64, u64) {
    let (mut files, mut bytes) = (0, 0);
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(found) if found.is_dir() => {
                let (more, size) = files_below(&entry.path());
                (files, bytes) = (files + more, bytes + size);
            }
            Ok(found) if entry.path().extension().is_some_and(|ending| ending == "json") => {
                (files, bytes) = (files + 1, bytes + found.len());
            }
            _ => {}
        }
    }
    (files, bytes)
}
