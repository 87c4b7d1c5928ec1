//! The configuration, and what the API says about itself.

use serde_json::json;

use crate::site::{Backend, CHAINS, Site, on_both, small};

on_both![
    what_was_shown_can_be_posted_back_and_keeps_its_secrets,
    a_bad_configuration_is_told_and_not_written,
    what_there_is_not_is_told_as_json,
    what_was_posted_is_in_force_when_it_is_answered,
    a_file_that_cannot_be_read_is_no_empty_one,
];

async fn site(on: Backend) -> Site {
    Site::with(on, &format!("{CHAINS}\ningress_auth: {{partner: sesame}}\n"), &[]).await
}

async fn what_was_shown_can_be_posted_back_and_keeps_its_secrets(on: Backend) {
    let site = site(on).await;
    let mut shown = site.call("GET /config").await.expect(200).json();
    assert_eq!(shown["ingress_auth"]["partner"], "********");
    shown["chains"]["main"]["egress_lists"] = json!(["elsewhere"]);
    let checked = site.post("/config?dry_run", &shown).await.expect(200).json();
    assert_eq!(checked["usable"], true, "{checked}");
    assert!(!std::fs::read_to_string(&site.file.path).unwrap().contains("elsewhere"));
    site.post("/config", &shown).await.expect(204);
    let plan = site.file.load().unwrap().plan.unwrap();
    assert_eq!(plan.chains[0].egress, ["elsewhere".into()]);
    assert_eq!(plan.settings.api.ingress_auth[0][0].expose(), "sesame");
    let backup = std::fs::read_to_string(site.file.path.with_file_name("chains.yaml.bak")).unwrap();
    assert!(backup.contains("egress_lists: [out]"));
}

async fn a_bad_configuration_is_told_and_not_written(on: Backend) {
    let site = site(on).await;
    let before = std::fs::read_to_string(&site.file.path).unwrap();
    let bad = json!({"conserver": 1, "chains": {"main": {"ingres_lists": ["in"]}}});
    let error = site.post("/config", &bad).await.expect(422).json();
    assert!(error["problems"][0]["path"].as_str().unwrap().contains("ingres_lists"), "{error}");
    assert_eq!(site.post("/config?dry_run=true", &bad).await.expect(200).json()["usable"], false);
    site.post("/config", &json!({"links": {"x": {"options": {"api_key": "********"}}}})).await.expect(422);
    site.post("/config", &json!([])).await.expect(422);
    // A switch that cannot be read is not taken for off, which would write.
    let unclear = site.post("/config?dry_run=maybe", &json!({})).await.expect(422).json();
    assert_eq!(unclear["detail"][0]["type"], "bool_parsing");
    assert_eq!(std::fs::read_to_string(&site.file.path).unwrap(), before);
    // What a start would take is taken: in the Python server's dialect, a chain whose storage cannot be built waits.
    let storage = json!({"module": "storage.postgres", "options": {"sslmode": "always"}});
    let unbuildable = json!({"storages": {"odd": storage}, "chains": {"main": {"ingress_lists": ["in"], "storages": ["odd"]}}});
    let checked = site.post("/config?dry_run", &unbuildable).await.expect(200).json();
    let problems = checked["problems"].as_array().unwrap();
    assert!(problems.iter().any(|p| p["path"] == "storages.odd" && p["severity"] == "error"), "{checked}");
    assert_eq!(checked["usable"], true);
    site.post("/config", &unbuildable).await.expect(204);
    // What ran before keeps its last good form, here as in the workers.
    let chains = site.call("GET /chains").await.expect(200).json();
    assert!(chains.to_string().contains("sslmode") && chains.to_string().contains("stale"), "{chains}");
    assert!(!chains.to_string().contains("\"blocked\":\""), "{chains}");
}

async fn what_was_posted_is_in_force_when_it_is_answered(on: Backend) {
    let site = site(on).await;
    let mut n = 0;
    let mut door = async |list: &str, key: &str| {
        n += 1;
        let path = format!("POST /vcon/external-ingress?ingress_list={list}");
        site.call_with(&path, &[("x-conserver-api-token", key)], small(n).to_string()).await.status.as_u16()
    };
    assert_eq!((door("partner", "sesame").await, door("fresh", "new").await), (204, 403));
    site.post("/config", &json!({"ingress_auth": {"fresh": ["new"]}})).await.expect(204);
    assert_eq!((door("partner", "sesame").await, door("fresh", "new").await), (403, 204));
}

async fn a_file_that_cannot_be_read_is_no_empty_one(on: Backend) {
    let site = site(on).await;
    for text in ["a: [1,\nb: }", "a:\n\tb: 1\n", "a: 1\n---\nb: 2\n", "x: !!binary aGk=\n", "- 1\n", "text"] {
        std::fs::write(&site.file.path, text).unwrap();
        let error = site.call("GET /config").await.expect(500).json();
        assert_eq!(error["detail"], "Failed to read configuration", "{text:?}");
        assert!(error["hint"].as_str().unwrap().contains("chains.yaml"), "{text:?}: {error}");
    }
    for text in ["", "# nothing\n"] {
        std::fs::write(&site.file.path, text).unwrap();
        assert_eq!(site.call("GET /config").await.expect(200).json(), json!({}), "{text:?}");
    }
}

async fn what_there_is_not_is_told_as_json(on: Backend) {
    let site = site(on).await;
    assert_eq!(site.call("GET /nothing").await.expect(404).json()["detail"], "Not Found");
    let wrong = site.call("POST /vcons/search").await.expect(405);
    assert_eq!((wrong.header("allow"), &wrong.json()["detail"]), ("GET", &json!("Method Not Allowed")));
    let moved = site.call("GET /vcon/?size=1").await;
    assert_eq!((moved.status.as_u16(), moved.header("location")), (307, "/vcon?size=1"));
    site.call("GET //evil.example/").await.expect(404);
    let version = site.call("GET /version").await.expect(200).json();
    assert_eq!(
        version,
        json!({"version": env!("CARGO_PKG_VERSION"), "git_commit": "unknown", "build_time": "unknown"})
    );
    let health = site.call("GET /api/health").await.expect(200);
    assert_eq!(health.json(), json!({"status": "healthy", "version": version}));
    assert_eq!(health.header("x-content-type-options"), "nosniff");
}

#[test]
fn the_description_is_the_one_checked_in() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let made = conserver_api::openapi_json();
    if std::env::var_os("CONSERVER_RENEW").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(checked_in == made, "stale: CONSERVER_RENEW=1 cargo test -p conserver-api the_description");
}

#[test]
fn every_call_is_described_and_nothing_else() {
    let document: serde_json::Value = serde_json::from_str(&conserver_api::openapi_json()).unwrap();
    let mut described = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for call in item.as_object().unwrap().values() {
            // Clients are generated from these names, and the page opens what has the same one.
            let name = call["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "two calls are named `{name}`");
        }
        described.extend(
            item.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())),
        );
    }
    let mut calls: Vec<String> =
        conserver_api::CALLS.iter().map(|call| format!("{} {}", call.method, call.path)).collect();
    described.sort();
    calls.sort();
    assert_eq!(described, calls);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
}
