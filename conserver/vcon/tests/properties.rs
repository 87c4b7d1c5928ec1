//! Properties that hold for every document.
//!
//! The scanner is compared with `serde_json`, which reads the same grammar by other means; generated
//! documents mix today's names with legacy ones, unknown members and bodies of every type.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use conserver_vcon::{BodyShape, Limits, Vcon, View, python_text};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const DEEP: Limits = Limits { max_bytes: usize::MAX, max_depth: 100 };

fn parses(json: &[u8]) -> bool {
    Vcon::parse("x".into(), json.to_vec().into(), &DEEP).is_ok()
}

fn vcon(json: &str) -> Vcon {
    Vcon::parse("x".into(), json.to_owned().into(), &DEEP).unwrap()
}

/// What `serde_json` thinks of the bytes; it builds nothing, so numbers of any size and lone surrogates
/// pass, as they do here.
fn serde_accepts(json: &[u8]) -> bool {
    let is_object = json.trim_ascii_start().first() == Some(&b'{');
    is_object && str::from_utf8(json).is_ok() && serde_json::from_slice::<serde::de::IgnoredAny>(json).is_ok()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        "[ -~]{0,12}|\\PC{0,6}|[\"\\\\\n\u{1}é😀]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,6}|\\PC{1,3}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Members of an entry, in any order, each name once.
fn entry() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 14] = [
        "type",
        "purpose",
        "body",
        "encoding",
        "mimetype",
        "mediatype",
        "schema",
        "schema_version",
        "critical",
        "must_support",
        "vendor",
        "dialog",
        "x-own",
        "ünknown",
    ];
    let value = prop_oneof![
        any_json(),
        Just(json!("json")),
        Just(json!("none")),
        Just(json!("tags")),
        Just(json!("[1, {\"a\": 2}]"))
    ];
    (Just(NAMES.to_vec()).prop_shuffle(), vec(value, 0..8))
        .prop_map(|(names, values)| Value::Object(names.into_iter().map(String::from).zip(values).collect()))
}

fn document() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 12] = [
        "uuid",
        "vcon",
        "group",
        "redacted",
        "appended",
        "amended",
        "must_support",
        "critical",
        "dialog",
        "analysis",
        "attachments",
        "own",
    ];
    let section = vec(prop_oneof![6 => entry(), 1 => any_json()], 0..4).prop_map(Value::from);
    let value = prop_oneof![any_json(), Just(json!([])), Just(json!({}))];
    (Just(NAMES.to_vec()).prop_shuffle(), vec((section, value), 0..12)).prop_map(|(names, values)| {
        let member = |(name, (section, value)): (&str, (Value, Value))| {
            let is_section = ["dialog", "analysis", "attachments"].contains(&name);
            (String::from(name), if is_section { section } else { value })
        };
        Value::Object(names.into_iter().zip(values).map(member).collect::<Map<_, _>>())
    })
}

