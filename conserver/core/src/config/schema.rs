//! The JSON Schema of the file, with the options of every link and storage of this build.
//!
//! Made from the same structs that read the file; editors complete and check with it.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::raw::RawFile;
use crate::registry::Registry;

/// The schema of a configuration file.
pub fn schema(registry: &Registry) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut file = RawFile::json_schema(&mut generator);
    let links = by_module(registry.link_schemas(&mut generator));
    let storages = by_module(registry.storage_schemas(&mut generator));
    let mut definitions = generator.take_definitions(true);
    for (definition, options) in [("Link", links), ("Storage", storages)] {
        if let Some(Value::Object(definition)) = definitions.get_mut(definition) {
            definition.insert("allOf".to_owned(), options);
        }
    }
    file.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    file.insert("patternProperties".to_owned(), json!({ "^x-": {} }));
    file.insert("$defs".to_owned(), Value::Object(sorted(definitions)));
    file.to_value()
}

/// For each module: if this is the one, these are its options.
fn by_module(modules: impl Iterator<Item = (Vec<String>, Schema)>) -> Value {
    modules
        .map(|(names, options)| {
            json!({
                "if": { "properties": { "module": { "enum": names } }, "required": ["module"] },
                "then": { "properties": { "options": { "anyOf": [options, { "type": "null" }] } } }
            })
        })
        .collect()
}

/// Definitions by name, so that the text does not depend on the order in which they were met.
fn sorted(definitions: Map<String, Value>) -> Map<String, Value> {
    let mut pairs: Vec<_> = definitions.into_iter().collect();
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    pairs.into_iter().collect()
}
