//! What each coercion takes and what it refuses.

use std::fmt::Debug;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|e| e.to_string())
}

fn refuses<T: DeserializeOwned + Debug>(value: &Value, says: &str) {
    let error = read::<T>(value.clone()).expect_err(&format!("{value} was taken"));
    assert!(error.contains(says), "{value}: {error}");
}

#[test]
fn integers_come_as_numbers_and_as_text() {
    assert_eq!(read::<Integer<u16>>(json!(5432)), Ok(Integer(5432)));
    assert_eq!(read::<Integer<u16>>(json!(" 5432 ")), Ok(Integer(5432)));
    assert_eq!(read::<Integer<i64>>(json!("-7")), Ok(Integer(-7)));
    refuses::<Integer<u16>>(&json!(70000), "out of range");
    refuses::<Integer<u16>>(&json!("5432/tcp"), "expected a whole number");
    refuses::<Integer<u16>>(&json!(1.5), "a whole number");
    refuses::<Integer<u16>>(&json!(null), "a whole number");
}

#[test]
fn numbers_keep_their_fraction() {
    assert_eq!(read::<Number>(json!("0.5")), Ok(Number(0.5)));
    assert_eq!(read::<Number>(json!(3)), Ok(Number(3.0)));
    refuses::<Number>(&json!("inf"), "a number");
    refuses::<Number>(&json!(true), "a number");
}

#[test]
fn booleans_are_read_in_the_words_of_yaml_1_1() {
    for yes in [json!(true), json!("yes"), json!("On"), json!("TRUE"), json!("y"), json!(1), json!("1")] {
        assert_eq!(read::<Boolean>(yes.clone()), Ok(Boolean(true)), "{yes}");
    }
    for no in [json!(false), json!("no"), json!("off"), json!("False"), json!("n"), json!(0)] {
        assert_eq!(read::<Boolean>(no.clone()), Ok(Boolean(false)), "{no}");
    }
    refuses::<Boolean>(&json!("maybe"), "true or false");
    refuses::<Boolean>(&json!(2), "true or false");
}

#[test]
fn only_the_three_spellings_of_a_plain_word_are_booleans() {
    assert_eq!([boolean_word("yes"), boolean_word("Yes"), boolean_word("YES")], [Some(true); 3]);
    assert_eq!([boolean_word("yEs"), boolean_word("y"), boolean_word("YEs"), boolean_word("")], [None; 4]);
}

#[test]
fn a_number_can_be_a_password() {
    assert_eq!(read::<Text>(json!(12345)), Ok(Text("12345".to_owned())));
    refuses::<Text>(&json!(true), "text");
}

#[test]
fn file_modes_are_octal_as_text_and_bits_as_numbers() {
    for mode in [json!("0644"), json!("644"), json!("0o644"), json!(0o644), json!(420)] {
        assert_eq!(read::<FileMode>(mode.clone()), Ok(FileMode(0o644)), "{mode}");
    }
    refuses::<FileMode>(&json!("0699"), "octal digits");
    refuses::<FileMode>(&json!("u+rw"), "octal digits");
    refuses::<FileMode>(&json!(-1), "negative");
    refuses::<FileMode>(&json!(0o10000), "at most");
}

#[test]
fn durations_have_units_and_bare_numbers_are_seconds() {
    let written = |text: &str| DurationText::parse(text).map(|d| (d.value, d.bare));
    assert_eq!(written("250ms"), Ok((Duration::from_millis(250), false)));
    assert_eq!(written("30s"), Ok((Duration::from_secs(30), false)));
    assert_eq!(written("5m"), Ok((Duration::from_secs(300), false)));
    assert_eq!(written("1h30m"), Ok((Duration::from_secs(5400), false)));
    assert_eq!(written("7d"), Ok((Duration::from_secs(7 * 86400), false)));
    assert_eq!(written("30"), Ok((Duration::from_secs(30), true)));
    assert_eq!(written("0.5"), Ok((Duration::from_millis(500), true)));
    for wrong in ["", "soon", "30 parsecs", "-5s", "PT5M", "nan", "inf", "9999999999999999d"] {
        assert!(DurationText::parse(wrong).is_err(), "{wrong}");
    }
    refuses::<DurationText>(&json!(-1), "cannot be negative");
}

#[test]
fn sizes_have_units_and_bare_numbers_are_bytes() {
    let bytes = |text: &str| Size::parse(text).map(|Size(bytes)| bytes);
    assert_eq!(bytes("10MB"), Ok(10_000_000));
    assert_eq!(bytes("64 MiB"), Ok(64 << 20));
    assert_eq!(bytes("4kB"), Ok(4_000));
    assert_eq!(bytes("1.5k"), Ok(1_500));
    assert_eq!(bytes("77"), Ok(77));
    for wrong in ["", "MB", "10 apples", "-1", "1.2.3kB", "99999999999999999999GB"] {
        assert!(Size::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn one_value_is_a_list_of_one() {
    let many = |value| read::<OneOrMany<String>>(value).map(|OneOrMany(list)| list);
    assert_eq!(many(json!("a")), Ok(vec!["a".to_owned()]));
    assert_eq!(many(json!(["a", "b"])), Ok(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(many(json!(null)), Ok(vec![]));
    refuses::<OneOrMany<String>>(&json!(["a", 5]), "string");
}

#[test]
fn the_functions_serve_plain_fields() {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Options {
        #[serde(deserialize_with = "integer")]
        port: u16,
        #[serde(default, deserialize_with = "opt_duration")]
        timeout: Option<Duration>,
        #[serde(default, deserialize_with = "one_or_many")]
        hosts: Vec<String>,
    }
    let options: Options = read(json!({"port": "5432", "timeout": "30s", "hosts": "a"})).unwrap();
    let expected =
        Options { port: 5432, timeout: Some(Duration::from_secs(30)), hosts: vec!["a".to_owned()] };
    assert_eq!(options, expected);
}
