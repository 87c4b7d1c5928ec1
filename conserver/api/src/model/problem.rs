//! One broken rule, in the words and the shape of the Python server's 422 answers.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// Problems of one request that are told; more help nobody.
const MOST: usize = 100;
/// Input that is larger is not sent back.
const ECHO: usize = 16 << 10;

/// Where a value stands: `["body", "dialog", 0, "url"]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Loc(Vec<Value>);

impl Loc {
    pub(crate) fn whole_body() -> Self {
        Self(vec!["body".into()])
    }

    pub(crate) fn body(name: &str) -> Self {
        Self::whole_body().name(name)
    }

    pub(crate) fn query(name: &str) -> Self {
        Self(vec!["query".into(), name.into()])
    }

    pub(crate) fn path(name: &str) -> Self {
        Self(vec!["path".into(), name.into()])
    }

    pub(crate) fn name(mut self, name: &str) -> Self {
        self.0.push(name.into());
        self
    }

    pub(crate) fn index(mut self, index: usize) -> Self {
        self.0.push(index.into());
        self
    }
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub(crate) struct Problem {
    /// Which rule.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// Where: `body`, `query` or `path`, then names and indices.
    #[schema(value_type = Vec<Value>)]
    pub(crate) loc: Loc,
    /// A sentence.
    pub(crate) msg: String,
    /// What was sent.
    #[schema(value_type = Value)]
    pub(crate) input: Value,
    /// The rule's bounds, or why something could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(crate) ctx: Option<Value>,
}

impl Problem {
    fn of(kind: &'static str, loc: Loc, msg: impl Into<String>, input: Value) -> Self {
        Self { kind, loc, msg: msg.into(), input, ctx: None }
    }

    fn explained(kind: &'static str, loc: Loc, msg: &str, error: &str, input: Value) -> Self {
        Self { ctx: Some(json!({"error": error})), ..Self::of(kind, loc, format!("{msg}, {error}"), input) }
    }

    pub(crate) fn bool_parsing(loc: Loc, input: Value) -> Self {
        let says = "Input should be a valid boolean, unable to interpret input";
        Self::of("bool_parsing", loc, says, input)
    }

    pub(crate) fn missing(loc: Loc, input: Value) -> Self {
        Self::of("missing", loc, "Field required", input)
    }

    pub(crate) fn string_type(loc: Loc, raw: &str) -> Self {
        Self::of("string_type", loc, "Input should be a valid string", read(raw))
    }

    pub(crate) fn dict_type(loc: Loc, raw: &str) -> Self {
        Self::of("dict_type", loc, "Input should be a valid dictionary", read(raw))
    }

    pub(crate) fn list_type(loc: Loc, raw: &str) -> Self {
        Self::of("list_type", loc, "Input should be a valid list", read(raw))
    }

    pub(crate) fn model_type(loc: Loc, raw: &str) -> Self {
        let says = "Input should be a valid dictionary or object to extract fields from";
        Self::of("model_attributes_type", loc, says, read(raw))
    }

    pub(crate) fn uuid_type(loc: Loc, raw: &str) -> Self {
        Self::of("uuid_type", loc, "UUID input should be a string, bytes or UUID object", read(raw))
    }

    pub(crate) fn uuid_parsing(loc: Loc, error: &uuid::Error, raw: &str) -> Self {
        let says = error.to_string();
        // The words of older versions of the library, which count from 1.
        let older = says.strip_prefix("invalid character: found ").and_then(|found| {
            let (found, at) = found.rsplit_once(" at ")?;
            let expected = "expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-]";
            Some(format!("invalid character: {expected}, found {found} at {}", at.parse::<usize>().ok()? + 1))
        });
        Self::explained(
            "uuid_parsing",
            loc,
            "Input should be a valid UUID",
            older.as_ref().unwrap_or(&says),
            read(raw),
        )
    }

    pub(crate) fn datetime_parsing(loc: Loc, error: &str, raw: &str) -> Self {
        let says = "Input should be a valid datetime or date";
        Self::explained("datetime_from_date_parsing", loc, says, error, read(raw))
    }

    pub(crate) fn timestamp_parsing(loc: Loc, error: &str, raw: &str) -> Self {
        Self::explained("datetime_parsing", loc, "Input should be a valid datetime", error, read(raw))
    }

    pub(crate) fn datetime_type(loc: Loc, raw: &str) -> Self {
        Self::of("datetime_type", loc, "Input should be a valid datetime", read(raw))
    }

    pub(crate) fn int_parsing(loc: Loc, raw: &str) -> Self {
        let says = "Input should be a valid integer, unable to parse string as an integer";
        Self::of("int_parsing", loc, says, read(raw))
    }

    pub(crate) fn int_type(loc: Loc, raw: &str) -> Self {
        Self::of("int_type", loc, "Input should be a valid integer", read(raw))
    }

    pub(crate) fn int_from_float(loc: Loc, raw: &str) -> Self {
        let says = "Input should be a valid integer, got a number with a fractional part";
        Self::of("int_from_float", loc, says, read(raw))
    }

    pub(crate) fn float_parsing(loc: Loc, raw: &str) -> Self {
        let says = "Input should be a valid number, unable to parse string as a number";
        Self::of("float_parsing", loc, says, read(raw))
    }

    pub(crate) fn float_type(loc: Loc, raw: &str) -> Self {
        Self::of("float_type", loc, "Input should be a valid number", read(raw))
    }

    pub(crate) fn at_least(loc: Loc, least: i64, input: Value) -> Self {
        let says = format!("Input should be greater than or equal to {least}");
        Self { ctx: Some(json!({"ge": least})), ..Self::of("greater_than_equal", loc, says, input) }
    }

    pub(crate) fn at_most(loc: Loc, most: i64, input: Value) -> Self {
        let says = format!("Input should be less than or equal to {most}");
        Self { ctx: Some(json!({"le": most})), ..Self::of("less_than_equal", loc, says, input) }
    }

    /// A rule in words of its own.
    pub(crate) fn value(loc: Loc, says: impl AsRef<str>, raw: &str) -> Self {
        Self::value_of(loc, says, read(raw))
    }

    pub(crate) fn value_of(loc: Loc, says: impl AsRef<str>, input: Value) -> Self {
        let says = format!("Value error, {}", says.as_ref());
        Self { ctx: Some(json!({"error": {}})), ..Self::of("value_error", loc, says, input) }
    }

    /// Text that is no JSON.
    pub(crate) fn json_invalid(at: usize, error: &str) -> Self {
        let loc = Loc::whole_body().index(at);
        let input = Value::Object(Map::new());
        Self {
            ctx: Some(json!({"error": error})),
            ..Self::of("json_invalid", loc, "JSON decode error", input)
        }
    }
}

/// Problems of one request, up to a number that somebody may still read.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        if self.0.len() < MOST {
            self.0.push(problem);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_vec(self) -> Vec<Problem> {
        self.0
    }
}

/// A value to send back with what is wrong about it.
fn read(raw: &str) -> Value {
    echo(raw.as_bytes())
}

/// The same for a whole body; null if it is too large for that.
pub(crate) fn echo(json: &[u8]) -> Value {
    if json.len() > ECHO { Value::Null } else { serde_json::from_slice(json).unwrap_or_default() }
}
