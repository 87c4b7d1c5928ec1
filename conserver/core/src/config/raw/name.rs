//! A name in a list of names.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// The name of a link, a storage or a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawName(pub(crate) String);

impl<'de> Deserialize<'de> for RawName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = RawName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<RawName, E> {
        match name {
            "" => Err(E::custom("a name cannot be empty")),
            name => Ok(RawName(name.to_owned())),
        }
    }

    // Keys are text, and so is the name that means one.
    fn visit_u64<E: Error>(self, name: u64) -> Result<RawName, E> {
        Ok(RawName(name.to_string()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawName, A::Error> {
        let key: Option<String> = map.next_key()?;
        while map.next_value::<IgnoredAny>().is_ok() && map.next_key::<IgnoredAny>()?.is_some() {}
        let key = key.unwrap_or_default();
        Err(A::Error::custom(format_args!(
            "expected a name, found an inline map; declare `{key}` in its own section and list its name here"
        )))
    }
}

impl JsonSchema for RawName {
    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<String>()
    }
}
