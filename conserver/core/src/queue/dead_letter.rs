//! What is known about an id that failed for good.

use std::time::Duration;

use conserver_vcon::VconId;
use serde::{Deserialize, Serialize};

use crate::{ChainName, LinkName, QueueName, StorageName, WorkerId};

/// Why an id is a dead letter. The list entry stays a plain id; this lies beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeadLetter {
    /// The reason class, the word of [`ErrorKind`](crate::ErrorKind::as_str).
    pub reason: String,
    /// One line: what was being done, what went wrong, the causes.
    pub error: String,
    /// The ingress list it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<QueueName>,
    /// The chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<ChainName>,
    /// The link that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkName>,
    /// The storage that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<StorageName>,
    /// How many runs were tried.
    pub attempt: u32,
    /// Whether the failed step may have taken effect.
    pub may_have_happened: bool,
    /// The signal a process died of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The trace it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// The worker that gave up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// When, in Unix seconds by the backend's clock (filled in by the backend where 0).
    pub at: i64,
}

/// A dead letter as it lies in its list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Letter {
    /// The id.
    pub id: VconId,
    /// What is known; `None` for an entry that another program put there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<DeadLetter>,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy)]
pub struct Paging {
    /// How many to pass over from the head.
    pub offset: usize,
    /// How many at most.
    pub limit: usize,
}

/// Which dead letters are meant. Empty: all.
#[derive(Debug, Clone, Default)]
pub struct LetterFilter {
    /// Only with this reason class.
    pub reason: Option<String>,
    /// Only from this chain.
    pub chain: Option<ChainName>,
    /// Only from this link.
    pub link: Option<LinkName>,
    /// Only from this storage.
    pub storage: Option<StorageName>,
    /// Only these ids.
    pub ids: Vec<VconId>,
    /// Only older than this.
    pub older_than: Option<Duration>,
    /// Only younger than this.
    pub younger_than: Option<Duration>,
}

impl LetterFilter {
    /// Whether a letter is meant; `now` in Unix seconds. A letter of which nothing is known matches by id only.
    pub fn matches(&self, letter: &Letter, now: i64) -> bool {
        if !self.ids.is_empty() && !self.ids.contains(&letter.id) {
            return false;
        }
        let asks_why = self.reason.is_some()
            || self.chain.is_some()
            || self.link.is_some()
            || self.storage.is_some()
            || self.older_than.is_some()
            || self.younger_than.is_some();
        let Some(why) = &letter.why else { return !asks_why };
        let age = Duration::from_secs(u64::try_from(now - why.at).unwrap_or(0));
        self.reason.as_ref().is_none_or(|r| *r == why.reason)
            && self.chain.as_ref().is_none_or(|c| why.chain.as_ref() == Some(c))
            && self.link.as_ref().is_none_or(|l| why.link.as_ref() == Some(l))
            && self.storage.as_ref().is_none_or(|s| why.storage.as_ref() == Some(s))
            && self.older_than.is_none_or(|limit| age > limit)
            && self.younger_than.is_none_or(|limit| age < limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(reason: &str, at: i64) -> Letter {
        let why = DeadLetter { reason: reason.to_owned(), at, ..DeadLetter::default() };
        Letter { id: VconId::new("a"), why: Some(why) }
    }

    #[test]
    fn an_empty_filter_means_all_even_unknown_letters() {
        let unknown = Letter { id: VconId::new("a"), why: None };
        assert!(LetterFilter::default().matches(&unknown, 0));
        assert!(LetterFilter::default().matches(&letter("missing", 0), 0));
    }

    #[test]
    fn reason_and_age_narrow_it() {
        let filter = LetterFilter {
            reason: Some("timeout".to_owned()),
            older_than: Some(Duration::from_secs(60)),
            ..LetterFilter::default()
        };
        assert!(filter.matches(&letter("timeout", 100), 200));
        assert!(!filter.matches(&letter("timeout", 190), 200));
        assert!(!filter.matches(&letter("missing", 100), 200));
        assert!(!filter.matches(&Letter { id: VconId::new("a"), why: None }, 200));
    }
}
