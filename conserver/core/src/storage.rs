//! A place where finished vCons are kept.

use async_trait::async_trait;
use conserver_vcon::{Vcon, VconId};

use crate::Result;

/// What a storage can do, as a value one can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StorageInfo {
    /// The kind, as the registry names it: `postgres`.
    pub kind: &'static str,
    /// Whether it gives documents back.
    pub can_get: bool,
    /// Whether it deletes.
    pub can_delete: bool,
    /// Whether only ids in UUID syntax can be kept.
    pub needs_uuid: bool,
    /// Whether [`Storage::check`] tells if a save would succeed. Where only a save can tell, the next one finds out after an
    /// outage.
    pub check_tells: bool,
    /// How many vCons one [`Storage::save`] should be given at most.
    pub max_batch: usize,
}

impl StorageInfo {
    /// A storage of this kind that can do everything, one vCon at a time.
    pub fn new(kind: &'static str) -> Self {
        Self { kind, can_get: true, can_delete: true, needs_uuid: false, check_tells: true, max_batch: 1 }
    }

    /// Takes this many vCons in one round trip.
    #[must_use]
    pub fn batch(mut self, max_batch: usize) -> Self {
        self.max_batch = max_batch;
        self
    }

    /// Gives no documents back and deletes none.
    #[must_use]
    pub fn write_only(mut self) -> Self {
        self.can_get = false;
        self.can_delete = false;
        self
    }

    /// Only a save tells whether saves succeed.
    #[must_use]
    pub fn probed_by_saves(mut self) -> Self {
        self.check_tells = false;
        self
    }

    /// Keeps only ids in UUID syntax.
    #[must_use]
    pub fn uuid_only(mut self) -> Self {
        self.needs_uuid = true;
        self
    }
}

/// A place where finished vCons are kept. It translates; retries, timeouts and breakers are applied around it.
#[async_trait]
pub trait Storage: Send + Sync + 'static {
    /// What it can do.
    fn info(&self) -> StorageInfo;

    /// Keeps every vCon of the batch; answers one result for each, in order.
    ///
    /// # Behaviour
    /// * what has an `Ok` is durable when the call returns
    /// * saving the same id again replaces what was there
    /// * one vCon that cannot be kept does not stop the others of its batch
    /// * the same id twice in one batch: the later one wins
    /// * concurrent saves of one id leave one of them whole
    /// * dropping the future leaves either the old or the new document
    /// * an id that is no UUID is `Invalid` where [`StorageInfo::needs_uuid`]
    async fn save(&self, batch: &[Vcon]) -> Vec<Result<()>>;

    /// Reads one vCon back.
    ///
    /// # Behaviour
    /// * what comes back equals what was saved, unknown members and bodies of any JSON type included
    /// * a missing id is `Ok(None)`; an outage is an error, never `None`
    /// * what lies under the id and is no vCon is `Invalid`, never `None`
    /// * an id that it cannot keep is missing
    /// * without the capability: `Unsupported`
    async fn get(&self, id: &VconId) -> Result<Option<Vcon>>;

    /// Removes one vCon.
    ///
    /// # Behaviour
    /// * `Ok(true)` if something was there, `Ok(false)` if not
    /// * what was deleted is missing afterwards
    /// * an id that it cannot keep was not there
    /// * without the capability: `Unsupported`
    async fn delete(&self, id: &VconId) -> Result<bool>;

    /// Makes one cheap round trip with the credentials: the probe of a breaker and of `check --connect`.
    ///
    /// # Behaviour
    /// * `Ok` only if a save could succeed now, as far as one round trip can tell
    async fn check(&self) -> Result<()>;
}
