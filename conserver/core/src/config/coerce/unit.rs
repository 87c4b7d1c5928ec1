//! Durations and sizes: the unit is written, not in someone's head.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A duration as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationText {
    /// How long.
    pub value: Duration,
    /// Whether it was a bare number, taken as seconds.
    pub bare: bool,
}

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl DurationText {
    /// Reads `30s`, `1h30m`, `250ms`, `7d`, or a bare number of seconds.
    ///
    /// # Errors
    /// The sentence for the operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(seconds) = text.parse::<f64>() {
            return Self::seconds(seconds);
        }
        let wrong = || format!("`{text}` is no duration; write `250ms`, `30s`, `5m`, `1h` or `7d`");
        // `P1D` and the like are durations too, but nobody expects them in a YAML file.
        if !text.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(wrong());
        }
        let span: Span = text.parse().map_err(|_| wrong())?;
        let value = span
            .to_duration(SpanRelativeTo::days_are_24_hours())
            .ok()
            .and_then(|signed| Duration::try_from(signed).ok())
            .ok_or_else(wrong)?;
        Ok(Self { value, bare: false })
    }

    fn seconds(seconds: f64) -> Result<Self, String> {
        match Duration::try_from_secs_f64(seconds) {
            Ok(value) => Ok(Self { value, bare: true }),
            Err(_) => Err(format!("{seconds} seconds is no duration; it cannot be negative or without end")),
        }
    }
}

impl Size {
    /// Reads `10MB`, `64 MiB`, `4kB`, or a bare number of bytes.
    ///
    /// # Errors
    /// The sentence for the operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || format!("`{text}` is no size; write `4kB`, `10MB`, `64MiB` or a number of bytes");
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1_000,
            "kib" => 1 << 10,
            "m" | "mb" => 1_000_000,
            "mib" => 1 << 20,
            "g" | "gb" => 1_000_000_000,
            "gib" => 1 << 30,
            _ => return Err(wrong()),
        };
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(factor).map(Self).ok_or_else(wrong);
        }
        match number.parse::<f64>() {
            Ok(fraction) if fraction * (factor as f64) < u64::MAX as f64 => {
                Ok(Self((fraction * factor as f64) as u64))
            }
            _ => Err(wrong()),
        }
    }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DurationVisitor)
    }
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = DurationText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as `30s`")
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Self::Value, E> {
        Ok(DurationText { value: Duration::from_secs(seconds), bare: true })
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Self::Value, E> {
        DurationText::seconds(seconds as f64).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Self::Value, E> {
        DurationText::seconds(seconds).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        DurationText::parse(text).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as `10MB`")
    }

    fn visit_u64<E: Error>(self, bytes: u64) -> Result<Self::Value, E> {
        Ok(Size(bytes))
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<Self::Value, E> {
        u64::try_from(bytes).map(Size).map_err(|_| E::custom("a size is not negative"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Size::parse(text).map_err(E::custom)
    }
}

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration with a unit: `250ms`, `30s`, `5m`, `1h`, `7d`. A bare number is seconds.",
            "type": ["string", "number"],
            "minimum": 0
        })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A size with a unit: `4kB`, `10MB`, `64MiB`. A bare number is bytes.",
            "type": ["string", "integer"],
            "minimum": 0
        })
    }
}
