//! A storage with its policy around it, and vCons gathered on the way in.
//!
//! A vCon that fails in a way that passes tries again by itself, with whatever has gathered by then; the batch it
//! was in is not repeated for its sake.

use std::sync::Arc;
use std::time::Instant as Clock;

use conserver_vcon::{Vcon, VconId};
use tokio::time::Instant;

use super::caught;
use crate::chain::Gather;
use crate::config::Plan;
use crate::config::plan::{OnStorageError, StoragePlan};
use crate::event::StorageSaved;
use crate::policy::{Breaker, BreakerOpen, Call, Outcome, Policy, PolicyOptions, Probe, refused};
use crate::registry::Registry;
use crate::storage::{Storage, StorageInfo};
use crate::{Error, ErrorKind, Guards, Result, StorageName};

/// Saves of one storage that are under way at once; more gather meanwhile.
const SAVES_AT_ONCE: usize = 2;

/// A batch is closed before it becomes larger than this.
const BATCH_BYTES: usize = 8 << 20;

/// A storage as everybody calls it. Shared by all chains that name it.
pub struct GuardedStorage {
    name: StorageName,
    storage: Arc<dyn Storage>,
    info: StorageInfo,
    policy: Policy,
    required: bool,
    on_refusal: Option<OnStorageError>,
    gather: Gather<Vcon>,
}

impl GuardedStorage {
    /// Puts a policy around a storage. `required`: whether a vCon is done only once this storage has it.
    pub fn new(
        name: StorageName,
        storage: Arc<dyn Storage>,
        options: &PolicyOptions,
        required: bool,
    ) -> Self {
        let info = storage.info();
        let probe = if info.check_tells { Probe::Check } else { Probe::NextCall };
        let policy = Policy::new(Guards::storage(name.as_str()), options, probe, info.max_batch);
        let gather = Gather::new(SAVES_AT_ONCE, info.max_batch, BATCH_BYTES, Vcon::size);
        Self { name, storage, info, policy, required, on_refusal: None, gather }
    }

    /// Builds all storages of a plan, in the order of the file.
    ///
    /// # Errors
    /// As [`Registry::build_storage`], of the first that cannot be built.
    pub fn all_of(plan: &Plan, registry: &Registry) -> Result<Vec<Arc<Self>>> {
        let guard = |(storage, built): (&StoragePlan, Result<Arc<dyn Storage>>)| {
            let name = &storage.adapter.name;
            let built = built.map_err(|error| error.context(format!("build storage `{name}`")))?;
            let guarded = Self::new(name.clone(), built, &storage.adapter.policy, storage.required);
            Ok(Arc::new(guarded.refusing(storage.on_refusal)))
        };
        registry.storages_of(plan).map(guard).collect()
    }

    /// Keeps one vCon, together with others that arrive while the storage is busy.
    ///
    /// # Errors
    /// The storage's own after this vCon's attempts; a panic; a timeout; [`refused`].
    ///
    /// # Cancel safety
    /// Dropping the future may or may not keep the vCon. Others of its batch are saved again by one of them.
    pub async fn save(&self, vcon: &Vcon, deadline: Option<Instant>) -> Result<()> {
        let began = Clock::now();
        let call = Call { op: "save", idempotent: true, deadline };
        let result = if self.info.max_batch > 1 {
            let save = |batch| self.save_batch(batch);
            self.policy.retry(call, || self.gather.join(vcon, save)).await
        } else {
            self.policy.retry(call, || self.save_one(vcon)).await
        };
        let outcome = if result.is_ok() { "success" } else { "error" };
        StorageSaved { storage: &self.name, outcome, took: began.elapsed() }.emit();
        result.map_err(|error| self.explain(error))
    }

    /// Reads one vCon back.
    ///
    /// # Errors
    /// As [`Storage::get`], after its attempts.
    pub async fn get(&self, id: &VconId, deadline: Option<Instant>) -> Result<Option<Vcon>> {
        let call = Call { op: "get", idempotent: true, deadline };
        let attempt = || async { caught(self.storage.get(id)).await.flatten() };
        self.policy.run(call, attempt).await.map_err(|error| self.explain(error))
    }

