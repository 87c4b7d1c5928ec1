//! Headers as the file gives them: a map of names and texts.

use std::fmt;

use conserver_core::config::coerce::Text;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Headers of a request. Printed, their values are not shown.
#[derive(Debug, Clone, Default)]
pub struct Headers(HeaderMap);

impl Headers {
    /// The map.
    pub fn map(&self) -> &HeaderMap {
        &self.0
    }
}

/// Reads the name of a header.
pub(super) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderName, D::Error> {
    let name = String::deserialize(deserializer)?;
    HeaderName::try_from(name).map_err(|_| D::Error::custom("this is no name of a header"))
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of headers and their texts")
    }

    fn visit_unit<E: Error>(self) -> Result<Headers, E> {
        Ok(Headers::default())
    }

    fn visit_none<E: Error>(self) -> Result<Headers, E> {
        Ok(Headers::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Headers, A::Error> {
        let mut headers = HeaderMap::new();
        while let Some((name, value)) = pairs.next_entry::<String, Option<Text>>()? {
            // As the Python server leaves it out.
            let Some(Text(value)) = value else { continue };
            let wrong = |what| A::Error::custom(format!("`{name}`: this is no {what} of a header"));
            let key = HeaderName::try_from(&name).map_err(|_| wrong("name"))?;
            // Spaces around it, such as the end of the line in a file with a token, are not meant.
            let mut value = HeaderValue::try_from(value.trim()).map_err(|_| wrong("value"))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        Ok(Headers(headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers_are_values_and_are_not_shown() {
        let headers: Headers =
            serde_json::from_str(r#"{"Authorization": "Bearer hunter2\n", "X-Team": 7}"#).unwrap();
        assert_eq!(headers.map()["authorization"], "Bearer hunter2");
        assert_eq!(headers.map()["x-team"], "7");
        assert!(!format!("{headers:?}").contains("hunter2"));
        let headers: Headers = serde_json::from_str(r#"{"x-n": null, "x-y": "1"}"#).unwrap();
        assert_eq!(headers.map().len(), 1);
        assert!(serde_json::from_str::<Headers>("null").unwrap().map().is_empty());
    }

    #[test]
    fn what_is_no_header_is_refused_by_name() {
        for json in [r#"{"two words": "x"}"#, r#"{"X-A": "a\nb"}"#, r#"{"X-A": {"b": 1}}"#, r#"["X-A"]"#] {
            let error = serde_json::from_str::<Headers>(json).unwrap_err().to_string();
            assert!(!error.contains("a\nb"), "{error}");
        }
    }
}