/// Text near JSON: a document with a few bytes changed, or tokens thrown together.
fn near_json() -> impl Strategy<Value = Vec<u8>> {
    let changed =
        (any_json(), vec((any::<prop::sample::Index>(), any::<u8>()), 0..3)).prop_map(|(value, changes)| {
            let mut bytes = json!({ "a": value }).to_string().into_bytes();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        });
    const TOKENS: [&str; 27] = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"\\u12",
        "\\",
        "\"",
        "0",
        "-",
        "1",
        ".",
        "e",
        "E+",
        "true",
        "null",
        "fals",
        " ",
        "\n",
        "\u{0}",
        "é",
        "\u{feff}",
        "\"\\ud800\"",
        "NaN",
        "1e999",
    ];
    let thrown = vec(prop::sample::select(&TOKENS[..]), 0..12)
        .prop_map(|tokens| format!("{{\"k\":{}}}", tokens.concat()).into_bytes());
    prop_oneof![changed, thrown]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_scanner_accepts_what_serde_accepts(json in near_json()) {
        // Duplicate keys are our own rule and cannot come up: these documents have one top-level key
        // unless a change makes them have more.
        let ours = Vcon::parse("x".into(), json.clone().into(), &DEEP);
        let duplicate = ours.as_ref().is_err_and(|error| error.rule() == "duplicate-key");
        // As is that on numbers which readers make infinite.
        let huge = ours.as_ref().is_err_and(|error| error.to_string().contains("larger than any"));
        prop_assert!(duplicate || huge || ours.is_ok() == serde_accepts(&json), "{:?}", String::from_utf8_lossy(&json));
    }

    #[test]
    fn a_document_survives_parsing_byte_for_byte(value in document(), pretty in any::<bool>()) {
        let json = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        let mut parsed = vcon(&json);
        prop_assert_eq!(&parsed.render(View::Stored)[..], json.as_bytes());
        // Adding and removing a member forces the document to be written anew, in its own layout.
        parsed.set("~probe", "1").unwrap();
        parsed.remove("~probe").unwrap();
        let rewritten: Value = serde_json::from_slice(&parsed.render(View::Stored)).unwrap();
        prop_assert_eq!(rewritten.to_string(), value.to_string());
    }

    #[test]
    fn views_are_json_and_repeating_one_changes_nothing(value in document(), pretty in any::<bool>()) {
        let json = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        for view in [View::Read, View::Write(BodyShape::Native), View::Write(BodyShape::Text)] {
            let once = vcon(&json).render(view);
            prop_assert!(serde_json::from_slice::<Value>(&once).is_ok());
            let parsed = Vcon::parse("x".into(), once.clone(), &DEEP).unwrap();
            prop_assert_eq!(parsed.render(view).as_ptr(), once.as_ptr(), "{:?} is not settled", view);
        }
    }

    #[test]
    fn unknown_members_and_their_order_survive_every_view(value in document()) {
        let known = ["vcon", "group", "redacted", "appended", "amended", "must_support", "critical"];
        let kept = |value: &Value| -> Vec<String> {
            value.as_object().unwrap().keys().filter(|key| !known.contains(&key.as_str())).cloned().collect()
        };
        for view in [View::Read, View::Write(BodyShape::Native), View::Write(BodyShape::Text), View::Legacy001] {
            let after: Value = serde_json::from_slice(&vcon(&value.to_string()).render(view)).unwrap();
            prop_assert_eq!(kept(&after), kept(&value), "{:?}", view);
            prop_assert_eq!(&after["own"], &value["own"]);
        }
    }

    #[test]
    fn both_write_shapes_hold_the_same_bodies(value in document()) {
        let native = vcon(&value.to_string()).render(View::Write(BodyShape::Native));
        let text = vcon(&value.to_string()).render(View::Write(BodyShape::Text));
        let text = Vcon::parse("x".into(), text, &DEEP).unwrap();
        let native = Vcon::parse("x".into(), native, &DEEP).unwrap();
        for (native, text) in native.analysis().zip(text.analysis()) {
            let native = native.body().map(|body| body.decode().ok());
            let text = text.body().map(|body| body.decode().ok());
            prop_assert_eq!(native, text);
        }
    }

    #[test]
    fn a_tag_that_was_added_is_there_and_is_not_added_again(
        value in document(), name in "\\PC{1,5}", tag in "\\PC{0,5}", text in any::<bool>(),
    ) {
        prop_assume!(value["attachments"].is_null() || value["attachments"].is_array());
        let shape = if text { BodyShape::Text } else { BodyShape::Native };
        let before = vcon(&value.to_string());
        let mut tagged = before.clone();
        let Ok(added) = tagged.add_tag(&name, &tag, shape) else { return Ok(()) };
        let joined = format!("{name}:{tag}");
        let is_there = |vcon: &Vcon| vcon.tags().unwrap().iter().any(|(name, value)| format!("{name}:{value}") == joined);
        prop_assert!(is_there(&tagged));
        let written = tagged.render(View::Write(shape));
        let mut again = Vcon::parse("x".into(), written, &DEEP).unwrap();
        prop_assert!(is_there(&again));
        prop_assert!(!again.add_tag(&name, &tag, shape).unwrap());
        prop_assert_ne!(added, tagged.same_as(&before));
    }

    #[test]
    fn the_python_text_means_the_same(value in any_json()) {
        let text = python_text(&value.to_string()).unwrap();
        prop_assert!(text.is_ascii());
        prop_assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), &value);
        prop_assert_eq!(python_text(&text).unwrap(), text);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..64)) {
        parses(&bytes);
    }
}
