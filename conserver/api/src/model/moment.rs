//! Dates as the Python server takes and writes them.

use speedate::{
    Date, DateTime, DateTimeConfig, MicrosecondsPrecisionOverflowBehavior, ParseError, TimeConfig,
    TimestampUnit,
};
use strum::EnumMessage;

use super::{Loc, Problem, text};

/// A point in time, with or without a zone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moment(DateTime);

/// Why a value is no date.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It is of another type.
    Type,
    /// It cannot be read.
    Parsing(&'static str),
    /// It is a number of no date.
    Number(&'static str),
}

impl Fault {
    pub(crate) fn problem(&self, loc: Loc, raw: &str) -> Problem {
        match self {
            Self::Type => Problem::datetime_type(loc, raw),
            Self::Parsing(why) => Problem::datetime_parsing(loc, why, raw),
            Self::Number(why) => Problem::timestamp_parsing(loc, why, raw),
        }
    }
}

impl From<ParseError> for Fault {
    fn from(error: ParseError) -> Self {
        Self::Parsing(documented(&error))
    }
}

/// A number of seconds or milliseconds that is outside of all dates, and that a library can still compute with.
const FAR: f64 = 1e17;

fn documented(error: &ParseError) -> &'static str {
    error.get_documentation().unwrap_or("it cannot be read")
}

fn config() -> DateTimeConfig {
    DateTimeConfig {
        time_config: TimeConfig {
            microseconds_precision_overflow_behavior: MicrosecondsPrecisionOverflowBehavior::Truncate,
            unix_timestamp_offset: Some(0),
        },
        timestamp_unit: TimestampUnit::Infer,
    }
}

impl Moment {
    /// Of a JSON value: a text, or Unix seconds or milliseconds.
    pub(crate) fn of_json(raw: &str) -> Result<Self, Fault> {
        if let Some(text) = text(raw) {
            return Self::of_text(&text);
        }
        if !raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            return Err(Fault::Type);
        }
        let moment = match raw.parse() {
            Ok(seconds) => DateTime::from_timestamp_with_config(seconds, 0, &config()),
            Err(_) => {
                let seconds: f64 = raw.parse().map_err(|_| Fault::Type)?;
                DateTime::from_float_with_config(seconds.clamp(-FAR, FAR), &config())
            }
        };
        let moment = moment.map_err(|error| Fault::Number(documented(&error)))?;
        Self::within(moment)
    }

    /// Of a text.
    pub(crate) fn of_text(text: &str) -> Result<Self, Fault> {
        if let Ok(moment) = DateTime::parse_bytes_with_config(text.as_bytes(), &config()) {
            return Self::within(moment);
        }
        let date = Date::parse_bytes(text.as_bytes())?;
        let midnight = speedate::Time { hour: 0, minute: 0, second: 0, microsecond: 0, tz_offset: None };
        Self::within(DateTime { date, time: midnight })
    }

    /// Python knows no year 0.
    fn within(moment: DateTime) -> Result<Self, Fault> {
        if moment.date.year == 0 { Err(Fault::Parsing("year 0 is out of range")) } else { Ok(Self(moment)) }
    }

    /// Unix seconds, cut, as Python's `int`; without a zone it is taken as UTC.
    pub(crate) fn unix(self) -> i64 {
        let floor = self.0.timestamp() - i64::from(self.0.time.tz_offset.unwrap_or(0));
        floor + i64::from(floor < 0 && self.0.time.microsecond > 0)
    }

    /// As it is stored: microseconds only if there are any, `+00:00` for UTC.
    pub(crate) fn iso(self) -> String {
        let DateTime { date, time } = self.0;
        let mut text = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            date.year, date.month, date.day, time.hour, time.minute, time.second
        );
        if time.microsecond != 0 {
            text.push_str(&format!(".{:06}", time.microsecond));
        }
        if let Some(offset) = time.tz_offset {
            let (sign, offset) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
            text.push_str(&format!("{sign}{:02}:{:02}", offset / 3600, offset % 3600 / 60));
        }
        text
    }
}