    /// Removes one vCon.
    ///
    /// # Errors
    /// As [`Storage::delete`], after its attempts.
    pub async fn delete(&self, id: &VconId) -> Result<bool> {
        let call = Call { op: "delete", idempotent: true, deadline: None };
        let attempt = || async { caught(self.storage.delete(id)).await.flatten() };
        self.policy.run(call, attempt).await.map_err(|error| self.explain(error))
    }

    /// Makes one cheap round trip, whatever the breaker says; it learns nothing from it.
    ///
    /// # Errors
    /// As [`Storage::check`]; a panic; a timeout.
    pub async fn check(&self) -> Result<()> {
        let check = async { caught(self.storage.check()).await.flatten() };
        self.policy.bounded("check", check).await.flatten().map_err(|error| self.explain(error))
    }

    /// Probes the storage if its breaker is open and the cooldown has passed; else, and where only a save tells, does
    /// nothing. [`tend`](super::tend) calls it every now and then.
    pub async fn tick(&self) {
        if !self.info.check_tells {
            return;
        }
        let Some(probe) = self.policy.breaker().begin_probe() else { return };
        let result = self.check().await;
        let (verdict, error) = result.verdict();
        probe.tell(verdict, error);
    }

    /// Whether calls are refused at the moment.
    pub fn is_open(&self) -> bool {
        self.breaker().is_open()
    }

    /// Its breaker, to look at.
    pub fn breaker(&self) -> &Breaker {
        self.policy.breaker()
    }

    /// The name in the file.
    pub fn name(&self) -> &StorageName {
        &self.name
    }

    /// What it can do.
    pub fn info(&self) -> StorageInfo {
        self.info
    }

    /// Whether a vCon is done only once this storage has it.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Says what a refusal of this storage means, where that differs from the chain's word.
    #[must_use]
    pub fn refusing(mut self, on_refusal: Option<OnStorageError>) -> Self {
        self.on_refusal = on_refusal;
        self
    }

    /// What a refusal of this storage means, where that differs from the chain's word.
    pub fn on_refusal(&self) -> Option<OnStorageError> {
        self.on_refusal
    }

    async fn save_batch(&self, batch: Vec<Vcon>) -> Vec<Result<()>> {
        let results = self.attempt(&batch).await;
        let panicked = |result: &Result<()>| result.as_ref().is_err_and(|e| e.kind() == ErrorKind::Panic);
        if batch.len() == 1 || !results.iter().all(panicked) {
            return results;
        }
        // One of them met a bug. Alone, it cannot take the others with it.
        let mut results = Vec::with_capacity(batch.len());
        for vcon in &batch {
            results.push(self.save_one(vcon).await);
        }
        results
    }

    async fn save_one(&self, vcon: &Vcon) -> Result<()> {
        let results = self.attempt(std::slice::from_ref(vcon)).await;
        results
            .into_iter()
            .next()
            .unwrap_or_else(|| Err(Error::new(ErrorKind::Internal, "no answer for a vCon")))
    }

    async fn attempt(&self, batch: &[Vcon]) -> Vec<Result<()>> {
        let save = async {
            let saved = caught(self.storage.save(batch)).await;
            saved.unwrap_or_else(|panic| for_each_of(batch, &panic))
        };
        self.policy.attempt("save", save).await.unwrap_or_else(|error| for_each_of(batch, &error))
    }

    fn explain(&self, error: Error) -> Error {
        error.context(format!("storage `{}`", self.name))
    }
}

impl std::fmt::Debug for GuardedStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuardedStorage")
            .field("name", &self.name)
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// One error of a whole batch, for each vCon in it.
fn for_each_of(batch: &[Vcon], error: &Error) -> Vec<Result<()>> {
    let copy = || match refused(error) {
        Some(open) => BreakerOpen::clone(open).into_error(),
        None => error.repeat(),
    };
    batch.iter().map(|_| Err(copy())).collect()
}
