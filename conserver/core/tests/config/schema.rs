//! The JSON Schema says what the file may hold, the options of each module included.

use conserver_core::config::schema;

use crate::kinds;

#[test]
fn the_schema_describes_every_section_and_the_options_of_every_module() {
    let schema = schema(&kinds::registry());
    let defs = &schema["$defs"];
    for section in ["conserver", "redis", "links", "storages", "chains", "api", "ingress_auth"] {
        let description = schema["properties"][section]["description"].as_str();
        assert!(description.is_some_and(|text| text.len() > 10), "{section} is not described");
    }
    for definition in ["Link", "Storage", "Chain", "Api", "Retry", "Duration", "MarkOptions"] {
        assert!(defs[definition].is_object(), "{definition} is missing");
    }
    let options = &defs["Link"]["allOf"];
    assert_eq!(options.as_array().unwrap().len(), 2);
    let names = &options[0]["if"]["properties"]["module"]["enum"];
    assert_eq!(names, &serde_json::json!(["mark", "links.mark", "links.marker"]));
    assert!(defs["MarkOptions"]["properties"]["marks"]["anyOf"].is_array());
    assert_eq!(defs["Storage"]["allOf"].as_array().unwrap().len(), 1);
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn every_reference_of_the_schema_leads_somewhere() {
    let schema = schema(&kinds::registry());
    let mut references = Vec::new();
    collect(&schema, &mut references);
    assert!(references.len() > 10);
    for reference in references {
        assert!(schema.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &serde_json::Value, references: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => {
            references.extend(map.get("$ref").and_then(|r| r.as_str()).map(str::to_owned));
            map.values().for_each(|value| collect(value, references));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
