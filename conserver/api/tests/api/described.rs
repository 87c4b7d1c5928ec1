//! Every answer of every test is what the description says, and says nothing that it does not.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

/// The description, in which objects that name their members have no others.
static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let mut document: Value = serde_json::from_str(&conserver_api::openapi_json()).unwrap();
    let schemas = document["components"]["schemas"].as_object_mut().unwrap();
    // Documents and refusals say more than is described.
    for (_, schema) in
        schemas.iter_mut().filter(|(name, _)| !["PostedVcon", "Stored", "ErrorBody"].contains(&name.as_str()))
    {
        if schema["properties"].is_object() {
            schema["additionalProperties"] = json!(false);
        }
    }
    document
});

static VALIDATORS: LazyLock<Mutex<HashMap<String, Validator>>> = LazyLock::new(Mutex::default);

/// Fails unless this answer to `method` on `path` is described. Paths that nobody described are nobody's.
pub fn hold(method: &str, path: &str, status: u16, body: &[u8]) {
    let path = path.strip_prefix("/api").unwrap_or(path);
    let Some(described) = described(path) else { return };
    let call = &DESCRIPTION["paths"][described][method.to_lowercase()];
    if call.is_null() {
        return;
    }
    let answer = &call["responses"][status.to_string()];
    // A redirection belongs to no call, and calls without a key describe only what goes well.
    if answer.is_null() && status >= 300 {
        return;
    }
    assert!(!answer.is_null(), "{method} {path}: {status} is not described");
    if answer["content"]["application/json"].is_null() {
        return;
    }
    let value: Value = serde_json::from_slice(body).unwrap_or_else(|e| panic!("{method} {path}: {e}"));
    let mut validators = VALIDATORS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let validator = validators.entry(format!("{method} {described} {status}")).or_insert_with(|| {
        let mut schema = answer["content"]["application/json"]["schema"].clone();
        schema["components"] = DESCRIPTION["components"].clone();
        jsonschema::validator_for(&schema).unwrap()
    });
    let faults: Vec<String> = validator
        .iter_errors(&value)
        .map(|fault| format!("{fault} at `{}`", fault.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{method} {path} {status}: {faults:#?}\n{value:#}");
}

/// The path of the description that this one is an instance of.
fn described(path: &str) -> Option<&'static str> {
    let paths = DESCRIPTION["paths"].as_object().unwrap();
    let fits = |pattern: &str| {
        let (mut all, mut parts) = (pattern.split('/'), path.split('/'));
        let equal = all.by_ref().zip(parts.by_ref()).all(|(a, b)| a.starts_with('{') || a == b);
        equal && pattern.split('/').count() == path.split('/').count()
    };
    let exact = paths.keys().find(|pattern| *pattern == path);
    exact.or_else(|| paths.keys().find(|pattern| fits(pattern))).map(String::as_str)
}

#[test]
fn what_is_not_described_fails() {
    hold("GET", "/stats/queue", 200, br#"{"list_name": "in", "depth": 1}"#);
    for (path, status, body) in [
        ("/stats/queue", 200, &br#"{"list_name": "in", "depth": "1"}"#[..]),
        ("/stats/queue", 200, br#"{"list_name": "in"}"#),
        ("/api/stats/queue", 200, br#"{"list_name": "in", "depth": 1, "more": 2}"#),
        ("/vcon/018f2a4b-0000-8000-9dd8-000000000001/story", 200, br#"{"uuid": "a", "runs": [1]}"#),
        ("/stats/queue", 204, b""),
    ] {
        let held = std::panic::catch_unwind(|| hold("GET", path, status, body));
        assert!(held.is_err(), "{path} {status} {}", String::from_utf8_lossy(body));
    }
}
