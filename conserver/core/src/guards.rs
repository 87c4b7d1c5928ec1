//! What policies stand around, and events tell of: a link or a storage.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A link or a storage. The two may have one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guards {
    /// Which of the two.
    pub kind: GuardKind,
    /// Its name in the file.
    pub name: Arc<str>,
}

/// Link or storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuardKind {
    /// A link.
    Link,
    /// A storage.
    Storage,
}

impl Guards {
    /// The link of this name.
    pub fn link(name: &str) -> Self {
        Self { kind: GuardKind::Link, name: name.into() }
    }

    /// The storage of this name.
    pub fn storage(name: &str) -> Self {
        Self { kind: GuardKind::Storage, name: name.into() }
    }
}

impl GuardKind {
    /// The word in logs, events and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Storage => "storage",
        }
    }
}
