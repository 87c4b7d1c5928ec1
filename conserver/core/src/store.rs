//! The working copies of the documents, which the pipeline reads and writes.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use conserver_vcon::{Vcon, VconId};

use crate::queue::Entry;
use crate::{Error, Result, WorkerId};

/// How a document lies in the store. It is written back the way it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// JSON text in a plain key.
    #[default]
    Text,
    /// A document of the JSON module of the server.
    Json,
}

/// What was found under an id.
#[derive(Debug)]
pub enum Loaded {
    /// The document's JSON.
    Found {
        /// The JSON text.
        json: Bytes,
        /// How it lies there.
        encoding: Encoding,
    },
    /// Nothing.
    Missing,
    /// Something that no document can be read from: an error that names its type.
    Unreadable(Error),
}

/// A document to be written with a checkpoint or a settlement.
#[derive(Debug, Clone)]
pub struct DocumentWrite {
    /// The id it is stored under.
    pub id: VconId,
    /// The JSON text.
    pub json: Bytes,
    /// How it lay in the store when it was loaded.
    pub encoding: Encoding,
}

/// Search keys of a document: what the Python server indexes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexKeys {
    /// Score in the sorted set: Unix seconds of `created_at`.
    pub created: Option<i64>,
    /// Values of `tel` of all parties.
    pub tel: Vec<String>,
    /// Values of `mailto` of all parties.
    pub mailto: Vec<String>,
    /// Values of `name` of all parties.
    pub name: Vec<String>,
}

impl IndexKeys {
    /// Reads the keys off a document; empty and absent values are left out.
    pub fn of(vcon: &Vcon) -> Self {
        let mut keys = Self { created: vcon.created_unix(), ..Self::default() };
        for party in vcon.parties() {
            let fields = [
                (&mut keys.tel, party.tel()),
                (&mut keys.mailto, party.mailto()),
                (&mut keys.name, party.name()),
            ];
            for (list, value) in fields {
                list.extend(value.filter(|v| !v.is_empty()).map(|v| v.into_owned()));
            }
        }
        keys
    }
}

/// The working copies: shared by producers, workers and the API.
#[async_trait]
pub trait VconStore: Send + Sync + 'static {
    /// Reads documents, one answer for each id in order.
    ///
    /// # Behaviour
    /// * what was put comes back byte for byte (as equal JSON where the server re-encodes it)
    /// * a missing id is `Missing`, something else than a document is `Unreadable`, an outage is an error
    async fn load(&self, ids: &[VconId]) -> Result<Vec<Loaded>>;

    /// Writes a document and its search keys, as an ingest does.
    ///
    /// # Behaviour
    /// * the document replaces what was there and lives for `ttl` (`None`: for ever)
    /// * its search keys are found afterwards
    async fn put(&self, vcon: &Vcon, ttl: Option<Duration>) -> Result<()>;

    /// Brings a copy from a storage back, unless a document is there by now.
    ///
    /// # Behaviour
    /// * an existing document is not overwritten
    async fn restore(&self, vcon: &Vcon, ttl: Option<Duration>) -> Result<()>;

    /// Saves the document in the middle of a run, if the entry is still in flight with this worker.
    ///
    /// # Behaviour
    /// * `false`, and nothing written, if the entry is no longer this worker's
    /// * keeps the time to live
    /// * a key of another type is `WrongType` and stays as it is
    async fn checkpoint(&self, worker: &WorkerId, entry: &Entry, document: &DocumentWrite) -> Result<bool>;

    /// Adds search keys; never takes any away.
    ///
    /// # Behaviour
    /// * the id is found under each key afterwards
    async fn index(&self, id: &VconId, keys: &IndexKeys) -> Result<()>;

    /// Removes a document and its search keys.
    ///
    /// # Behaviour
    /// * `false` if nothing was there
    async fn delete(&self, id: &VconId) -> Result<bool>;
}
