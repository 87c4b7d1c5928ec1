//! Taking ids: a look without a lock whether there is anything, and the transaction that takes it.

use conserver_core::queue::{ClaimRequest, Claimed, Entry, Lane, Lease, ListShare, Tries};
use conserver_core::vcon::VconId;
use conserver_core::{Result, WorkerId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::collections::HashSet;
use std::sync::atomic::Ordering;

use crate::clock;
use crate::queue::{Base, SqliteQueue};
use crate::session::{Session, failed, growing, numbers, rows, sql};
use crate::share::{Room, Supply};
use crate::writer::Keep;

/// One claim takes at most this many ids.
const MOST: usize = 256;
/// A retry whose id runs right now is looked at again after this many milliseconds.
const LATER: i64 = 1000;

/// A request that outlives its caller.
#[derive(Clone)]
struct Ask {
    worker: WorkerId,
    rooms: Vec<usize>,
    lists: Vec<ListShare>,
    lane: Lane,
}

/// What a claim sees before it takes anything.
struct Look {
    worker: Option<Me>,
    /// In the order of the request; `None` for a list that nobody ever used.
    lists: Vec<Option<Listed>>,
}

struct Me {
    key: i64,
    lease: i64,
    realm: String,
}

#[derive(Clone, Copy)]
struct Listed {
    key: i64,
    supply: Supply,
    /// When the first delayed id is due.
    due: Option<i64>,
    has_suspects: bool,
}

impl SqliteQueue {
    pub(crate) async fn claim_ids(&self, worker: &WorkerId, request: &ClaimRequest<'_>) -> Result<Claimed> {
        let base = self.base().await?;
        base.listen();
        let ask = Ask {
            worker: worker.clone(),
            rooms: request.rooms.to_vec(),
            lists: request.lists.to_vec(),
            lane: request.lane,
        };
        loop {
            let (claimed, parked) = self.claim_once(base, &ask).await?;
            self.is_busy.store(!claimed.leases.is_empty(), Ordering::Relaxed);
            // Behind what was set aside there may be more.
            if !claimed.leases.is_empty() || claimed.unregistered || !parked {
                return Ok(claimed);
            }
        }
    }

    /// One claim; also tells whether it set other occurrences aside.
    async fn claim_once(&self, base: &Base, ask: &Ask) -> Result<(Claimed, bool)> {
        // Where the last claim found something this one will: then a look costs more than it saves.
        if !self.is_busy.load(Ordering::Relaxed) {
            let look = look(&mut *base.reader().await?, ask).await?;
            if !look.promises(ask, clock::now()) {
                return Ok((look.nothing(), false));
            }
        }
        let ask = ask.clone();
        self.write(Keep::Soon, "claim ids", move |session| Box::pin(take(session, ask))).await
    }

    /// Everything this worker holds by the file's account. It waits for claims that are still under way.
    pub(crate) async fn held_by(&self, worker: &WorkerId) -> Result<Vec<Lease>> {
        let name = worker.clone();
        let doing = "list what this worker holds";
        self.write(Keep::Soon, doing, move |session| Box::pin(holdings(session, name))).await
    }
}

async fn holdings(session: &mut Session, worker: WorkerId) -> Result<Vec<Lease>> {
    let held = "SELECT e.id, e.context, e.tries, length(d.json), e.place, 0, e.token, l.name \
                FROM worker w JOIN entry e ON e.state = 2 AND e.worker = w.key \
                JOIN list l ON l.key = e.list LEFT JOIN document d ON d.id = e.id \
                WHERE w.name = ? ORDER BY e.token";
    let rows = session.rows(sql(held).bind(worker.as_str())).await?;
    rows.iter()
        .map(|row| {
            let (token, list): (i64, &str) =
                (row.try_get(6).map_err(failed)?, row.try_get(7).map_err(failed)?);
            let found = Found::read(row)?;
            Ok(found.lease(list.into(), token))
        })
        .collect()
}

async fn look(db: &mut SqliteConnection, ask: &Ask) -> Result<Look> {
    let worker = sql("SELECT key, lease, realm FROM worker WHERE name = ?").bind(ask.worker.as_str());
    let worker =
        rows(db, worker).await?.pop().map(|row| Me { key: row.get(0), lease: row.get(1), realm: row.get(2) });
    let mut lists = vec![None; ask.lists.len()];
    if ask.lists.is_empty() || worker.is_none() {
        return Ok(Look { worker, lists });
    }
    let mut query = growing(
        "SELECT name, key, length, paused, (SELECT min(due) FROM entry WHERE list = key AND state = 3), \
         EXISTS (SELECT 1 FROM entry WHERE list = key AND state = 4) FROM list WHERE name IN (",
    );
    let mut names = query.separated(", ");
    for share in &ask.lists {
        names.push_bind(share.list.as_str());
    }
    query.push(")");
    for row in rows(db, query.build()).await? {
        let name: &str = row.get(0);
        let waiting = usize::try_from(row.get::<i64, _>(2)).unwrap_or(0);
        let listed = Listed {
            key: row.get(1),
            supply: Supply { waiting, paused: row.get(3) },
            due: row.get(4),
            has_suspects: row.get(5),
        };
        let places = ask.lists.iter().zip(&mut lists).filter(|(share, _)| share.list.as_str() == name);
        places.for_each(|(_, place)| *place = Some(listed));
    }
    Ok(Look { worker, lists })
}

impl Look {
    /// Whether a transaction could take anything.
    fn promises(&self, ask: &Ask, now: i64) -> bool {
        self.worker.as_ref().is_some_and(|me| me.lease >= now)
            && ask.lists.iter().zip(&self.lists).any(|(share, listed)| {
                let Some(listed) = listed.filter(|listed| !listed.supply.paused) else { return false };
                let has_room = ask.rooms.get(share.room).is_some_and(|room| *room > 0);
                has_room
                    && match ask.lane {
                        Lane::Main => listed.supply.waiting > 0 || listed.due.is_some_and(|due| due <= now),
                        Lane::Suspects => listed.has_suspects,
                    }
            })
    }

    fn nothing(&self) -> Claimed {
        let lengths = self.lists.iter().map(|listed| listed.map_or(0, |listed| listed.supply.waiting as u64));
        Claimed { lengths: lengths.collect(), unregistered: self.worker.is_none(), ..Claimed::default() }
    }
}

/// An entry that may be taken.
struct Found {
    place: i64,
    id: String,
    context: Option<String>,
    tries: Option<String>,
    bytes: Option<i64>,
    busy: bool,
}

impl Found {
    /// Reads `id, context, tries, bytes, place, busy`.
    fn read(row: &SqliteRow) -> Result<Self> {
        let read = || -> sqlx::Result<Self> {
            Ok(Self {
                id: row.try_get(0)?,
                context: row.try_get(1)?,
                tries: row.try_get(2)?,
                bytes: row.try_get(3)?,
                place: row.try_get(4)?,
                busy: row.try_get(5)?,
            })
        };
        read().map_err(failed)
    }

    fn lease(self, list: conserver_core::QueueName, token: i64) -> Lease {
        Lease {
            entry: Entry { list, token: token.cast_unsigned(), id: VconId::from(self.id) },
            context: self.context,
            document_bytes: self.bytes.and_then(|bytes| usize::try_from(bytes).ok()),
            tries: self.tries.map(|tries| read_tries(&tries)).unwrap_or_default(),
        }
    }
}

/// Tries written by another version may miss members or have others: what is unreadable counts as none.
pub(crate) fn read_tries(json: &str) -> Tries {
    serde_json::from_str(json).unwrap_or_default()
}

/// What one transaction takes, before it is written.
#[derive(Default)]
struct Haul {
    taken: Vec<(usize, Found)>,
    ids: HashSet<String>,
    parked: Vec<i64>,
    postponed: Vec<i64>,
}

/// Takes ids; also tells whether it set other occurrences aside.
async fn take(session: &mut Session, ask: Ask) -> Result<(Claimed, bool)> {
    let look = look(&mut session.db, &ask).await?;
    let mut claimed = look.nothing();
    let Some(me) = look.worker.as_ref().filter(|me| me.lease >= session.now) else {
        return Ok((claimed, false));
    };
    let mut haul = Haul::default();
    match ask.lane {
        Lane::Suspects => suspect(session, &ask, &look, me, &mut haul).await?,
        Lane::Main => main(session, &ask, &look, &mut haul, &mut claimed).await?,
    }
    if !haul.postponed.is_empty() {
        let later = "UPDATE entry SET due = ? WHERE place IN (SELECT value FROM json_each(?))";
        session.run(sql(later).bind(session.now + LATER).bind(numbers(&haul.postponed))).await?;
    }
    if !haul.parked.is_empty() {
        let park = "UPDATE entry SET state = 1 WHERE place IN (SELECT value FROM json_each(?))";
        session.run(sql(park).bind(numbers(&haul.parked))).await?;
    }
    if !haul.taken.is_empty() {
        let count = i64::try_from(haul.taken.len()).unwrap_or(i64::MAX);
        let next = sql("UPDATE meta SET value = value + ? WHERE name = 'token' RETURNING value");
        let first = session.number(next.bind(count)).await?.unwrap_or_default() - count + 1;
        let places: Vec<i64> = haul.taken.iter().map(|(_, found)| found.place).collect();
        let hold = "UPDATE entry SET state = 2, due = NULL, worker = ?, token = ? + j.key \
                    FROM json_each(?) j WHERE entry.place = j.value";
        session.run(sql(hold).bind(me.key).bind(first).bind(numbers(&places))).await?;
        let leases = haul.taken.into_iter().zip(first..);
        claimed.leases =
            leases.map(|((n, found), token)| found.lease(ask.lists[n].list.clone(), token)).collect();
    }
    Ok((claimed, !haul.parked.is_empty()))
}

/// One suspect, unless another worker of this host runs one.
async fn suspect(session: &mut Session, ask: &Ask, look: &Look, me: &Me, haul: &mut Haul) -> Result<()> {
    let other = "SELECT 1 FROM worker w JOIN entry e ON e.state = 2 AND e.worker = w.key \
                 WHERE w.suspects = 1 AND w.realm = ? AND w.key <> ? LIMIT 1";
    if session.number(sql(other).bind(me.realm.as_str()).bind(me.key)).await?.is_some() {
        return Ok(());
    }
    for (n, listed) in look.lists.iter().enumerate() {
        let Some(listed) = listed.filter(|listed| listed.has_suspects && !listed.supply.paused) else {
            continue;
        };
        if ask.rooms.get(ask.lists[n].room).is_none_or(|room| *room == 0) {
            continue;
        }
        let rows = session.rows(sql(SUSPECTS).bind(listed.key)).await?;
        let found = rows.first().map(Found::read).transpose()?;
        if let Some(found) = found.filter(|found| !found.busy) {
            haul.taken.push((n, found));
            return Ok(());
        }
    }
    Ok(())
}

/// Due retries first, then new ids by the shares of their lists.
async fn main(
    session: &mut Session,
    ask: &Ask,
    look: &Look,
    haul: &mut Haul,
    claimed: &mut Claimed,
) -> Result<()> {
    let all = ask.rooms.iter().sum::<usize>().min(MOST);
    let mut room = Room { left: all, rooms: ask.rooms.clone() };
    let supplies: Vec<Supply> =
        look.lists.iter().map(|listed| listed.map(|listed| listed.supply).unwrap_or_default()).collect();
    let mut most = room.retries(&ask.lists, &supplies, usize::from(clock::is_odd()));
    for (n, listed) in look.lists.iter().enumerate() {
        let r = ask.lists[n].room;
        let places = most[r].min(room.rooms[r]).min(room.left);
        let due = |listed: &Listed| listed.due.is_some_and(|due| due <= session.now) && !listed.supply.paused;
        let Some(listed) = listed.filter(|listed| places > 0 && due(listed)) else { continue };
        let retries =
            sql(RETRIES).bind(listed.key).bind(session.now).bind(i64::try_from(places).unwrap_or(i64::MAX));
        for row in session.rows(retries).await? {
            let found = Found::read(&row)?;
            // Another occurrence runs: look again soon, and let those behind it pass.
            if found.busy || !haul.ids.insert(found.id.clone()) {
                haul.postponed.push(found.place);
                continue;
            }
            haul.taken.push((n, found));
            most[r] -= 1;
            room.rooms[r] -= 1;
            room.left -= 1;
        }
    }
    let wanted = room.share_out(&ask.lists, &supplies, all);
    for (n, wanted) in wanted.into_iter().enumerate().filter(|(_, wanted)| *wanted > 0) {
        let Some(listed) = look.lists[n] else { continue };
        let new = sql(WAITING).bind(listed.key).bind(i64::try_from(wanted).unwrap_or(i64::MAX));
        let rows = session.rows(new).await?;
        for row in &rows {
            let found = Found::read(row)?;
            if found.busy || !haul.ids.insert(found.id.clone()) {
                haul.parked.push(found.place);
            } else {
                haul.taken.push((n, found));
            }
        }
        session.lengthen(listed.key, -i64::try_from(rows.len()).unwrap_or(0)).await?;
        claimed.lengths[n] = claimed.lengths[n].saturating_sub(rows.len() as u64);
    }
    Ok(())
}

macro_rules! candidates {
    ($of:literal) => {
        concat!(
            "SELECT id, context, tries, (SELECT length(json) FROM document d WHERE d.id = e.id), place, \
             EXISTS (SELECT 1 FROM entry o WHERE o.id = e.id AND o.state = 2) FROM entry e WHERE ",
            $of
        )
    };
}

const WAITING: &str = candidates!("list = ? AND state = 0 ORDER BY place LIMIT ?");
const RETRIES: &str = candidates!("list = ? AND state = 3 AND due <= ? ORDER BY due LIMIT ?");
const SUSPECTS: &str = candidates!("list = ? AND state = 4 ORDER BY place LIMIT 1");
