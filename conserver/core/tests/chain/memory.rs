//! A storage in memory that can be away, slow, choosy, or broken, as servers are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use conserver_core::storage::{Storage, StorageInfo};
use conserver_core::vcon::{Limits, Vcon, VconId, View};
use conserver_core::{Error, ErrorKind, Result};

/// Keeps the read view of each vCon.
#[derive(Debug)]
pub(crate) struct Memory {
    info: StorageInfo,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    documents: BTreeMap<VconId, Bytes>,
    /// The ids of each save that came through, in order.
    saves: Vec<Vec<String>>,
    calls: usize,
    checks: usize,
    away: bool,
    latency: Duration,
    refuses: BTreeSet<String>,
    panics_at: BTreeSet<String>,
    fails_once: BTreeSet<String>,
}

impl Memory {
    pub(crate) fn new() -> Arc<Self> {
        Self::in_batches(1)
    }

    pub(crate) fn in_batches(max_batch: usize) -> Arc<Self> {
        Self::with(StorageInfo::new("memory").batch(max_batch))
    }

    /// One whose check tells nothing.
    pub(crate) fn probed_by_saves() -> Arc<Self> {
        Self::with(StorageInfo::new("memory").probed_by_saves())
    }

    fn with(info: StorageInfo) -> Arc<Self> {
        Arc::new(Self { info, state: Mutex::default() })
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.state().away = away;
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        self.state().latency = latency;
    }

    pub(crate) fn refuse(&self, id: &str) {
        self.state().refuses.insert(id.to_owned());
    }

    pub(crate) fn panic_at(&self, id: &str) {
        self.state().panics_at.insert(id.to_owned());
    }

    pub(crate) fn fail_once(&self, id: &str) {
        self.state().fails_once.insert(id.to_owned());
    }

    pub(crate) fn json(&self, id: &str) -> Option<String> {
        let json = self.state().documents.get(id).cloned();
        json.map(|json| String::from_utf8(json.to_vec()).unwrap())
    }

    pub(crate) fn put(&self, id: &str, json: &str) {
        self.state().documents.insert(id.into(), Bytes::copy_from_slice(json.as_bytes()));
    }

    /// The ids of each save that came through, in order.
    pub(crate) fn saves(&self) -> Vec<Vec<String>> {
        self.state().saves.clone()
    }

    /// How often `save` was called, answered or not.
    pub(crate) fn calls(&self) -> usize {
        self.state().calls
    }

    pub(crate) fn checks(&self) -> usize {
        self.state().checks
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn reach(&self) -> Result<()> {
        let State { latency, away, .. } = *self.state();
        tokio::time::sleep(latency).await;
        if away { Err(Error::new(ErrorKind::Unavailable, "connection refused")) } else { Ok(()) }
    }
}

impl State {
    fn keep(&mut self, vcon: &Vcon) -> Result<()> {
        let id = vcon.id().as_str();
        if self.refuses.contains(id) {
            return Err(Error::new(ErrorKind::Invalid, "not this one"));
        }
        if self.fails_once.remove(id) {
            return Err(Error::new(ErrorKind::Conflict, "somebody else was faster"));
        }
        self.documents.insert(vcon.id().clone(), vcon.render(View::Read));
        Ok(())
    }
}

#[async_trait]
impl Storage for Memory {
    fn info(&self) -> StorageInfo {
        self.info
    }

    async fn save(&self, batch: &[Vcon]) -> Vec<Result<()>> {
        self.state().calls += 1;
        if let Err(error) = self.reach().await {
            return batch.iter().map(|_| Err(Error::new(error.kind(), error.to_string()))).collect();
        }
        let mut state = self.state();
        let met = batch.iter().find(|vcon| state.panics_at.contains(vcon.id().as_str()));
        assert!(met.is_none(), "a bug was met");
        state.saves.push(batch.iter().map(|vcon| vcon.id().to_string()).collect());
        batch.iter().map(|vcon| state.keep(vcon)).collect()
    }

    async fn get(&self, id: &VconId) -> Result<Option<Vcon>> {
        self.reach().await?;
        let json = self.state().documents.get(id).cloned();
        let parse = |json| Vcon::parse(id.clone(), json, &Limits::default());
        json.map(parse)
            .transpose()
            .map_err(|error| Error::new(ErrorKind::Invalid, "unreadable").source(error))
    }

    async fn delete(&self, id: &VconId) -> Result<bool> {
        self.reach().await?;
        Ok(self.state().documents.remove(id).is_some())
    }

    async fn check(&self) -> Result<()> {
        self.state().checks += 1;
        self.reach().await
    }
}
