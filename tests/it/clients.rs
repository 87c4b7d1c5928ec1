//! Clients as they are in the field: what they send, and what they make of an answer.
//!
//! None of them asks what an answer means; each has its own short table of status codes, written once. What the API
//! answers has to lead each of them to the right thing.

use std::fs;

use conserver_testkit::http::HttpServer;
use conserver_testkit::vcons::Vcons;
use serde_json::{Value, json};

use crate::site::{Site, until};

mod forwarder;
mod wire;

use forwarder::{Reaction, forward};
use wire::{Answer, send};

const CONFIG: &str = "
conserver: 1
links:
  label: {module: tag, options: {tags: ['source:client']}}
storages:
  archive: {module: file, options: {path: $DIR/archive}}
chains:
  calls: {links: [label], storages: [archive], ingress_lists: [calls], egress_lists: [out]}
  faxes: {ingress_lists: [faxes], egress_lists: [copies]}
ingress_auth:
  calls: partner-key
";

const KEY: &str = "x-conserver-api-token: sesame";

/// A site whose API answers.
fn serving(config: &str) -> (Site, conserver_testkit::daemon::Daemon, String) {
    let site = Site::new(config).env("CONSERVER_API_TOKEN", "sesame");
    let address = format!("127.0.0.1:{}", conserver_testkit::free_port());
    let daemon = site.setup.run(1, &["--listen", &address]);
    until("the API answers", || {
        send(&address, "GET /health", &[], "").is_some_and(|answer| answer.status == 200)
    });
    (site, daemon, address)
}

fn now(address: &str, line: &str, headers: &[&str], body: &str) -> Answer {
    send(address, line, headers, body).expect("the API answers")
}

#[test]
fn a_forwarder_that_takes_codes_for_an_api_loses_nothing() {
    let (mut site, daemon, address) = serving(CONFIG);
    let sent = |list: &str, key: &str, file: &str| forward(&address, list, key, file);
    let call = Vcons::new(71).call();
    let text = call.to_string();

    // 204 only after it is kept: Redis ends as soon as the answer is there, and has it when it is back.
    assert_eq!(sent("calls", "partner-key", &text), Reaction::Delivered);
    site.redis.kill();
    assert_eq!(sent("calls", "partner-key", &text), Reaction::Keep, "away is to be tried again");
    site.redis.restart();
    let id = call["uuid"].as_str().unwrap();
    until("it comes out of its chain", || {
        let answer = send(&address, &format!("GET /vcon/{id}"), &[KEY], "");
        answer.is_some_and(|answer| answer.status == 200 && answer.body.contains("source:client"))
    });
    let stored: Value =
        serde_json::from_str(&now(&address, &format!("GET /vcon/{id}"), &[KEY], "").body).unwrap();
    for section in ["parties", "dialog"] {
        let [sent, kept] = [&call, &stored].map(|document| document[section].as_array().unwrap());
        for (sent, kept) in sent.iter().zip(kept) {
            for (member, value) in sent.as_object().unwrap() {
                assert_eq!(&kept[member], value, "{section}: {member}");
            }
        }
    }

    // What is its own fault, and what is that of the document.
    assert_eq!(sent("calls", "wrong", &text), Reaction::Stop);
    assert_eq!(sent("nowhere", "partner-key", &text), Reaction::Stop);
    for refused in ["{", "[]", r#"{"vcon":"0.4.0"}"#] {
        assert_eq!(sent("calls", "partner-key", refused), Reaction::Failed, "{refused}");
    }
    drop(daemon);
    assert_eq!(sent("calls", "partner-key", &text), Reaction::Keep, "nobody is there");
}

#[test]
fn a_telephony_adapter_posts_once_to_several_lists() {
    let (site, daemon, address) = serving(CONFIG);
    let call = Vcons::new(72).call();
    let post = "POST /vcon?ingress_lists=calls,faxes";
    // It takes any 2xx for a success and never posts again.
    let answer = now(&address, post, &[KEY, "content-type: application/json"], &call.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body);
    let id = call["uuid"].as_str().unwrap().to_owned();
    for list in ["out", "copies"] {
        until("both chains had it", || site.db.list(list) == [id.clone()]);
    }
    drop(daemon);
}

#[test]
fn a_session_proxy_names_its_list_in_a_header() {
    let (site, daemon, address) = serving(CONFIG);
    let call = Vcons::new(73).call();
    // The health check of its start is at the root, whatever the prefix of its posts.
    assert_eq!(now(&address, "GET /health", &[], "").status, 200);
    let headers = [KEY, "content-type: application/json", "ingress_list: calls"];
    assert_eq!(now(&address, "POST /api/vcon", &headers, &call.to_string()).status, 201);
    until("its chain had it", || site.db.len("out") == 1);
    drop(daemon);
}

#[test]
fn a_load_test_posts_its_configuration_and_counts_at_its_receiver() {
    let receiver = HttpServer::start();
    let (site, daemon, address) = serving("chains: {}\n");
    // It reads what there is, and posts a whole configuration with keys that nobody knows.
    assert_eq!(now(&address, "GET /config", &[KEY], "").status, 200);
    let config = json!({
        "links": {
            "load_tag": {"module": "links.tag", "options": {"tags": {"load": "test"}}},
            "load_hook": {"module": "links.webhook", "options": {"webhook-urls": [receiver.url("/webhook")], "own": 1}},
        },
        "storages": {
            "load_file": {"module": "storage.file", "options": {
                "path": site.path("output"), "filename": "{uuid}", "extension": "json",
                "add_timestamp_to_filename": true,
            }},
        },
        "chains": {
            "load": {
                "links": ["load_tag", "load_hook"], "storages": ["load_file"], "ingress_lists": ["load"],
                "egress_lists": ["loaded"], "enabled": 1, "tracers": [],
            },
        },
        "load_test": {"rate": 10},
    });
    let headers = [KEY, "content-type: application/json"];
    let answer = now(&address, "POST /config", &headers, &config.to_string());
    assert_eq!(answer.status, 204, "{}", answer.body);

    let mut vcons = Vcons::new(74);
    let mut ids: Vec<String> = (0..20)
        .map(|_| {
            let answer = now(&address, "POST /vcon", &headers, &vcons.call().to_string());
            assert!([200, 201].contains(&answer.status), "{}", answer.body);
            let stored: Value = serde_json::from_str(&answer.body).unwrap();
            let id = stored["uuid"].as_str().unwrap().to_owned();
            let answer =
                now(&address, "POST /vcon/ingress?ingress_list=load", &headers, &json!([id]).to_string());
            assert!([200, 204].contains(&answer.status), "{}", answer.body);
            id
        })
        .collect();
    until("all are through", || site.db.len("loaded") == ids.len());
    let mut counted: Vec<String> = receiver.requests().iter().map(|request| uuid(&request.json())).collect();
    ids.sort();
    counted.sort();
    assert_eq!(counted, ids);
    assert!(fs::read_dir(site.path("output")).is_ok_and(|mut folder| folder.next().is_some()));
    drop(daemon);
}

fn uuid(document: &Value) -> String {
    document["uuid"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_command_line_tool_asks_for_health_and_version_at_the_root() {
    let (_site, daemon, address) = serving(CONFIG);
    assert_eq!(now(&address, "GET /health", &[], "").status, 200);
    let answer = now(&address, "GET /version", &[], "");
    let said: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(answer.status == 200 && said["version"].is_string(), "{said}");
    drop(daemon);
}
