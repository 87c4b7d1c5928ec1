//! Numbers as the Python server takes them: numeric texts and booleans too.

use super::{Loc, Problem, text};

/// An integer; `None` and a problem if it is none.
pub(super) fn integer(raw: &str, loc: impl FnOnce() -> Loc) -> Result<i64, Box<Problem>> {
    match raw {
        "true" => return Ok(1),
        "false" => return Ok(0),
        _ => {}
    }
    if let Some(text) = text(raw) {
        return whole(text.trim()).ok_or_else(|| Box::new(Problem::int_parsing(loc(), raw)));
    }
    if !raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return Err(Box::new(Problem::int_type(loc(), raw)));
    }
    whole(raw).ok_or_else(|| Box::new(Problem::int_from_float(loc(), raw)))
}

/// A whole number, also if it is written with a fraction of zeros.
fn whole(text: &str) -> Option<i64> {
    let exact = text.strip_prefix('+').unwrap_or(text).parse().ok();
    exact.or_else(|| {
        let number: f64 = text.parse().ok()?;
        (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
    })
}

/// A number that can be written as JSON.
pub(super) fn float(raw: &str, loc: impl FnOnce() -> Loc) -> Result<f64, Box<Problem>> {
    match raw {
        "true" => return Ok(1.0),
        "false" => return Ok(0.0),
        _ => {}
    }
    let finite = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    match text(raw) {
        Some(text) => finite(text.trim()).ok_or_else(|| Box::new(Problem::float_parsing(loc(), raw))),
        None => finite(raw).ok_or_else(|| Box::new(Problem::float_type(loc(), raw))),
    }
}
