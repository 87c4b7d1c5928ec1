//! Ending leases: all of a batch in one transaction, and an entry leaves its worker only with what it leaves behind.

use std::collections::HashMap;

use bytes::Bytes;
use conserver_core::link::Effect;
use conserver_core::queue::{DeadLetter, End, Finish, Settled, Settlement};
use conserver_core::vcon::VconId;
use conserver_core::{QueueName, Result, WorkerId};
use sqlx::Row;

use crate::clock::saturated;
use crate::place::Occurrence;
use crate::queue::SqliteQueue;
use crate::session::{Session, failed, json, numbers, sql};
use crate::writer::Keep;

/// A settlement that outlives its caller.
pub(crate) struct Item {
    token: i64,
    id: VconId,
    documents: Vec<(VconId, Bytes)>,
    end: Ending,
}

/// How an entry ends.
pub(crate) enum Ending {
    Finish {
        pushes: Vec<(QueueName, Occurrence)>,
        expires: Vec<(VconId, i64)>,
        letters: Vec<(QueueName, VconId, DeadLetter)>,
    },
    Retry {
        after: i64,
        tries: String,
    },
    Dead {
        dlq: QueueName,
        letter: DeadLetter,
    },
    GiveBack,
}

/// An entry that is to end, as it lies in the file.
struct Held {
    place: i64,
    list: i64,
    has_tries: bool,
}

/// What is done for all items together, one statement instead of one for each.
#[derive(Default)]
struct Together {
    pushes: Vec<(QueueName, Vec<Occurrence>)>,
    documents: Vec<(VconId, Bytes)>,
    /// Entries that are gone.
    done: Vec<i64>,
    /// Entries that go back to the head of their lists.
    returned: Vec<(i64, i64)>,
    /// Ids that run no longer.
    freed: Vec<VconId>,
}

impl SqliteQueue {
    pub(crate) async fn settle_all(&self, worker: &WorkerId, batch: &[Settlement]) -> Result<Vec<Settled>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let (worker, terms) = (worker.clone(), self.terms());
        let items = batch.iter().map(Item::of).collect();
        self.write(Keep::Durable, "settle", move |session| Box::pin(settle(session, worker, items, terms)))
            .await
    }
}

/// How long things live, in milliseconds; 0: for ever, or left as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) document: i64,
    pub(crate) letter: i64,
}

impl Item {
    fn of(settlement: &Settlement) -> Self {
        let entry = &settlement.lease.entry;
        let documents = settlement.end.documents().iter();
        Self {
            token: entry.token.cast_signed(),
            id: entry.id.clone(),
            documents: documents.map(|document| (document.id.clone(), document.json.clone())).collect(),
            end: match &settlement.end {
                End::Finish(finish) => ending(finish),
                End::Retry { after, tries, .. } => {
                    Ending::Retry { after: saturated(*after), tries: json(tries) }
                }
                End::Dead { dlq, letter, .. } => {
                    Ending::Dead { dlq: dlq.clone(), letter: (**letter).clone() }
                }
                End::GiveBack => Ending::GiveBack,
            },
        }
    }

    /// The end of an entry that blocks its thread.
    pub(crate) fn dead(token: u64, id: VconId, dlq: QueueName, letter: DeadLetter) -> Self {
        Self { token: token.cast_signed(), id, documents: Vec::new(), end: Ending::Dead { dlq, letter } }
    }
}

fn ending(finish: &Finish) -> Ending {
    let occurrence =
        |id: &VconId| Occurrence { id: id.clone(), context: finish.context.clone(), letter: None };
    let mut pushes = Vec::new();
    let mut expires = Vec::new();
    for effect in &finish.effects {
        match effect {
            Effect::Enqueue { queue, id } => pushes.push((queue.clone(), occurrence(id))),
            Effect::ExpireAfter(after) => {
                expires.extend(finish.expires.iter().map(|id| (id.clone(), saturated(*after).max(1))));
            }
        }
    }
    pushes.extend(finish.egress.iter().map(|(list, id)| (list.clone(), occurrence(id))));
    let letters = finish.storage_letters.iter();
    let letters = letters.map(|l| (l.storage.dead_letters(), l.id.clone(), l.letter.clone())).collect();
    Ending::Finish { pushes, expires, letters }
}

