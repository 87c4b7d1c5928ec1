//! Claims in the model: which answers are right is checked, for more than one may be.

use conserver_core::queue::{ClaimRequest, Lane, Lease};
use conserver_testkit::queue_suite::{claim_as, listed, shares};

use super::state::{Found, LISTS, Model, same};

impl Model<'_> {
    pub(super) async fn claim(&mut self, worker: usize, room: usize, lost: bool) -> Found {
        let before: Vec<usize> = self.lists.iter().map(|list| list.len()).collect();
        let new = self.ask(worker, room, Lane::Main, lost).await;
        if !self.members[worker].is_awake {
            return same("a claim without lease", &new.len(), &0);
        }
        if new.len() > room {
            return Err(format!("{} ids for {room} places", new.len()));
        }
        let open: usize = (0..2).filter(|n| !self.paused[*n]).map(|n| before[n]).sum();
        let busy = self.busy();
        let is_due = |n: usize| {
            !self.paused[n] && self.delayed[n].values().any(|(id, due)| *due && !busy.contains_key(id))
        };
        let due = is_due(0) || is_due(1);
        let (retries, fresh): (Vec<Lease>, Vec<Lease>) =
            new.into_iter().partition(|lease| self.delayed[place(lease)].contains_key(&lease.entry.token));
        if open >= room && retries.len() > room.div_ceil(2) {
            return Err(format!("{} retries of {room} places while {open} ids wait", retries.len()));
        }
        for lease in retries {
            self.hold_retry(worker, lease)?;
        }
        let mut fresh = fresh.into_iter().peekable();
        let mut taken = 0;
        for (n, list) in LISTS.iter().enumerate() {
            let left = listed(&self.queue, list).await.len();
            for _ in left..before[n] {
                taken += 1;
                self.take_head(worker, n, &mut fresh)?;
            }
        }
        if let Some(lease) = fresh.next() {
            return Err(format!("{lease:?} came from nowhere"));
        }
        let some = room == 0 || taken > 0 || (open == 0 && !due) || !self.members[worker].held.is_empty();
        if some { Ok(()) } else { Err(format!("nothing for {room} places although {open} ids wait")) }
    }

    pub(super) async fn claim_suspect(&mut self, lost: bool) -> Found {
        let new = self.ask(2, 1, Lane::Suspects, lost).await;
        let busy = self.busy();
        let is_free = |n: &usize| {
            !self.paused[*n] && self.suspects[*n].front().is_some_and(|(_, id)| !busy.contains_key(id))
        };
        let expected = (0..2).find(is_free).filter(|_| self.members[2].is_awake);
        let Some(n) = expected else { return same("suspects claimed", &new.len(), &0) };
        let (token, id) = self.suspects[n].pop_front().expect("it was there");
        let Some(lease) = new.into_iter().next() else {
            return Err(format!("suspect {id} was not handed out"));
        };
        same("suspect", &(lease.entry.token, lease.entry.id.as_str()), &(token, id.as_str()))?;
        self.members[2].held.push(lease);
        Ok(())
    }

    /// Claims for real; where the answer is lost, the holdings tell what it brought.
    async fn ask(&self, worker: usize, room: usize, lane: Lane, lost: bool) -> Vec<Lease> {
        let lists = shares(&LISTS);
        let request = ClaimRequest { rooms: &[room], lists: &lists, lane };
        let member = &self.members[worker];
        let claimed = claim_as(&self.queue, &member.id, &request).await;
        if !lost {
            return claimed.leases;
        }
        let held = self.queue.holdings(&member.id).await.expect("Redis answers");
        let is_known = |lease: &Lease| member.held.iter().any(|known| known.entry.token == lease.entry.token);
        held.into_iter().filter(|lease| !is_known(lease)).collect()
    }

    fn hold_retry(&mut self, worker: usize, lease: Lease) -> Found {
        let n = place(&lease);
        let (id, due) = self.delayed[n].remove(&lease.entry.token).expect("looked up before");
        if !due || self.paused[n] || self.busy().contains_key(&id) || lease.tries.is_fresh() {
            return Err(format!("{lease:?} was not to be had"));
        }
        same("retry", &lease.entry.id.as_str(), &id.as_str())?;
        self.members[worker].held.push(lease);
        Ok(())
    }

    /// The head of a list was taken: it runs, or it is parked.
    fn take_head(&mut self, worker: usize, n: usize, fresh: &mut impl Iterator<Item = Lease>) -> Found {
        let id = self.lists[n].pop_front().ok_or("more was taken than was there")?;
        if self.paused[n] {
            return Err(format!("{id} was taken from a paused list"));
        }
        if self.busy().contains_key(&id) {
            self.parked.entry(id).or_default()[n] += 1;
            return Ok(());
        }
        let Some(lease) = fresh.next() else { return Err(format!("{id} was taken and not handed out")) };
        same("lease", &(lease.entry.id.as_str(), place(&lease)), &(id.as_str(), n))?;
        self.members[worker].held.push(lease);
        Ok(())
    }
}

/// Which list a lease is of.
pub(super) fn place(lease: &Lease) -> usize {
    LISTS.iter().position(|list| *list == lease.entry.list.as_str()).expect("a list of ours")
}
