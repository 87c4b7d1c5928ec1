//! Which vCons there are: by the date of their conversation, by their parties, or one after the other.

use async_trait::async_trait;
use conserver_vcon::VconId;

use crate::Result;
use crate::queue::Paging;

/// A span of `created_at`, both ends included, in Unix seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CreatedRange {
    /// Not older than this.
    pub since: Option<i64>,
    /// Not newer than this.
    pub until: Option<i64>,
}

/// An id with the date it is sorted by. The last one of a page says where the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// Unix seconds of `created_at`.
    pub created: i64,
    /// The id.
    pub id: VconId,
}

/// What parties are looked for by; each term narrows the result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartyTerms {
    /// Exact `tel`.
    pub tel: Option<String>,
    /// Exact `mailto`.
    pub mailto: Option<String>,
    /// Exact `name`.
    pub name: Option<String>,
}

impl PartyTerms {
    /// The terms that are there, with their kind.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let terms = [("tel", &self.tel), ("mailto", &self.mailto), ("name", &self.name)];
        terms.into_iter().filter_map(|(kind, value)| value.as_deref().map(|value| (kind, value)))
    }
}

/// Finds ids. What it finds may have expired meanwhile: it promises ids, not documents.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// A page of ids by date, newest first.
    ///
    /// # Behaviour
    /// * ids come newest first; those of the same second in descending order of their text
    /// * both ends of the range are included
    /// * an entry that is a bare id counts like any other
    async fn newest(&self, range: CreatedRange, page: Paging) -> Result<Vec<VconId>>;

    /// Up to `limit` ids that come after `last` in the order of [`Directory::newest`]; from the beginning without it.
    ///
    /// # Behaviour
    /// * pages that follow each other hold every id once, also where many have the same date
    /// * an id that was removed since is no obstacle
    async fn after(&self, range: CreatedRange, last: Option<&Dated>, limit: usize) -> Result<Vec<Dated>>;

    /// How many ids the range holds.
    ///
    /// # Behaviour
    /// * it counts what the pages hold
    async fn count(&self, range: CreatedRange) -> Result<u64>;

    /// Ids of vCons with such parties, sorted.
    ///
    /// # Behaviour
    /// * every term narrows the result; one that matches nothing leaves nothing
    /// * without a term there is nothing
    async fn search(&self, terms: &PartyTerms) -> Result<Vec<VconId>>;

    /// Which of these ids have a document.
    ///
    /// # Behaviour
    /// * one answer for each id, in order, without reading the documents; a key that holds something else has none
    async fn present(&self, ids: &[VconId]) -> Result<Vec<bool>>;

    /// A part of the ids of all documents, found or not by date, and where the next part begins.
    ///
    /// # Behaviour
    /// * the parts together hold every document that is there from the first to the last call; an id may come twice
    async fn documents(&self, from: Option<&str>) -> Result<(Vec<VconId>, Option<String>)>;
}
