//! What may happen, and what the model makes of it.

use std::time::Duration;

use conserver_core::queue::{End, Finish, Lease, Settled, Settlement, Strikes, Tries};
use conserver_core::store::{DocumentWrite, Encoding};
use conserver_testkit::queue_suite::{
    QueueFixture, dead, given_back, lane_worker, listed, push, retried, settle, worker,
};

use super::claims::place;
use super::state::{Found, LISTS, Model, same};

/// One step of a history.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Push {
        list: usize,
        ids: Vec<u8>,
    },
    Claim {
        worker: usize,
        room: usize,
        lost: bool,
    },
    Settle {
        worker: usize,
        ends: Vec<u8>,
        lost: bool,
    },
    ClaimSuspect {
        lost: bool,
    },
    SettleSuspect {
        end: u8,
    },
    Die {
        worker: usize,
        struck: u8,
    },
    EndLease {
        worker: usize,
    },
    Renew {
        worker: usize,
    },
    Pause {
        list: usize,
        paused: bool,
    },
    PythonPop {
        list: usize,
    },
    /// A dead worker's settlement arrives after its recovery.
    Late,
    Drain,
}

impl Model<'_> {
    pub(super) async fn take(&mut self, step: &Step) -> Found {
        match step {
            Step::Push { list, ids } => {
                let ids: Vec<String> = ids.iter().map(|n| format!("id|{n}\n")).collect();
                push(&self.queue, LISTS[*list], &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
                self.pushed += ids.len();
                self.lists[*list].extend(ids);
                Ok(())
            }
            Step::Claim { worker, room, lost } => self.claim(*worker, *room, *lost).await,
            Step::ClaimSuspect { lost } => self.claim_suspect(*lost).await,
            Step::Settle { worker, ends, lost } => self.settle(*worker, ends, *lost).await,
            Step::SettleSuspect { end } => self.settle(2, &[*end], false).await,
            Step::Die { worker, struck } => self.die(*worker, *struck).await,
            Step::EndLease { worker } => {
                self.bench.end_lease(&self.members[*worker].id).await;
                self.members[*worker].is_awake = false;
                Ok(())
            }
            Step::Renew { worker } => {
                let id = self.members[*worker].id.clone();
                let mut keeper = self.queue.keeper(&id).map_err(|e| e.chain())?;
                let renewed = tokio::task::block_in_place(|| keeper.renew(Duration::ZERO));
                self.members[*worker].is_awake = true;
                same("renewal", &renewed.map_err(|e| e.chain())?, &true)
            }
            Step::Pause { list, paused } => {
                let changed =
                    self.queue.set_paused(&LISTS[*list].into(), *paused).await.map_err(|e| e.chain())?;
                let was = std::mem::replace(&mut self.paused[*list], *paused);
                same("pause", &changed, &(was != *paused))
            }
            Step::PythonPop { list } => {
                let popped: Option<String> = self.bench.words(&["LPOP", LISTS[*list]]).await;
                let expected = self.lists[*list].pop_front();
                self.popped += usize::from(popped.is_some());
                same("popped", &popped, &expected)
            }
            Step::Late => {
                for (worker, settlement) in std::mem::take(&mut self.late) {
                    same(
                        "late settlement",
                        &settle(&self.queue, &worker, &[settlement]).await,
                        &vec![Settled::Gone],
                    )?;
                }
                Ok(())
            }
            Step::Drain => self.drain().await,
        }
    }

    async fn settle(&mut self, worker: usize, ends: &[u8], lost: bool) -> Found {
        let member = &mut self.members[worker];
        // Not the oldest first only: every other one.
        let mut chosen: Vec<Lease> = Vec::new();
        for n in 0..ends.len().min(member.held.len()) {
            let at = if n % 2 == 0 { 0 } else { member.held.len() - 1 };
            chosen.push(member.held.remove(at));
        }
        let id = member.id.clone();
        let batch: Vec<Settlement> =
            chosen.into_iter().zip(ends).map(|(lease, end)| ended(lease, *end, "in time")).collect();
        let settled = settle(&self.queue, &id, &batch).await;
        same("settled", &settled, &vec![Settled::Applied; batch.len()])?;
        if lost {
            let again = settle(&self.queue, &id, &batch).await;
            same("settled again", &again, &vec![Settled::Gone; batch.len()])?;
        }
        let mut back = Vec::new();
        for Settlement { lease, end } in batch {
            match end {
                End::GiveBack => back.push(lease),
                end => self.ends(&lease, &end),
            }
        }
        for lease in back.iter().rev() {
            self.unpark(lease.entry.id.as_str());
        }
        for lease in back.iter().rev() {
            self.back(worker == 2, lease);
        }
        Ok(())
    }

    fn ends(&mut self, lease: &Lease, end: &End) {
        let (n, token, id) = (place(lease), lease.entry.token, lease.entry.id.as_str().to_owned());
        match end {
            End::Retry { after, .. } => {
                self.tries[n].insert(token);
                self.delayed[n].insert(token, (id.clone(), after.is_zero()));
            }
            End::Dead { .. } => {
                self.dead[n].push(id.clone());
                self.tries[n].remove(&token);
            }
            end => {
                for document in end.documents() {
                    self.documents.insert(id.clone(), String::from_utf8_lossy(&document.json).into_owned());
                }
                self.done.push(id.clone());
                self.tries[n].remove(&token);
            }
        }
        self.unpark(&id);
    }

    /// Given back or recovered without a strike.
    fn back(&mut self, alone: bool, lease: &Lease) {
        let (n, token, id) = (place(lease), lease.entry.token, lease.entry.id.as_str().to_owned());
        if alone {
            self.suspects[n].push_front((token, id));
        } else if lease.tries.is_fresh() {
            self.lists[n].push_front(id);
        } else {
            self.delayed[n].insert(token, (id, true));
        }
    }

    async fn die(&mut self, at: usize, struck: u8) -> Found {
        let held = std::mem::take(&mut self.members[at].held);
        let is_struck = |n: usize| struck >= 192 || (struck >= 64 && struck >> (n % 6) & 1 == 1);
        let tokens: Vec<u64> = held
            .iter()
            .enumerate()
            .filter(|(n, _)| is_struck(*n))
            .map(|(_, lease)| lease.entry.token)
            .collect();
        let strikes = Strikes { all: struck >= 192, tokens, signal: "SIGSEGV".to_owned(), dlqs: Vec::new() };
        let dead_one = self.members[at].id.clone();
        let recovered = self.queue.recover(&dead_one, &strikes).await.map_err(|e| e.chain())?;
        let again = self.queue.recover(&dead_one, &strikes).await.map_err(|e| e.chain())?;
        same("second recovery", &again, &Default::default())?;

        let mut ordered: Vec<(bool, Lease)> =
            held.into_iter().enumerate().map(|(n, l)| (is_struck(n), l)).collect();
        ordered.sort_by_key(|(_, lease)| LISTS[place(lease)]);
        for (_, lease) in ordered.iter().rev() {
            self.unpark(lease.entry.id.as_str());
        }
        let (mut suspects, mut poison) = (0, 0);
        for (struck, lease) in ordered.into_iter().rev() {
            let (n, token, id) = (place(&lease), lease.entry.token, lease.entry.id.as_str().to_owned());
            // It may come back to life and speak of it.
            let ghost = Lease {
                entry: lease.entry.clone(),
                context: None,
                document_bytes: None,
                tries: Tries::default(),
            };
            self.late.push((dead_one.clone(), ended(ghost, struck.into(), "too late")));
            if !struck {
                self.back(at == 2, &lease);
                continue;
            }
            let alone = self.alone.entry(token).or_default();
            *alone += u32::from(at == 2);
            if *alone >= 2 {
                poison += 1;
                self.dead[n].push(id);
                self.tries[n].remove(&token);
            } else {
                suspects += 1;
                self.suspects[n].push_front((token, id));
                self.tries[n].insert(token);
            }
        }
        same(
            "suspects and poison",
            &(recovered.suspects.len(), recovered.poison.len()),
            &(suspects, poison),
        )?;
        let id = if at == 2 { lane_worker(&self.queue, "here").await } else { worker(&self.queue).await };
        self.members[at].id = id;
        self.members[at].is_awake = true;
        Ok(())
    }

    async fn drain(&mut self) -> Found {
        let lists = LISTS.map(Into::into);
        let drained = self.queue.drain(&lists).await.map_err(|e| e.chain())?;
        let mut count = 0;
        for (n, name) in LISTS.iter().enumerate() {
            let tokens =
                self.delayed[n].keys().copied().chain(self.suspects[n].iter().map(|(token, _)| *token));
            for token in tokens.collect::<Vec<_>>() {
                self.tries[n].remove(&token);
            }
            let delayed = std::mem::take(&mut self.delayed[n]).into_values().map(|(id, _)| id);
            let mut returned: Vec<String> = delayed.collect();
            count += returned.len() as u64;
            returned.extend(std::mem::take(&mut self.suspects[n]).into_iter().map(|(_, id)| id));
            // In which order they come back is not modelled; that they stand before the others is.
            let real = listed(&self.queue, name).await;
            let mut head: Vec<String> = real.iter().take(returned.len()).cloned().collect();
            head.sort();
            returned.sort();
            same("drained", &head, &returned)?;
            for id in real[..returned.len()].iter().rev() {
                self.lists[n].push_front(id.clone());
            }
        }
        same("drained", &(drained.delayed, drained.parked, drained.abandoned), &(count, 0, 0))
    }

    /// Runs everything to its end: nothing may be stuck.
    pub(super) async fn run_dry(&mut self) -> Found {
        for worker in 0..3 {
            self.take(&Step::Renew { worker }).await?;
            let all = vec![0; self.members[worker].held.len()];
            self.settle(worker, &all, false).await?;
        }
        self.take(&Step::Drain).await?;
        for list in 0..2 {
            self.take(&Step::Pause { list, paused: false }).await?;
        }
        while self.done.len() + self.dead.iter().map(Vec::len).sum::<usize>() + self.popped < self.pushed {
            self.claim(0, 8, false).await?;
            let all = vec![0; self.members[0].held.len()];
            if all.is_empty() {
                return Err("ids are left that nobody gets".to_owned());
            }
            self.settle(0, &all, false).await?;
        }
        self.compare().await
    }
}

/// An end by number. One that finishes writes a document which says by whom.
fn ended(lease: Lease, end: u8, by: &str) -> Settlement {
    let tries = Tries { attempt: lease.tries.attempt + 1, ..lease.tries.clone() };
    match end {
        0 | 1 => {
            let id = lease.entry.id.clone();
            let json = format!("{by} {}", lease.entry.token).into();
            let documents = vec![DocumentWrite { id: id.clone(), json, encoding: Encoding::Text }];
            let egress = vec![("out".into(), id)];
            Settlement::new(lease, End::Finish(Box::new(Finish { documents, egress, ..Finish::default() })))
        }
        2 => retried(lease, Duration::ZERO, tries),
        3 => retried(lease, Duration::from_secs(3600), tries),
        4 => {
            let dlq = lease.entry.list.dead_letters();
            dead(lease, dlq.as_str(), "invalid")
        }
        _ => given_back(lease),
    }
}
