//! Workers come and go: registration, and recovery of what a dead one held.

use conserver_core::queue::{DeadLetter, LEASE, Recovered, Strikes, WorkerInfo, WorkerStatus};
use conserver_core::vcon::VconId;
use conserver_core::{ErrorKind, QueueName, Result, WorkerId};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::claim::read_tries;
use crate::clock::{self, saturated};
use crate::queue::SqliteQueue;
use crate::session::{Session, failed, json, rows, sql};
use crate::settle::Terms;
use crate::writer::Keep;

/// So many deaths alone are proof.
const ALONE: u32 = 2;

impl SqliteQueue {
    pub(crate) async fn register_worker(&self, worker: &WorkerInfo) -> Result<()> {
        let worker = worker.clone();
        self.write(Keep::Soon, "register a worker", move |session| {
            Box::pin(async move {
                let add = "INSERT INTO worker (name, lease, host, realm, pid, started, version, suspects) \
                           VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET lease = excluded.lease";
                let add = sql(add)
                    .bind(worker.id.as_str())
                    .bind(session.now + saturated(LEASE))
                    .bind(&worker.host)
                    .bind(&worker.realm)
                    .bind(worker.pid)
                    .bind(worker.started.cast_signed())
                    .bind(&worker.version)
                    .bind(worker.suspects);
                session.run(add).await.map(drop)
            })
        })
        .await
    }

    pub(crate) async fn recover_worker(&self, dead: &WorkerId, strikes: &Strikes) -> Result<Recovered> {
        let (dead, strikes, terms) = (dead.clone(), strikes.clone(), self.terms());
        self.write(Keep::Durable, "recover a worker", move |session| {
            Box::pin(async move { recover(session, &dead, &strikes, terms).await })
        })
        .await
    }

    pub(crate) async fn all_workers(&self) -> Result<Vec<WorkerStatus>> {
        let mut reader = self.base().await?.reader().await?;
        let look = "SELECT name, lease, progress, host, realm, pid, started, version, suspects, \
                    (SELECT count(*) FROM entry WHERE state = 2 AND worker = key) FROM worker ORDER BY key";
        let found = rows(&mut reader, sql(look)).await?;
        let now = clock::now();
        found.iter().map(|row| status(row, now).map_err(failed)).collect()
    }
}

fn status(row: &SqliteRow, now: i64) -> sqlx::Result<WorkerStatus> {
    let text = |n: usize| row.try_get::<String, _>(n);
    let number = |n: usize| row.try_get::<i64, _>(n);
    Ok(WorkerStatus {
        lease_ms: number(1)? - now,
        progress_ms: number(2)?.cast_unsigned(),
        in_flight: number(9)?.cast_unsigned(),
        info: WorkerInfo {
            id: WorkerId::new(text(0)?),
            host: text(3)?,
            realm: text(4)?,
            pid: row.try_get(5)?,
            started: number(6)?.cast_unsigned(),
            version: text(7)?,
            suspects: row.try_get(8)?,
        },
    })
}

/// An entry that a dead worker held.
struct Left {
    place: i64,
    list: i64,
    name: QueueName,
    id: VconId,
    token: u64,
    tries: Option<String>,
}

impl Left {
    fn read(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            place: row.try_get(0)?,
            list: row.try_get(1)?,
            name: QueueName::new(row.try_get::<String, _>(2)?),
            id: VconId::from(row.try_get::<String, _>(3)?),
            token: row.try_get::<i64, _>(4)?.cast_unsigned(),
            tries: row.try_get(5)?,
        })
    }
}

/// Ends a worker's registration and puts back what it held.
pub(crate) async fn recover(
    session: &mut Session,
    dead: &WorkerId,
    strikes: &Strikes,
    terms: Terms,
) -> Result<Recovered> {
    let mut recovered = Recovered::default();
    let gone = "DELETE FROM worker WHERE name = ? RETURNING key, suspects";
    let Some(worker) = session.rows(sql(gone).bind(dead.as_str())).await?.pop() else { return Ok(recovered) };
    let (key, alone): (i64, bool) = (worker.try_get(0).map_err(failed)?, worker.try_get(1).map_err(failed)?);
    let held = "SELECT e.place, e.list, l.name, e.id, e.token, e.tries FROM entry e JOIN list l ON l.key = e.list \
                WHERE e.state = 2 AND e.worker = ? ORDER BY e.token";
    let held = session.rows(sql(held).bind(key)).await?;
    let held: Vec<Left> = held.iter().map(|row| Left::read(row).map_err(failed)).collect::<Result<_>>()?;
    let mut back = Vec::new();
    for entry in &held {
        if strikes.all || strikes.tokens.contains(&entry.token) {
            strike(session, entry, dead, strikes, alone, terms, &mut recovered).await?;
            continue;
        }
        recovered.returned += 1;
        // A suspect whose worker ended for another reason: nothing is proved, it stays in its lane.
        let state = if alone { 4 } else { 3 };
        if alone || entry.tries.is_some() {
            let due = (!alone).then_some(session.now);
            let put = "UPDATE entry SET state = ?, due = ?, worker = NULL, token = NULL WHERE place = ?";
            session.run(sql(put).bind(state).bind(due).bind(entry.place)).await?;
        } else {
            back.push((entry.place, entry.list));
        }
    }
    // Parked occurrences belong behind the ones that were in flight.
    let ids: Vec<&VconId> = held.iter().map(|entry| &entry.id).collect();
    back.extend(session.parked_behind(&ids).await?);
    session.put_first(&back).await?;
    session.rings |= !held.is_empty();
    Ok(recovered)
}

/// Puts an entry that was running when its process died on the lane of suspects, or, proved, on its dead-letter list.
async fn strike(
    session: &mut Session,
    entry: &Left,
    dead: &WorkerId,
    strikes: &Strikes,
    alone: bool,
    terms: Terms,
    recovered: &mut Recovered,
) -> Result<()> {
    let mut tries = entry.tries.as_deref().map(read_tries).unwrap_or_default();
    tries.strikes += 1;
    tries.alone += u32::from(alone);
    if tries.alone < ALONE {
        let put =
            "UPDATE entry SET state = 4, tries = ?, due = NULL, worker = NULL, token = NULL WHERE place = ?";
        session.run(sql(put).bind(json(&tries)).bind(entry.place)).await?;
        recovered.suspects.push(entry.id.clone());
        return Ok(());
    }
    let named = strikes.dlqs.iter().find(|(list, _)| *list == entry.name).map(|(_, dlq)| dlq.clone());
    let letter = DeadLetter {
        reason: ErrorKind::Poison.as_str().to_owned(),
        error: format!("the worker died of {} twice while it ran this vCon alone", strikes.signal),
        list: Some(entry.name.clone()),
        attempt: tries.strikes,
        signal: Some(strikes.signal.clone()),
        worker: Some(dead.clone()),
        ..DeadLetter::default()
    };
    session.remove(&[entry.place]).await?;
    let dlq = named.unwrap_or_else(|| entry.name.dead_letters());
    session.bury(&dlq, entry.id.clone(), letter, terms.letter).await?;
    recovered.poison.push(entry.id.clone());
    Ok(())
}
