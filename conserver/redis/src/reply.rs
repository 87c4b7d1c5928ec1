//! Reading replies, with an error that says what was expected instead of a panic.

use conserver_core::{Error, ErrorKind, Result};
use redis::Value;

/// An answer that no Redis of a known version gives.
pub(crate) fn unexpected(what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("Redis answered something unexpected to {what}"))
}

/// The elements of an array reply.
pub(crate) fn array(value: Value, what: &str) -> Result<Vec<Value>> {
    match value {
        Value::Array(items) | Value::Set(items) => Ok(items),
        Value::Nil => Ok(Vec::new()),
        _ => Err(unexpected(what)),
    }
}

/// An integer reply.
pub(crate) fn integer(value: &Value, what: &str) -> Result<i64> {
    match value {
        Value::Int(n) => Ok(*n),
        Value::BulkString(text) => {
            std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()).ok_or_else(|| unexpected(what))
        }
        _ => Err(unexpected(what)),
    }
}

/// A count; a negative or odd reply is none.
pub(crate) fn count(value: &Value) -> u64 {
    match value {
        Value::Int(n) => u64::try_from(*n).unwrap_or(0),
        _ => 0,
    }
}

/// A text reply; what is no UTF-8 is shown with replacement characters.
pub(crate) fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(
            String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()),
        ),
        Value::SimpleString(text) => Some(text),
        Value::Okay => Some("OK".to_owned()),
        _ => None,
    }
}

/// The texts of an array reply.
pub(crate) fn texts(value: Value, what: &str) -> Result<Vec<String>> {
    Ok(array(value, what)?.into_iter().filter_map(text).collect())
}

/// The next cursor and the texts of one step of a scan.
pub(crate) fn page(answer: Value, what: &str) -> Result<(String, Vec<String>)> {
    let mut page = array(answer, what)?;
    let found = texts(page.pop().unwrap_or(Value::Nil), what)?;
    let next = page.pop().and_then(text).ok_or_else(|| unexpected(what))?;
    Ok((next, found))
}
