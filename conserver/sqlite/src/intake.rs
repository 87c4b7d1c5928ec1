//! The doors: documents come in whole, and ids go out.

use async_trait::async_trait;
use conserver_core::intake::{Arrival, Arrived, Intake, ONCE, Target};
use conserver_core::vcon::VconId;
use conserver_core::{Error, ErrorKind, QueueName, Result};
use sqlx::Row;

use crate::clock::saturated;
use crate::error::shared;
use crate::place::Occurrence;
use crate::queue::SqliteQueue;
use crate::session::{Session, failed, sql};
use crate::writer::Keep;

#[async_trait]
impl Intake for SqliteQueue {
    async fn accept(&self, arrivals: &[Arrival]) -> Vec<Result<Arrived>> {
        let (taken, index) = (arrivals.to_vec(), saturated(self.options.index_expiry));
        let all = self.write(Keep::Durable, "take a vCon in", move |session| {
            Box::pin(async move {
                let mut answers = Vec::with_capacity(taken.len());
                for arrival in taken {
                    answers.push(accept(session, arrival, index).await?);
                }
                Ok(answers)
            })
        });
        match all.await {
            Ok(answers) => answers,
            Err(error) => arrivals.iter().map(|_| Err(shared(&error))).collect(),
        }
    }

    async fn enqueue(&self, target: &Target, ids: &[VconId], context: Option<&str>) -> Result<u64> {
        let doing = format!("put ids on `{}`", target.list);
        let (target, context) = (target.clone(), context.map(str::to_owned));
        let occurrences: Vec<Occurrence> = ids
            .iter()
            .map(|id| Occurrence { id: id.clone(), context: context.clone(), letter: None })
            .collect();
        let enqueued = self.write(Keep::Durable, &doing, move |session| {
            Box::pin(async move {
                Ok(match session.full(&target, occurrences.len()).await? {
                    Some(full) => Err(full),
                    None => Ok(session.append(&target.list, &occurrences).await?),
                })
            })
        });
        enqueued.await?.map_err(|full| full.context(doing))
    }

    async fn pop(&self, list: &QueueName, count: usize) -> Result<Vec<VconId>> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let (list, count) = (list.clone(), i64::try_from(count).unwrap_or(i64::MAX));
        let doing = format!("pop from `{list}`");
        self.write(Keep::Durable, &doing, move |session| Box::pin(pop(session, list, count))).await
    }

    async fn length(&self, list: &QueueName) -> Result<u64> {
        self.push_ids(list, &[]).await
    }
}

/// Takes one document in. The outer result is the database's, and everybody's; the inner one is this arrival's, which
/// was refused before anything of it was written.
async fn accept(session: &mut Session, arrival: Arrival, index: i64) -> Result<Result<Arrived>> {
    if let Some(once) = &arrival.once {
        let known = "SELECT id FROM once WHERE name = ? AND until > ?";
        let known = session.rows(sql(known).bind(once.as_str()).bind(session.now)).await?;
        if let Some(known) = known.first() {
            let id: String = known.try_get(0).map_err(failed)?;
            return Ok(match id == arrival.id.as_str() {
                true => Ok(Arrived::Repeated),
                false => {
                    let says = format!("this `Idempotency-Key` was used for another vCon, `{id}`");
                    Err(Error::new(ErrorKind::Conflict, says))
                }
            });
        }
    }
    for (n, target) in arrival.lists.iter().enumerate() {
        let before = arrival.lists[..n].iter().filter(|other| other.list == target.list).count();
        if let Some(full) = session.full(target, before + 1).await? {
            return Ok(Err(full));
        }
    }
    let expires = arrival.ttl.map(|ttl| session.now.saturating_add(saturated(ttl).max(1)));
    session.put(&arrival.id, &arrival.json, expires).await?;
    session.index(&arrival.id, &arrival.keys, session.now.saturating_add(index)).await?;
    for target in &arrival.lists {
        let (id, context) = (arrival.id.clone(), arrival.context.clone());
        session.append(&target.list, &[Occurrence { id, context, letter: None }]).await?;
    }
    if let Some(once) = &arrival.once {
        let note = "INSERT INTO once VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET id = ?2, until = ?3";
        let until = session.now + saturated(ONCE);
        session.run(sql(note).bind(once.as_str()).bind(arrival.id.as_str()).bind(until)).await?;
    }
    Ok(Ok(Arrived::Stored))
}

async fn pop(session: &mut Session, list: QueueName, count: i64) -> Result<Vec<VconId>> {
    let newest = "SELECT e.id, e.place, e.list FROM list l JOIN entry e ON e.list = l.key AND e.state = 0 \
                  WHERE l.name = ? ORDER BY e.place DESC LIMIT ?";
    let (mut ids, mut places, mut key) = (Vec::new(), Vec::new(), None);
    for row in session.rows(sql(newest).bind(list.as_str()).bind(count)).await? {
        ids.push(VconId::from(row.try_get::<String, _>(0).map_err(failed)?));
        places.push(row.try_get(1).map_err(failed)?);
        key = Some(row.try_get(2).map_err(failed)?);
    }
    session.remove(&places).await?;
    if let Some(key) = key {
        session.lengthen(key, -i64::try_from(ids.len()).unwrap_or(0)).await?;
    }
    Ok(ids)
}

impl Session {
    /// The refusal of a list that so many more do not fit on.
    async fn full(&mut self, target: &Target, more: usize) -> Result<Option<Error>> {
        let Some(bound) = target.bound else { return Ok(None) };
        let length = sql("SELECT length FROM list WHERE name = ?").bind(target.list.as_str());
        let length = self.number(length).await?.unwrap_or(0).cast_unsigned();
        let is_full = length.saturating_add(more as u64) > bound;
        Ok(is_full.then(|| Error::new(ErrorKind::RateLimited, format!("the list `{}` is full", target.list))))
    }
}
