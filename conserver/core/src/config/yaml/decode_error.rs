//! The error of one decoding step: where, what, and the way out. It never quotes a value of the file.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use super::node::Mark;
use super::path::Path;
use crate::config::nearest;

/// Why a value is not what its type has to be.
#[derive(Debug, Clone)]
pub(crate) struct DecodeError {
    /// The innermost value that is wrong; set on the way out.
    pub(crate) at: Option<(Path, Mark)>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// Whether a field is absent, rather than a value wrong.
    pub(crate) missing: bool,
    /// Whether the text may quote the value.
    quotes: bool,
}

impl DecodeError {
    fn new(message: impl Into<String>) -> Self {
        Self { at: None, message: message.into(), hint: None, missing: false, quotes: false }
    }

    fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// Says where, unless something further in has.
    pub(crate) fn at(mut self, path: &Path, mark: Mark) -> Self {
        self.at.get_or_insert_with(|| (path.clone(), mark));
        self
    }

    /// Replaces a text that may quote what must not be shown.
    pub(crate) fn hide(mut self) -> Self {
        if self.quotes && self.at.is_none() {
            self.message = "the value is not valid here; it is not shown".to_owned();
            self.hint = None;
        }
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((path, _)) = &self.at {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DecodeError {}

impl Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { quotes: true, ..Self::new(message.to_string()) }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = plain_words(&expected.to_string());
        let quotes = expected == "text"
            && matches!(
                found,
                Unexpected::Bool(_) | Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_)
            );
        let hint = quotes.then(|| "put it in quotes".to_owned());
        Self::new(format!("expected {expected}, found {}", kind(found))).with_hint(hint)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = plain_words(&expected.to_string());
        Self::new(format!("expected {expected}, found another {}", kind(found).trim_start_matches("a ")))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}", plain_words(&expected.to_string())))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let near = nearest::find(variant, expected.iter().copied());
        let hint = near.map(|near| format!("did you mean `{near}`?"));
        let message = format!("`{variant}` is none of {}", nearest::list(expected.iter().copied()));
        Self { quotes: true, ..Self::new(message).with_hint(hint) }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let hint = nearest::hint(field, expected.iter().copied());
        Self::new(format!("unknown key `{field}`")).with_hint(hint)
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: true, ..Self::new(format!("`{field}` is missing")) }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("`{field}` is given twice, under two of its names"))
    }
}

fn kind(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(_) => "a boolean".to_owned(),
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number".to_owned(),
        Unexpected::Str(_) | Unexpected::Char(_) => "text".to_owned(),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        other => other.to_string(),
    }
}

/// serde's words for Rust types, in those of an operator.
fn plain_words(expected: &str) -> String {
    match expected {
        "a string" | "string" | "str" => "text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "unit" => "nothing".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        other if other.starts_with("a nonzero") => "a whole number of at least 1".to_owned(),
        other if other.starts_with("struct ") => "a map".to_owned(),
        other => other.to_owned(),
    }
}
