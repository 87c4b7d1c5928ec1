//! JSON text as Python's `json.dumps(json.loads(text))` writes it.
//!
//! Hashes of whole documents and bodies in the older shape are made of this text: `", "` and `": "`, all
//! but ASCII escaped in lower case, floats in their shortest form. Values are not built: the text is copied
//! token by token. It differs from Python in two corners. A float too large for 64 bits keeps its spelling,
//! where Python would write `Infinity`, which is no JSON; and of two equal keys both stay.

use super::cursor::Cursor;
use super::string::{self, Run};

/// Rewrites valid JSON text in the form Python writes; `None` if the text is no JSON.
///
/// ```
/// let text = conserver_vcon::python_text(r#"{"a":[1.0,"é"]}"#);
/// assert_eq!(text.as_deref(), Some(r#"{"a": [1.0, "\u00e9"]}"#));
/// ```
pub fn python_text(json: &str) -> Option<String> {
    super::check(json, usize::MAX).ok()?;
    let mut out = Vec::with_capacity(json.len() + json.len() / 8);
    write_python_text(json.trim_ascii(), &mut out);
    Some(String::from_utf8(out).expect("the text is ASCII"))
}

/// Appends the Python form of a value that the scanner has passed.
pub(crate) fn write_python_text(raw: &str, out: &mut Vec<u8>) {
    let mut cursor = Cursor::new(raw, usize::MAX);
    loop {
        cursor.space();
        let from = cursor.at();
        match cursor.peek() {
            None => break,
            Some(b',') if cursor.take(b',') => out.extend_from_slice(b", "),
            Some(b':') if cursor.take(b':') => out.extend_from_slice(b": "),
            Some(bracket @ (b'{' | b'}' | b'[' | b']')) if cursor.take(bracket) => out.push(bracket),
            // Strings, numbers and literals; of text that the scanner has passed, nothing else is left.
            Some(first) => {
                if cursor.value().is_err() {
                    break;
                }
                match first {
                    b'"' => write_string(cursor.slice(from), out),
                    b'-' | b'0'..=b'9' => write_number(cursor.slice(from), out),
                    _ => out.extend_from_slice(cursor.slice(from).as_bytes()),
                }
            }
        }
    }
}

fn write_string(raw: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    string::for_each_run(&raw[1..raw.len() - 1], |run| match run {
        Run::Plain(text) if text.is_ascii() => out.extend_from_slice(text.as_bytes()),
        Run::Plain(text) => text.chars().for_each(|character| string::push_ascii(u32::from(character), out)),
        Run::Code(code) => string::push_ascii(code, out),
    });
    out.push(b'"');
}

fn write_number(raw: &str, out: &mut Vec<u8>) {
    if raw == "-0" {
        out.push(b'0');
    } else if raw.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        out.extend_from_slice(raw.as_bytes());
    } else {
        match raw.parse::<f64>() {
            Ok(number) if number.is_finite() => out.extend_from_slice(float(number).as_bytes()),
            _ => out.extend_from_slice(raw.as_bytes()),
        }
    }
}

/// The shortest digits that read back as the same number, in Python's layout: an exponent below 1e-4 and
/// from 1e16 on, with a sign and two digits at least.
fn float(number: f64) -> String {
    if number == 0.0 || (1e-4..1e16).contains(&number.abs()) {
        return format!("{number:?}");
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_the_one_of_python() {
        let text = "{ \"b\" :[1,2 , {}],\n\"a\\/\":\"\\u00E9\\ud83d\\ude00é\\ud800\", \"c\":[] }";
        assert_eq!(
            python_text(text).unwrap(),
            r#"{"b": [1, 2, {}], "a/": "\u00e9\ud83d\ude00\u00e9\ud800", "c": []}"#
        );
    }

    #[test]
    fn numbers_are_spelled_as_python_spells_them() {
        for (json, python) in [
            ("1.0", "1.0"),
            ("1e16", "1e+16"),
            ("1E5", "100000.0"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1.10", "1.1"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1.5e-7", "1.5e-07"),
            ("1.5e300", "1.5e+300"),
            ("-0", "0"),
            ("-0.0", "-0.0"),
            ("9999999999999998.0", "9999999999999998.0"),
        ] {
            assert_eq!(python_text(json).as_deref(), Some(python));
        }
    }

    #[test]
    fn what_is_no_json_has_no_python_form() {
        assert_eq!(python_text("{"), None);
        assert_eq!(python_text("NaN"), None);
        assert_eq!(python_text("1e999"), None);
    }
}
