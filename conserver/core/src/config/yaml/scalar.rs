//! What a scalar without quotes means in YAML 1.1, as PyYAML's safe loader resolves it.
//!
//! `yes`, `no`, `on` and `off` are booleans, `0644` is octal, `0o644` is text, `12_000` and `1:30` are integers,
//! `1e5` is text (a float needs its point). Dates and the infinities stay text: JSON has neither.

use serde_json::Number;

use super::node::Content;
use crate::config::coerce::boolean_word;

/// Resolves a plain scalar.
pub(crate) fn resolve(text: &str) -> Content {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Content::Null;
    }
    if let Some(value) = boolean_word(text) {
        return Content::Bool(value);
    }
    // Everything that is a number begins with a digit, a sign or a point.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Content::Text(text.to_owned());
    }
    integer(text).or_else(|| float(text)).map_or_else(|| Content::Text(text.to_owned()), Content::Number)
}

/// An integer in any notation of YAML 1.1.
pub(crate) fn integer(text: &str) -> Option<Number> {
    let (negative, body) = sign(text);
    let digits = body.replace('_', "");
    let value = if let Some(binary) = body.strip_prefix("0b") {
        i128::from_str_radix(&unsigned(binary)?, 2).ok()?
    } else if let Some(hex) = body.strip_prefix("0x") {
        i128::from_str_radix(&unsigned(hex)?, 16).ok()?
    } else if body.len() > 1 && body.starts_with('0') {
        i128::from_str_radix(&unsigned(&body[1..])?, 8).ok()?
    } else if body.contains(':') {
        sexagesimal(&digits)?
    } else if body.starts_with(|c: char| c.is_ascii_digit()) {
        unsigned(body)?.parse().ok()?
    } else {
        return None;
    };
    Number::from_i128(if negative { -value } else { value })
}

/// A float in any notation of YAML 1.1 that JSON can hold.
pub(crate) fn float(text: &str) -> Option<Number> {
    let (negative, body) = sign(text);
    let body = body.replace('_', "");
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (&body[..at], Some(&body[at + 1..])),
        None => (body.as_str(), None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    // The sign of an exponent is not optional in YAML 1.1.
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['+', '-'])?;
        if digits.is_empty() || !is_digits(digits) {
            return None;
        }
    }
    let value: f64 = format!("0{body}").parse().ok()?;
    Number::from_f64(if negative { -value } else { value })
}

fn sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

/// Digits without their underscores; `None` where there are none, or a second sign that Rust would read.
fn unsigned(digits: &str) -> Option<String> {
    let digits = digits.replace('_', "");
    (!digits.is_empty() && !digits.starts_with(['+', '-'])).then_some(digits)
}

/// `1:30` is 90.
fn sexagesimal(digits: &str) -> Option<i128> {
    let mut parts = digits.split(':');
    let first = parts.next()?;
    if !first.starts_with(|c: char| ('1'..='9').contains(&c)) {
        return None;
    }
    let mut value: i128 = unsigned(first)?.parse().ok()?;
    for part in parts {
        let part: i128 = if part.len() <= 2 { unsigned(part)?.parse().ok()? } else { return None };
        if part > 59 {
            return None;
        }
        value = value.checked_mul(60)?.checked_add(part)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::yaml::node::{Mark, Node};

    fn read(text: &str) -> Value {
        Node::new(Mark::default(), resolve(text)).to_json()
    }

    #[test]
    fn plain_scalars_mean_what_they_mean_in_yaml_1_1() {
        for (text, expected) in [
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("~", json!(null)),
            ("", json!(null)),
            ("0644", json!(420)),
            ("0o644", json!("0o644")),
            ("0x1F", json!(31)),
            ("0b101", json!(5)),
            ("12_000", json!(12000)),
            ("-7", json!(-7)),
            ("+7", json!(7)),
            ("0", json!(0)),
            ("08", json!("08")),
            ("1:30", json!(90)),
            ("10:00:00", json!(36000)),
            ("1:75", json!("1:75")),
            ("0:30", json!("0:30")),
            ("1.5", json!(1.5)),
            (".5", json!(0.5)),
            ("1.", json!(1.0)),
            ("-1.5e+3", json!(-1500.0)),
            ("1e5", json!("1e5")),
            ("1.0e5", json!("1.0e5")),
            (".inf", json!(".inf")),
            ("2026-08-16", json!("2026-08-16")),
            ("y", json!("y")),
            ("1.2.3", json!("1.2.3")),
            ("127.0.0.1", json!("127.0.0.1")),
            ("--1", json!("--1")),
            ("-", json!("-")),
            (".", json!(".")),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }
}
