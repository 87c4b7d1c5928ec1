#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "tests")]

use serde_json::{Value, json};

use super::*;

const UUID: &str = "018f2a4b-0000-8000-9dd8-dd37220d739c";

fn with(more: Value) -> Value {
    let mut document = json!({"vcon": "0.0.1", "uuid": UUID, "created_at": "2026-01-02T03:04:05Z"});
    document.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
    document
}

fn accepted(document: &Value) -> Value {
    let accepted =
        accept(document.to_string().into(), &Limits::default()).unwrap_or_else(|e| panic!("{e:?}"));
    serde_json::from_slice(&accepted.json).unwrap()
}

fn refused(document: &Value) -> Value {
    match accept(document.to_string().into(), &Limits::default()) {
        Err(Refusal::Rules(problems)) => serde_json::to_value(problems).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn absent_members_are_filled_and_the_order_is_the_python_servers() {
    let document = with(
        json!({"x": 1, "parties": [{"name": "A", "tel": "+15550100"}, {}], "dialog": [{"type": "text"}]}),
    );
    let stored = accept(document.to_string().into(), &Limits::default()).unwrap();
    assert_eq!(
        std::str::from_utf8(&stored.json).unwrap(),
        format!(
            r#"{{"vcon":"0.0.1","uuid":"{UUID}","created_at":"2026-01-02T03:04:05+00:00","subject":null,"redacted":{{}},"appended":null,"group":[],"parties":[{{"tel":"+15550100","name":"A"}},{{"tel":null}}],"dialog":[{{"duration":null,"start":null,"parties":null,"url":null,"mimetype":null,"alg":null,"type":"text"}}],"analysis":[],"attachments":[],"x":1}}"#
        )
    );
    assert_eq!(stored.keys.tel, ["+15550100"]);
    assert_eq!(stored.keys.created, Some(1_767_323_045));
}

#[test]
fn what_is_missing_is_told_at_once() {
    let problem =
        |name: &str| json!({"type": "missing", "loc": ["body", name], "msg": "Field required", "input": {}});
    assert_eq!(refused(&json!({})), json!([problem("uuid"), problem("created_at")]));
}

#[test]
fn messages_are_those_of_the_python_server() {
    let mut document =
        with(json!({"dialog": [{"duration": -1, "url": "nope", "mimetype": "x", "alg": "md5"}]}));
    document["uuid"] = json!("x");
    document["created_at"] = json!("nope");
    let all = refused(&document);
    let says: Vec<&str> = all.as_array().unwrap().iter().map(|p| p["msg"].as_str().unwrap()).collect();
    assert_eq!(
        says,
        [
            "Input should be a valid UUID, invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-], found `x` at 1",
            "Input should be a valid datetime or date, input is too short",
            "Value error, duration must be >= 0",
            "Value error, url does not look like a valid URL: 'nope'",
            "Value error, mimetype has invalid format: 'x'",
            "Value error, alg 'md5' is not a recognised algorithm",
        ]
    );
    assert_eq!(all[2]["loc"], json!(["body", "dialog", 0, "duration"]));
    assert_eq!(all[2]["ctx"], json!({"error": {}}));
}

#[test]
fn numbers_are_converted_as_python_converts_them() {
    let document = with(
        json!({"parties": [{}, {}], "dialog": [{"duration": "120", "parties": ["0", 1.0, true]}, {"duration": true}]}),
    );
    let stored = accepted(&document);
    assert_eq!(stored["dialog"][0]["duration"].to_string(), "120.0");
    assert_eq!(stored["dialog"][0]["parties"], json!([0, 1, 1]));
    assert_eq!(stored["dialog"][1]["duration"].to_string(), "1.0");
    for (wrong, kind) in
        [(json!(["x"]), "int_parsing"), (json!([0.5]), "int_from_float"), (json!({}), "list_type")]
    {
        let all = refused(&with(json!({"parties": [{}], "dialog": [{"parties": wrong}]})));
        assert_eq!(all[0]["type"], kind, "{all}");
    }
}

#[test]
fn an_index_of_nobody_is_refused_and_nested_ones_are_read() {
    let document = |indices: Value| with(json!({"parties": [{}, {}], "dialog": [{}, {"parties": indices}]}));
    assert_eq!(accepted(&document(json!([0, [1, null]])))["dialog"][1]["parties"], json!([0, [1, null]]));
    for outside in [json!([2]), json!([[2]]), json!([-1])] {
        let all = refused(&document(outside));
        assert_eq!(all[0]["loc"], json!(["body"]));
        assert!(all[0]["msg"].as_str().unwrap().contains("which is out of range (parties has 2 entries)"));
    }
}

#[test]
fn dates_are_read_in_many_forms_and_written_in_one() {
    for (given, stored) in [
        (json!("2026-01-02 03:04"), "2026-01-02T03:04:00"),
        (json!("2026-01-02T03:04:05.1234567-0530"), "2026-01-02T03:04:05.123456-05:30"),
        (json!("2026-01-02"), "2026-01-02T00:00:00"),
        (json!(1_767_323_045), "2026-01-02T03:04:05+00:00"),
        (json!(1_767_323_045_500_i64), "2026-01-02T03:04:05.500000+00:00"),
        (json!("1767323045"), "2026-01-02T03:04:05+00:00"),
    ] {
        let mut document = with(json!({}));
        document["created_at"] = given;
        assert_eq!(accepted(&document)["created_at"], stored);
    }
    for (given, kind) in [
        (json!(null), "datetime_type"),
        (json!(true), "datetime_type"),
        (json!(1e30), "datetime_parsing"),
        (json!(-1e30), "datetime_parsing"),
        (json!(999_999_999_999_999_i64), "datetime_parsing"),
        (json!("20260102T030405"), "datetime_from_date_parsing"),
        (json!("2026-01-02T24:00"), "datetime_from_date_parsing"),
    ] {
        let mut document = with(json!({}));
        document["created_at"] = given;
        assert_eq!(refused(&document)[0]["type"], kind);
    }
}

#[test]
fn a_date_before_1970_is_cut_as_python_cuts_it() {
    for (given, unix) in [(json!(-1.5), -1), (json!(-2), -2), (json!(1.5), 1)] {
        let mut document = with(json!({}));
        document["created_at"] = given;
        let stored = accept(document.to_string().into(), &Limits::default()).unwrap();
        assert_eq!(stored.keys.created, Some(unix));
    }
}

#[test]
fn what_real_systems_send_is_taken() {
    let document = with(json!({
        "parties": [{"tel": ""}, {"tel": "sip:a@example.com"}, {"tel": "+1 (555) 010-0 x7"}],
        "dialog": [{"url": "", "mimetype": "audio/x-wav; rate=8000"}, {"url": "mailto:a@example.com"}],
    }));
    assert_eq!(accepted(&document)["parties"][0]["tel"], "");
}

#[test]
fn a_uuid_is_stored_in_one_spelling() {
    let mut document = with(json!({}));
    document["uuid"] = json!(format!("urn:uuid:{}", UUID.to_uppercase()));
    assert_eq!(accepted(&document)["uuid"], UUID);
}

#[test]
fn a_signed_vcon_passes_untouched() {
    let payload = base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE_NO_PAD,
        with(json!({"parties": [{"tel": "+15550101"}]})).to_string(),
    );
    let signed =
        json!({"payload": payload, "signatures": [{"protected": "e30", "signature": "AA"}]}).to_string();
    let stored = accept(signed.clone().into(), &Limits::default()).unwrap();
    assert_eq!((stored.id.as_str(), &*stored.json), (UUID, signed.as_bytes()));
    assert_eq!(stored.keys.tel, ["+15550101"]);
}