/// Ends these entries of a worker.
pub(crate) async fn settle(
    session: &mut Session,
    worker: WorkerId,
    items: Vec<Item>,
    terms: Terms,
) -> Result<Vec<Settled>> {
    let mut held = held(session, &worker, &items).await?;
    let alone =
        items.iter().any(|item| matches!(item.end, Ending::GiveBack)) && is_alone(session, &worker).await?;
    let mut together = Together::default();
    let mut after_documents = Vec::new();
    let mut answers = Vec::with_capacity(items.len());
    for item in items {
        let Some(entry) = held.remove(&item.token) else {
            answers.push(Settled::Gone);
            continue;
        };
        answers.push(Settled::Applied);
        together.documents.extend(item.documents);
        match item.end {
            Ending::Finish { pushes, expires, letters } => {
                together.done.push(entry.place);
                pushes.into_iter().for_each(|(list, occurrence)| together.push(list, occurrence));
                after_documents.extend(letters);
                for (id, after) in expires {
                    // The document it means is written before.
                    session.save_all(&std::mem::take(&mut together.documents), terms).await?;
                    let expire = "UPDATE document SET expires = ?, expiring = 1 WHERE id = ?";
                    session.run(sql(expire).bind(session.now + after).bind(id.as_str())).await?;
                }
            }
            Ending::Dead { dlq, letter } => {
                together.done.push(entry.place);
                after_documents.push((dlq, item.id.clone(), letter));
            }
            Ending::Retry { after, tries } => delay(session, &entry, after, Some(&tries)).await?,
            Ending::GiveBack if alone => suspect(session, &entry).await?,
            Ending::GiveBack if entry.has_tries => delay(session, &entry, 0, None).await?,
            Ending::GiveBack => together.returned.push((entry.place, entry.list)),
        }
        together.freed.push(item.id);
    }
    session.save_all(&together.documents, terms).await?;
    for (dlq, id, letter) in after_documents {
        session.bury(&dlq, id, letter, terms.letter).await?;
    }
    for (list, occurrences) in &together.pushes {
        session.append(list, occurrences).await?;
    }
    session.remove(&together.done).await?;
    // What was parked belongs behind what is given back, and both before all others.
    let freed: Vec<&VconId> = together.freed.iter().collect();
    together.returned.extend(session.parked_behind(&freed).await?);
    session.put_first(&together.returned).await?;
    Ok(answers)
}

impl Together {
    fn push(&mut self, list: QueueName, occurrence: Occurrence) {
        match self.pushes.iter_mut().find(|(name, _)| *name == list) {
            Some((_, occurrences)) => occurrences.push(occurrence),
            None => self.pushes.push((list, vec![occurrence])),
        }
    }
}

/// Whether the worker serves the suspect lane.
async fn is_alone(session: &mut Session, worker: &WorkerId) -> Result<bool> {
    let look = sql("SELECT suspects FROM worker WHERE name = ?").bind(worker.as_str());
    Ok(session.number(look).await?.unwrap_or(0) == 1)
}

/// Which of these the worker still holds, by token.
async fn held(session: &mut Session, worker: &WorkerId, items: &[Item]) -> Result<HashMap<i64, Held>> {
    let tokens: Vec<i64> = items.iter().map(|item| item.token).collect();
    let look = "SELECT e.token, e.place, e.list, e.tries IS NOT NULL FROM worker w JOIN entry e \
                ON e.state = 2 AND e.worker = w.key AND e.token IN (SELECT value FROM json_each(?)) WHERE w.name = ?";
    let rows = session.rows(sql(look).bind(numbers(&tokens)).bind(worker.as_str())).await?;
    let read = |row: &sqlx::sqlite::SqliteRow| -> sqlx::Result<(i64, Held)> {
        Ok((
            row.try_get(0)?,
            Held { place: row.try_get(1)?, list: row.try_get(2)?, has_tries: row.try_get(3)? },
        ))
    };
    rows.iter().map(|row| read(row).map_err(failed)).collect()
}

/// Hands it out again later; without new tries it keeps those it has.
async fn delay(session: &mut Session, entry: &Held, after: i64, tries: Option<&str>) -> Result<()> {
    let delay = "UPDATE entry SET state = 3, due = ?, tries = coalesce(?, tries), worker = NULL, token = NULL \
                 WHERE place = ?";
    session.rings |= after == 0;
    let due = session.now.saturating_add(after);
    session.run(sql(delay).bind(due).bind(tries).bind(entry.place)).await.map(drop)
}

/// Back into the lane of suspects.
async fn suspect(session: &mut Session, entry: &Held) -> Result<()> {
    let back = "UPDATE entry SET state = 4, worker = NULL, token = NULL WHERE place = ?";
    session.rings = true;
    session.run(sql(back).bind(entry.place)).await.map(drop)
}
