//! The one error type that crosses contracts: what happened, whether trying again helps, and whether it may
//! have happened anyway.
//!
//! * *Kind* answers what happened (a dead letter's reason, a metric label, an API status).
//! * *Class* answers whether trying again helps; only policy and the worker look at it.
//! * *Applied* answers whether the effect may have taken place although an error came back.
//!
//! A kind implies a class, so most adapter code is one line. Adapters build these in one place (`error.rs`).

use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::config::nearest;

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The document is nowhere: neither in the store nor in any storage.
    Missing,
    /// The document, an option or an answer is not what it has to be.
    Invalid,
    /// A key holds another type than it has to.
    WrongType,
    /// The document is larger than this process may load.
    TooLarge,
    /// The other side answers, but is not set up for us: a column is missing. No document's fault.
    Misconfigured,
    /// The other side refused who we are.
    Unauthorized,
    /// Somebody else changed it at the same time.
    Conflict,
    /// This backend cannot do that.
    Unsupported,
    /// The other side asks to slow down.
    RateLimited,
    /// No answer within the time allowed.
    Timeout,
    /// The other side cannot be reached or is not ready.
    Unavailable,
    /// A link panicked.
    Panic,
    /// A process of ours died while it ran this document alone.
    Poison,
    /// A bug of ours.
    Internal,
}

impl ErrorKind {
    const ALL: [Self; 13] = [
        Self::Missing,
        Self::Invalid,
        Self::WrongType,
        Self::TooLarge,
        Self::Unauthorized,
        Self::Conflict,
        Self::Unsupported,
        Self::RateLimited,
        Self::Timeout,
        Self::Unavailable,
        Self::Panic,
        Self::Poison,
        Self::Internal,
    ];

    /// The word used in dead letters, logs and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Invalid => "invalid",
            Self::WrongType => "wrong-type",
            Self::TooLarge => "too-large",
            Self::Misconfigured => "misconfigured",
            Self::Unauthorized => "unauthorized",
            Self::Conflict => "conflict",
            Self::Unsupported => "unsupported",
            Self::RateLimited => "rate-limited",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Panic => "panic",
            Self::Poison => "poison",
            Self::Internal => "internal",
        }
    }

    fn class(self) -> Class {
        match self {
            Self::Conflict | Self::RateLimited | Self::Timeout => Class::Retryable { after: None },
            Self::Misconfigured | Self::Unavailable => Class::Unavailable,
            _ => Class::Permanent,
        }
    }
}

/// The word of a dead letter's reason, as somebody typed it.
impl FromStr for ErrorKind {
    type Err = String;

    fn from_str(word: &str) -> std::result::Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| {
            let hint = nearest::hint(word, Self::ALL.map(Self::as_str)).unwrap_or_default();
            format!("`{word}` is no reason of a dead letter; {hint}")
        })
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether trying again helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The same call fails the same way.
    Permanent,
    /// The same call may succeed later; bounded by a number of attempts.
    Retryable {
        /// How long the other side asked to wait.
        after: Option<Duration>,
    },
    /// The other side is away; bounded by time, not by attempts, for the fault is not the document's.
    Unavailable,
}

/// Whether the effect may have taken place although an error came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It did surely not happen.
    No,
    /// It may have happened: only what is idempotent may be tried again.
    Unknown,
}

/// An error with its three facts, what was being done, and its cause.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    class: Class,
    applied: Applied,
    message: String,
    context: Vec<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of this kind with the class that the kind implies. `message` is lowercase, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let applied = if kind == ErrorKind::Timeout { Applied::Unknown } else { Applied::No };
        Self(Box::new(Inner {
            kind,
            class: kind.class(),
            applied,
            message: message.into(),
            context: Vec::new(),
            source: None,
        }))
    }

    /// Sets another class than the kind implies.
    #[must_use]
    pub fn class(mut self, class: Class) -> Self {
        self.0.class = class;
        self
    }

    /// Says that the other side asked to wait this long; makes it retryable.
    #[must_use]
    pub fn retry_after(self, after: Option<Duration>) -> Self {
        self.class(Class::Retryable { after })
    }

    /// Says whether the effect may have taken place.
    #[must_use]
    pub fn applied(mut self, applied: Applied) -> Self {
        self.0.applied = applied;
        self
    }

    /// Keeps the cause. It is printed by [`Error::chain`], so the message does not repeat it.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds what was being done, outermost last: "save vCon to `archive`".
    #[must_use]
    pub fn context(mut self, doing: impl Into<String>) -> Self {
        self.0.context.push(doing.into());
        self
    }

    /// The same error once more, for another vCon that it concerns. The cause becomes part of the text.
    #[must_use]
    pub fn repeat(&self) -> Self {
        Self::new(self.kind(), self.chain()).class(self.get_class()).applied(self.get_applied())
    }

    /// What happened.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether trying again helps.
    pub fn get_class(&self) -> Class {
        self.0.class
    }

    /// Whether the effect may have taken place.
    pub fn get_applied(&self) -> Applied {
        self.0.applied
    }

    /// Whether another attempt can help at all.
    pub fn is_permanent(&self) -> bool {
        self.0.class == Class::Permanent
    }

    /// Whether the other side is away, which is not the document's fault.
    pub fn is_unavailable(&self) -> bool {
        self.0.class == Class::Unavailable
    }

    /// The whole chain on one line, for a log line or a dead letter.
    pub fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut source = self.0.source.as_deref().map(|s| s as &dyn StdError);
        while let Some(cause) = source {
            let text = cause.to_string();
            // Drivers like to repeat their cause in their own text; saying it twice helps nobody.
            if !line.ends_with(&text) {
                line.push_str(": ");
                line.push_str(&text);
            }
            source = cause.source();
        }
        line
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for doing in self.0.context.iter().rev() {
            write!(f, "{doing}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {:?}, applied: {:?})", self.chain(), self.0.kind, self.0.class, self.0.applied)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|s| s as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_implies_its_class() {
        assert!(Error::new(ErrorKind::Unauthorized, "refused").is_permanent());
        assert!(Error::new(ErrorKind::Unavailable, "away").is_unavailable());
        let slow = Error::new(ErrorKind::RateLimited, "slow down").retry_after(Some(Duration::from_secs(3)));
        assert_eq!(slow.get_class(), Class::Retryable { after: Some(Duration::from_secs(3)) });
    }

    #[test]
    fn a_timeout_may_have_happened_anyway() {
        assert_eq!(Error::new(ErrorKind::Timeout, "no answer").get_applied(), Applied::Unknown);
    }

    #[test]
    fn a_repeated_error_says_the_same() {
        let cause = std::io::Error::other("connection reset");
        let error = Error::new(ErrorKind::Internal, "lost").source(cause).class(Class::Unavailable);
        let repeated = error.applied(Applied::Unknown).context("save");
        assert_eq!(format!("{:?}", repeated.repeat()), format!("{repeated:?}"));
    }

    #[test]
    fn the_chain_names_what_was_done_and_the_cause_once() {
        let error = Error::new(ErrorKind::Unavailable, "cannot reach `db:5432`")
            .source(std::io::Error::other("connection refused"))
            .context("save vCon to `archive`");
        assert_eq!(error.chain(), "save vCon to `archive`: cannot reach `db:5432`: connection refused");
    }
}
