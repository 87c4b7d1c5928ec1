//! The description as those see it who try it: the page, and that its examples work as they stand.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::site::{Answer, Backend, Site, on_both};

on_both![every_example_is_answered_as_described];

const CONFIG: &str = "
conserver: 1
chains:
  main: {ingress_lists: [intake], egress_lists: [done], storages: [archive]}
storages:
  archive: {module: storage.file, options: {path: $DIR/archive}}
ingress_auth: {intake: sesame}
";

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere() {
    let site = Site::new(Backend::Embedded).await;
    for prefix in ["", "/api"] {
        let page = site.call(&format!("GET {prefix}/docs")).await.expect(200);
        assert!(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self';"));
        let page = String::from_utf8(page.body.to_vec()).unwrap();
        let named = page.split('"').filter(|text| text.starts_with("docs/"));
        let mut files = 0;
        for file in named {
            let plain = site.call(&format!("GET {prefix}/{file}")).await.expect(200);
            let get = format!("GET {prefix}/{file}");
            let packed = site.call_with(&get, &[("accept-encoding", "br, gzip")], "").await.expect(200);
            if packed.header("content-encoding") == "gzip" {
                let mut unpacked = Vec::new();
                std::io::Read::read_to_end(
                    &mut flate2::read::GzDecoder::new(&packed.body[..]),
                    &mut unpacked,
                )
                .unwrap();
                assert_eq!(unpacked, plain.body);
            }
            files += 1;
        }
        assert_eq!(files, 5);
        assert!(!page.contains("//"), "{page}");
    }
    site.call("GET /docs/other.js").await.expect(404);
}

async fn every_example_is_answered_as_described(on: Backend) {
    let site = Site::with(on, CONFIG, &[("REDIS_URL", "redis://here")]).await;
    let document: Value = serde_json::from_str(&conserver_api::openapi_json()).unwrap();
    let mut bodies = 0;
    let mut calls: Vec<(&String, &String, &Value)> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        calls.extend(item.as_object().unwrap().iter().map(|(method, call)| (path, method, call)));
    }
    // A stream that does not end; `events.rs` listens to it.
    calls.retain(|(path, ..)| *path != "/events");
    // What is read has to be posted before, and is deleted last; a new configuration comes after everything else.
    calls.sort_by_key(|(path, method, _)| match (method.as_str(), path.as_str()) {
        ("post", "/config") => 4,
        ("delete", _) => 3,
        ("post", "/vcon") => 0,
        ("post", _) => 1,
        _ => 2,
    });
    for (path, method, call) in calls {
        let line = format!("{} {}", method.to_uppercase(), target(path, call));
        let Some(content) = call["requestBody"]["content"].as_object() else {
            check(&line, call, &site.call(&line).await);
            continue;
        };
        for (kind, content) in content {
            let body = match example(&document, content) {
                Value::String(text) => text,
                value => value.to_string(),
            };
            let headers = [("content-type", kind.as_str()), ("x-conserver-api-token", "sesame")];
            let answer = site.call_with(&line, &headers, body).await;
            assert!(answer.status.is_success(), "{line}: {} {:?}", answer.status, answer.body);
            check(&line, call, &answer);
            bodies += 1;
        }
    }
    assert_eq!(bodies, 6);
}

/// The path with what the description gives as examples of the parameters that have to be there.
fn target(path: &str, call: &Value) -> String {
    let (mut path, mut query) = (path.to_owned(), Vec::new());
    for parameter in call["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap();
        if parameter["required"] == json!(true) {
            let example =
                parameter["example"].as_str().unwrap_or_else(|| panic!("{path}: `{name}` has no example"));
            path = path.replace(&format!("{{{name}}}"), example);
            query.extend((parameter["in"] == "query").then(|| format!("{name}={example}")));
        }
    }
    if path == "/vcons/search" {
        query.push("name=Ann".to_owned());
    }
    if query.is_empty() && path.starts_with("/dlq/") {
        query.push("ingress_list=intake&all=true".to_owned());
    }
    format!("{path}?{}", query.join("&"))
}

fn example(document: &Value, content: &Value) -> Value {
    let named = |schema: &Value| {
        let name = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
        document["components"]["schemas"][name]["example"].clone()
    };
    match (&content["example"], &content["schema"]) {
        (Value::Null, schema) if schema["type"] == "array" => json!([named(&schema["items"])]),
        (Value::Null, schema) => named(schema),
        (example, _) => example.clone(),
    }
}

fn check(line: &str, call: &Value, answer: &Answer) {
    let says = format!("{line}: {} {:?}", answer.status, answer.body);
    // No worker runs beside the router, so it is not ready.
    assert!(
        answer.status.is_success()
            || answer.status == StatusCode::SERVICE_UNAVAILABLE && line.contains("/ready"),
        "{says}"
    );
    assert!(call["responses"].get(answer.status.as_str()).is_some(), "{says}");
}
