//! Parameters of the query: converted and checked as FastAPI does it, all problems at once.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use conserver_core::vcon::VconId;
use conserver_core::{NoList, QueueName};
use serde_json::Value;

use crate::error::{ApiError, Result, not_found};
use crate::model::{Loc, Moment, Problem, Problems};

/// The parameters, and what is wrong with those asked for so far.
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
    problems: Problems,
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, Infallible> {
        let text = parts.uri.query().unwrap_or_default();
        let pairs = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        Ok(Self { pairs, problems: Problems::default() })
    }
}

impl Query {
    /// Every value of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter; the last one counts.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a switch is on: `?dry_run`, `?dry_run=true`. What is neither on nor off is a problem, not off.
    pub(crate) fn is_on(&mut self, name: &str) -> bool {
        let Some(value) = self.text(name).map(str::to_ascii_lowercase) else { return false };
        match value.as_str() {
            "" | "1" | "true" | "t" | "yes" | "y" | "on" => true,
            "0" | "false" | "f" | "no" | "n" | "off" => false,
            _ => {
                self.problems.push(Problem::bool_parsing(Loc::query(name), value.into()));
                false
            }
        }
    }

    /// A parameter that has to be there.
    pub(crate) fn required(&mut self, name: &str) -> String {
        let value = self.text(name).map(str::to_owned);
        if value.is_none() {
            self.problems.push(Problem::missing(Loc::query(name), Value::Null));
        }
        value.unwrap_or_default()
    }

    /// A list that has to be named.
    pub(crate) fn list(&mut self, name: &str) -> QueueName {
        let list = self.required(name);
        if self.text(name).is_none() {
            return QueueName::new(list);
        }
        self.list_named(name, &list)
    }

    /// A list that the parameter, or the header in its place, names. A key of the store itself is a problem.
    pub(crate) fn list_named(&mut self, name: &str, list: &str) -> QueueName {
        list.parse().unwrap_or_else(|refused: NoList| {
            self.problems.push(Problem::value_of(Loc::query(name), refused.to_string(), list.into()));
            QueueName::new(list)
        })
    }

    /// A whole number.
    pub(crate) fn int(&mut self, name: &str, default: i64) -> i64 {
        let Some(text) = self.text(name).map(str::to_owned) else { return default };
        let trimmed = text.trim();
        let number = trimmed.parse().ok().or_else(|| {
            // A fraction of zeros is a whole number; more digits than fit are as many as do.
            let whole = trimmed.split_once('.').filter(|(_, zeros)| zeros.bytes().all(|b| b == b'0'));
            let digits = whole.map_or(trimmed, |(whole, _)| whole);
            let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
            let is_number = !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit());
            is_number
                .then(|| digits.parse().unwrap_or(if digits.starts_with('-') { i64::MIN } else { i64::MAX }))
        });
        number.unwrap_or_else(|| {
            let problem = Problem::int_parsing(Loc::query(name), &Value::from(text.as_str()).to_string());
            self.problems.push(problem);
            default
        })
    }

    /// A whole number within bounds.
    pub(crate) fn int_within(&mut self, name: &str, default: i64, least: i64, most: i64) -> usize {
        let number = self.int(name, default);
        let input = || Value::from(self.text(name).unwrap_or_default());
        if number < least {
            let problem = Problem::at_least(Loc::query(name), least, input());
            self.problems.push(problem);
        } else if number > most {
            let problem = Problem::at_most(Loc::query(name), most, input());
            self.problems.push(problem);
        }
        usize::try_from(number.clamp(least, most)).unwrap_or(0)
    }

    /// A time in whole seconds, if one is given.
    pub(crate) fn seconds(&mut self, name: &str) -> Option<Duration> {
        self.text(name)?;
        Some(Duration::from_secs(self.int_within(name, 0, 0, i64::MAX) as u64))
    }

    /// A date and time, in Unix seconds.
    pub(crate) fn moment(&mut self, name: &str) -> Option<i64> {
        let text = self.text(name)?.to_owned();
        match Moment::of_text(&text) {
            Ok(moment) => Some(moment.unix()),
            Err(fault) => {
                let problem = fault.problem(Loc::query(name), &Value::from(text).to_string());
                self.problems.push(problem);
                None
            }
        }
    }

    /// UUIDs, each a parameter of its own or several in one with commas.
    pub(crate) fn uuids(&mut self, name: &str) -> Vec<VconId> {
        let texts: Vec<String> =
            self.all(name).flat_map(|value| value.split(',')).map(|text| text.trim().to_owned()).collect();
        let mut ids = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
            match uuid::Uuid::parse_str(text) {
                Ok(uuid) => ids.push(uuid.into()),
                Err(error) => {
                    let raw = Value::from(text.as_str()).to_string();
                    self.problems.push(Problem::uuid_parsing(Loc::query(name).index(index), &error, &raw));
                }
            }
        }
        ids
    }

    /// Tells of one more problem.
    pub(crate) fn refuse(&mut self, name: &str, says: &str) {
        let input = self.text(name).map_or(Value::Null, Value::from);
        self.problems.push(Problem::value_of(Loc::query(name), says, input));
    }

    /// Tells of a problem of the body together with those of the parameters.
    pub(crate) fn note(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Ends the reading: everything that was wrong, or nothing.
    pub(crate) fn check(&mut self) -> Result<()> {
        let problems = std::mem::take(&mut self.problems);
        if problems.is_empty() { Ok(()) } else { Err(ApiError::rules(&problems.into_vec())) }
    }
}

/// The one part of the path that is not fixed.
pub(crate) struct PathText(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Path(text) = Path::from_request_parts(parts, state).await.map_err(|_| {
            not_found("Not Found", "the path has bytes that are no UTF-8; write each byte of the name as %XX")
        })?;
        Ok(Self(text))
    }
}

/// The UUID in the path.
pub(crate) fn path_uuid(text: &str) -> Result<VconId> {
    uuid::Uuid::parse_str(text).map(VconId::from).map_err(|error| {
        let raw = Value::from(text).to_string();
        ApiError::rules(&[Problem::uuid_parsing(Loc::path("vcon_uuid"), &error, &raw)])
    })
}

/// A header that is text.
pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
