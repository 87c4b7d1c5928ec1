//! What stands under `options:` of a tag link.
//!
//! Tags may be written as a list of texts, of `name: value` pairs, or as a map; all mean the same.

use conserver_core::config::coerce::Text;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// Options of a tag link.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TagOptions {
    /// The tags to add: a list of `name:value`, of bare names, which become `name:name`, or a map of names and values.
    /// Default: none.
    pub tags: Tags,
}

impl TagOptions {
    /// What is wrong with options that parsed.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.tags.0.is_empty() {
            problems.push("`tags` is empty, so the link does nothing".to_owned());
        }
        if self.tags.0.iter().any(|(name, _)| name.is_empty()) {
            problems
                .push("`tags` has a tag without a name, which is left out; write `name:value`".to_owned());
        }
        problems
    }
}

/// Tags as names and values, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema)]
#[schemars(with = "Option<Written>")]
pub struct Tags(pub(super) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tags = match Option::<Written>::deserialize(deserializer)? {
            None => Vec::new(),
            Some(Written::One(tag)) => vec![split(&tag.0)],
            Some(Written::Map(map)) => map.into_iter().map(pair).collect(),
            Some(Written::List(items)) => items.into_iter().flat_map(Item::tags).collect(),
        };
        Ok(Self(tags))
    }
}

/// How tags may be written.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected tags: a list of `name:value`, or a map of names and values")]
enum Written {
    List(Vec<Item>),
    Map(IndexMap<String, Option<Value>>),
    One(Text),
}

/// One item of a list of tags.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a tag: `name:value`, a name, or a map of names and values")]
enum Item {
    Text(Text),
    Boolean(bool),
    Map(IndexMap<String, Option<Value>>),
    Nothing(()),
}

/// The value of a tag.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected the value of a tag: text, a number or a boolean")]
enum Value {
    Boolean(bool),
    Text(Text),
}

impl Item {
    fn tags(self) -> Vec<(String, String)> {
        match self {
            Self::Text(Text(text)) => vec![split(&text)],
            Self::Boolean(value) => vec![split(spelled(value))],
            Self::Nothing(()) => vec![split("None")],
            Self::Map(map) => map.into_iter().map(pair).collect(),
        }
    }
}

/// `name:value` at the first colon; a bare name is its own value.
fn split(text: &str) -> (String, String) {
    match text.split_once(':') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (text.to_owned(), text.to_owned()),
    }
}

/// As the Python server spells it.
fn spelled(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

fn pair((name, value): (String, Option<Value>)) -> (String, String) {
    let value = match value {
        None => name.clone(),
        Some(Value::Boolean(value)) => spelled(value).to_owned(),
        Some(Value::Text(Text(text))) => text,
    };
    (name, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(json: &str) -> Vec<(String, String)> {
        serde_json::from_str::<TagOptions>(json).unwrap().tags.0
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_way_to_write_tags_is_read() {
        for (json, expected) in [
            (r#"{"tags": ["iron", "maiden"]}"#, pairs(&[("iron", "iron"), ("maiden", "maiden")])),
            (r#"{"tags": ["a:b", "c:d:e", "f:"]}"#, pairs(&[("a", "b"), ("c", "d:e"), ("f", "")])),
            (
                r#"{"tags": {"b": "1", "a": 2, "c": true, "d": null}}"#,
                pairs(&[("b", "1"), ("a", "2"), ("c", "True"), ("d", "d")]),
            ),
            (r#"{"tags": [{"a": "b"}, 5]}"#, pairs(&[("a", "b"), ("5", "5")])),
            (
                r#"{"tags": [true, false, null]}"#,
                pairs(&[("True", "True"), ("False", "False"), ("None", "None")]),
            ),
            (r#"{"tags": "a:b"}"#, pairs(&[("a", "b")])),
            (r#"{"tags": null}"#, pairs(&[])),
            (r#"{"tags": []}"#, pairs(&[])),
            ("{}", pairs(&[])),
        ] {
            assert_eq!(tags(json), expected, "{json}");
        }
    }

    #[test]
    fn what_is_no_tag_is_an_error() {
        for json in [r#"{"tags": [["a"]]}"#, r#"{"tags": {"a": {"b": 1}}}"#, r#"{"tags": true}"#] {
            let error = serde_json::from_str::<TagOptions>(json).unwrap_err().to_string();
            assert!(error.starts_with("expected"), "{error}");
        }
    }

    #[test]
    fn tags_that_do_nothing_are_told() {
        let problems = |json| serde_json::from_str::<TagOptions>(json).unwrap().problems().len();
        assert_eq!(problems("{}"), 1);
        assert_eq!(problems(r#"{"tags": [":x", "", "y"]}"#), 1);
        assert_eq!(problems(r#"{"tags": ["y"]}"#), 0);
    }
}
