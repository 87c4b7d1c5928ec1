//! Names that come from the configuration, each a type of its own so that none is passed for another.
//!
//! All are cheap to clone. They are shown as they were written; none is ever made from a document, which is
//! what keeps metric labels bounded.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(#[schemars(with = "String")] Arc<str>);

        #[allow(dead_code, reason = "not every name is a label")]
        impl $name {
            /// Takes the name as it is written.
            pub fn new(name: impl AsRef<str>) -> Self {
                Self(Arc::from(name.as_ref()))
            }

            /// The name where all its clones have it.
            pub(crate) fn shared(&self) -> &Arc<str> {
                &self.0
            }

            /// The name as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self::new(name)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A chain, as named under `chains:`.
    ChainName
);
name!(
    /// A link, as named under `links:`.
    LinkName
);
name!(
    /// A storage, as named under `storages:`.
    StorageName
);
name!(
    /// A list of vCon ids: ingress, egress or dead letters. It is the Redis key itself.
    QueueName
);
name!(
    /// One run of one worker process. Never used again after that process.
    WorkerId
);

/// How keys of the store itself begin. A list named like one would be the store's own data.
const OWN_PREFIXES: &[&str] = &["cs:", "vcon:", "context:", "tel:", "mailto:", "name:"];

/// The set of all documents, where nothing else is configured.
pub(crate) const SORTED_SET: &str = "vcons";

/// Why a name cannot be that of a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoList {
    /// Redis has such a key, but no operator means it.
    #[error("the name of a list cannot be empty")]
    Empty,
    /// Ids put there would break what the store keeps under that key.
    #[error("`{0}` is a key of the store itself, not a list; choose another name")]
    OwnKey(String),
}

/// A name from outside: an argument, a request, an option. [`QueueName::new`] is for names that were checked before.
impl FromStr for QueueName {
    type Err = NoList;

    fn from_str(name: &str) -> Result<Self, NoList> {
        if name.is_empty() {
            return Err(NoList::Empty);
        }
        if name == SORTED_SET || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            return Err(NoList::OwnKey(name.to_owned()));
        }
        Ok(Self::new(name))
    }
}

impl QueueName {
    /// The dead-letter list of this ingress list, as the Python server names it.
    pub fn dead_letters(&self) -> QueueName {
        QueueName::new(format!("DLQ:{self}"))
    }
}

impl StorageName {
    /// The list of ids that this storage refused for good, as the Python server names it.
    pub fn dead_letters(&self) -> QueueName {
        QueueName::new(format!("DLQ:storage:{self}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_not_named_like_a_key_of_the_store() {
        for name in
            ["cs:busy", "cs:infl:{in}:w", "vcon:a", "context:in:a", "tel:1", "mailto:a", "name:a", "vcons"]
        {
            let refused = name.parse::<QueueName>().unwrap_err();
            assert_eq!(refused, NoList::OwnKey(name.to_owned()));
        }
        assert_eq!("".parse::<QueueName>(), Err(NoList::Empty));
        for name in ["main", "DLQ:main", "DLQ:storage:s", "vcon", "vcons_in", "csv"] {
            assert_eq!(name.parse(), Ok(QueueName::new(name)));
        }
    }
}
