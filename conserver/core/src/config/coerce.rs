//! What an option accepts beside its plain type, as the Python server does: `port: '5432'`, `verify: "yes"`,
//! `file_permissions: "0o644"`, a duration with a unit, one text where a list may stand.
//!
//! Each is a type for the schema (`#[schemars(with = "coerce::Integer<u16>")]`) and a function for
//! `#[serde(deserialize_with = "coerce::integer")]` on the plain field. Whatever else is written there is an
//! error: nothing is guessed from a value of another kind.

mod choice;
mod number;
mod unit;

pub use choice::{Boolean, OneOrMany, Text};
pub use number::{FileMode, Integer, Number};
pub use unit::{DurationText, Size};

pub(crate) use choice::boolean_word;

use std::time::Duration;

use serde::de::{Deserialize, DeserializeOwned, Deserializer};

/// A whole number, or text that is one: `5432`, `'5432'`.
pub fn integer<'de, D: Deserializer<'de>, T: TryFrom<i128>>(deserializer: D) -> Result<T, D::Error> {
    Integer::deserialize(deserializer).map(|Integer(value)| value)
}

/// [`integer`] that may be null.
pub fn opt_integer<'de, D: Deserializer<'de>, T: TryFrom<i128>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<Integer<T>>::deserialize(deserializer)?.map(|Integer(value)| value))
}

/// A number with or without a fraction, or text that is one: `0.5`, `'0.5'`, `3`.
pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Number::deserialize(deserializer).map(|Number(value)| value)
}

/// [`number`] that may be null.
pub fn opt_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Ok(Option::<Number>::deserialize(deserializer)?.map(|Number(value)| value))
}

/// A boolean, one of the words of YAML 1.1 (`yes`, `no`, `on`, `off`, `true`, `false`, `y`, `n`) as text, or 0 and 1.
pub fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Boolean::deserialize(deserializer).map(|Boolean(value)| value)
}

/// [`boolean`] that may be null.
pub fn opt_boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(Option::<Boolean>::deserialize(deserializer)?.map(|Boolean(value)| value))
}

/// Text, or a number taken as the text it is: for passwords and names that may look like one.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Text::deserialize(deserializer).map(|Text(value)| value)
}

/// [`text`] that may be null.
pub fn opt_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Text>::deserialize(deserializer)?.map(|Text(value)| value))
}

/// Permission bits: a number as it is (`0644` without quotes is already octal in YAML 1.1), or octal digits as
/// text: `"0644"`, `"644"`, `"0o644"`.
pub fn file_mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    FileMode::deserialize(deserializer).map(|FileMode(value)| value)
}

/// [`file_mode`] that may be null.
pub fn opt_file_mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(Option::<FileMode>::deserialize(deserializer)?.map(|FileMode(value)| value))
}

/// A duration with a unit (`250ms`, `30s`, `5m`, `1h`, `7d`); a bare number is seconds.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    DurationText::deserialize(deserializer).map(|text| text.value)
}

/// [`duration`] that may be null.
pub fn opt_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    Ok(Option::<DurationText>::deserialize(deserializer)?.map(|text| text.value))
}

/// A size with a unit (`10MB`, `64MiB`, `4kB`); a bare number is bytes.
pub fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Size::deserialize(deserializer).map(|Size(value)| value)
}

/// [`size`] that may be null.
pub fn opt_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<Size>::deserialize(deserializer)?.map(|Size(value)| value))
}

/// One value, or a list of them; null is an empty list.
pub fn one_or_many<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    OneOrMany::deserialize(deserializer).map(|OneOrMany(values)| values)
}

#[cfg(test)]
mod tests;
