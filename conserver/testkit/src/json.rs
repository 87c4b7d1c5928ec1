//! When two documents say the same.

use bytes::Bytes;
use conserver_vcon::{Vcon, View};
use serde_json::Value;

/// The document as a reader gets it.
///
/// # Panics
/// If it is not JSON.
pub fn read_view(vcon: &Vcon) -> Value {
    parse(&vcon.render(View::Read))
}

/// Parses JSON text.
///
/// # Panics
/// If it is not JSON.
pub fn parse(text: &Bytes) -> Value {
    serde_json::from_slice(text).expect("a rendered document is JSON")
}

/// Whether two documents say the same: the order of members and the spelling of numbers aside, which some servers
/// do not keep.
pub fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let is_there =
                |(name, value): (&String, &Value)| right.get(name).is_some_and(|other| same(value, other));
            left.len() == right.len() && left.iter().all(is_there)
        }
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_and_spelling_do_not_matter_and_all_else_does() {
        assert!(same(&json!({"a": [1, 2.0], "b": 1e2}), &json!({"b": 100, "a": [1.0, 2]})));
        for other in
            [json!({"a": [1]}), json!({"a": [1, 2], "b": 0}), json!({"a": [2, 1]}), json!({"a": ["1", 2]})]
        {
            assert!(!same(&json!({"a": [1, 2]}), &other), "{other}");
        }
    }
}
