//! Who may call what: every cell of the table.

use conserver_api::{CALLS, Needs, may};
use conserver_core::config::settings::Role;
use serde_json::json;

use crate::site::{Backend, CHAINS, Site, on_both, small};

on_both![
    every_call_answers_every_role_as_the_table_says,
    a_wrong_key_is_refused_before_the_body_is_looked_at,
    an_ingest_key_posts_to_its_lists_only,
    lists_of_the_configuration_tell_their_length_to_everybody,
    a_partner_comes_in_by_key_or_signature,
    a_key_has_its_rate_and_a_changed_file_other_keys,
    a_configuration_without_keys_opens_nothing_before_the_next_start,
    the_audit_log_says_who_changed_what,
    heads_and_options_change_nothing,
    pages_of_other_origins_call_where_they_may,
];

const KEYS: &str = "
conserver: 1
api:
  audit: $DIR/audit.jsonl
  keys:
    - {name: i, key: key-ingest, role: ingest, lists: [in]}
    - {name: v, key: key-viewer, role: viewer}
    - {name: o, key: key-operator, role: operator}
    - {name: a, key: key-admin, role: admin}
    - {name: s, key: key-slow, role: viewer, rate: 1}
ingress_auth: {partner: [first, second]}
";

const ROLES: [(Option<Role>, &str); 5] = [
    (None, ""),
    (Some(Role::Ingest), "key-ingest"),
    (Some(Role::Viewer), "key-viewer"),
    (Some(Role::Operator), "key-operator"),
    (Some(Role::Admin), "key-admin"),
];

async fn site(on: Backend) -> Site {
    Site::with(on, &format!("{KEYS}{CHAINS}"), &[("REDIS_URL", "redis://here")]).await
}

async fn every_call_answers_every_role_as_the_table_says(on: Backend) {
    let site = site(on).await;
    let mut cells = 0;
    for call in CALLS {
        for (role, key) in ROLES {
            for prefix in ["", "/api"] {
                let path = call
                    .path
                    .replace("{vcon_uuid}", "018f2a4b-0000-8000-9dd8-000000000001")
                    .replace("{name}", "main");
                let query = match call {
                    call if call.needs == Needs::Ingest => "?ingress_lists=in",
                    // A stream would not end; this is refused after the key was looked at.
                    call if call.path == "/events" => "?kind=nothing",
                    _ => "",
                };
                let line = format!("{} {prefix}{path}{query}", call.method);
                let headers = if key.is_empty() { vec![] } else { vec![("x-conserver-api-token", key)] };
                let answer = site.call_with(&line, &headers, "").await;
                let refused = answer.status == 403;
                let expected = match call.needs {
                    // Its parameters are wrong, which is told before anybody is asked for a list.
                    Needs::Partner | Needs::KnownList => false,
                    needs => !may(role, needs),
                };
                assert_eq!(refused, expected, "{line} as {role:?}: {} {:?}", answer.status, answer.body);
                cells += 1;
            }
        }
    }
    assert_eq!(cells, CALLS.len() * 10);
}

async fn a_wrong_key_is_refused_before_the_body_is_looked_at(on: Backend) {
    let site = site(on).await;
    for headers in [&[][..], &[("x-conserver-api-token", "nope")], &[("x-conserver-api-token", "")]] {
        let error = site.call_with("POST /vcon", headers, "{").await.expect(403).json();
        assert_eq!(error["detail"], "Invalid API Key");
    }
}

async fn an_ingest_key_posts_to_its_lists_only(on: Backend) {
    let site = site(on).await;
    let key = [("x-conserver-api-token", "key-ingest")];
    for (path, status) in [("?ingress_lists=in", 201), ("?ingress_lists=in,out", 403), ("", 403)] {
        site.call_with(&format!("POST /vcon{path}"), &key, small(1).to_string()).await.expect(status);
        let batch = if status == 201 { 200 } else { status };
        site.call_with(&format!("POST /vcons{path}"), &key, json!([small(1)]).to_string())
            .await
            .expect(batch);
    }
}

async fn lists_of_the_configuration_tell_their_length_to_everybody(on: Backend) {
    let site = site(on).await;
    let depth = site.call("GET /stats/queue?list_name=in").await.expect(200).json();
    assert_eq!(depth, json!({"list_name": "in", "depth": 0}));
    for list in ["DLQ:secret", "secret"] {
        site.call(&format!("GET /stats/queue?list_name={list}")).await.expect(403);
    }
    let key = [("x-conserver-api-token", "key-viewer")];
    site.call_with("GET /stats/queue?list_name=secret", &key, "").await.expect(200);
}

async fn a_partner_comes_in_by_key_or_signature(on: Backend) {
    use hmac::{Hmac, KeyInit, Mac};
    let site = site(on).await;
    let path = "POST /vcon/external-ingress?ingress_list=partner";
    let body = small(1).to_string();
    let header = "x-conserver-api-token";
    site.call_with(path, &[(header, "second")], body.clone()).await.expect(204);
    let says = |answer: crate::site::Answer| answer.expect(403).json()["detail"].clone();
    assert_eq!(says(site.call_with(path, &[], body.clone()).await), "API Key required");
    let wrong = site.call_with(path, &[(header, "key-admin")], body.clone()).await;
    assert_eq!(says(wrong), "Invalid API Key for ingress list 'partner'");
    let other = path.replace("partner", "in");
    let unknown = site.call_with(&other, &[(header, "second")], body.clone()).await;
    assert_eq!(says(unknown), "Ingress list 'in' not configured");
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"first").unwrap();
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let signed = format!("sha256={hex}");
    site.call_with(path, &[("x-hub-signature-256", &signed)], body.clone()).await.expect(204);
    site.call_with(path, &[("x-hub-signature-256", &signed)], format!("{body} ")).await.expect(403);
    assert_eq!(site.list("partner").await.len(), 2);
}

async fn a_key_has_its_rate_and_a_changed_file_other_keys(on: Backend) {
    let site = site(on).await;
    let limited = limited(&site).await;
    assert_eq!(limited.header("retry-after"), "1");
    let text = std::fs::read_to_string(&site.file.path).unwrap();
    std::fs::write(&site.file.path, text.replace("key-viewer", "key-new")).unwrap();
    site.renew();
    site.call_with("GET /vcon", &[("x-conserver-api-token", "key-viewer")], "").await.expect(403);
    site.call_with("GET /vcon", &[("x-conserver-api-token", "key-new")], "").await.expect(200);
    self::limited(&site).await;
}

/// Uses a key that may call once a second until it may not.
async fn limited(site: &Site) -> crate::site::Answer {
    for _ in 0..100 {
        let answer = site.call_with("GET /chains", &[("x-conserver-api-token", "key-slow")], "").await;
        if answer.status == 429 {
            return answer.expect(429);
        }
        answer.expect(200);
    }
    panic!("a hundred calls within their seconds")
}

async fn a_configuration_without_keys_opens_nothing_before_the_next_start(on: Backend) {
    let site = site(on).await;
    std::fs::write(&site.file.path, format!("conserver: 1{CHAINS}").replace("$DIR", "/tmp")).unwrap();
    site.renew();
    site.call("GET /vcon").await.expect(403);
    site.call_with("GET /vcon", &[("x-conserver-api-token", "key-viewer")], "").await.expect(200);
}

async fn the_audit_log_says_who_changed_what(on: Backend) {
    let site = site(on).await;
    let key = [("x-conserver-api-token", "key-operator"), ("x-request-id", "r-1")];
    let posted = site.call_with("POST /vcon?ingress_lists=in", &key, small(1).to_string()).await.expect(201);
    assert_eq!(posted.header("x-request-id"), "r-1");
    let partner = [("x-conserver-api-token", "first")];
    let path = "POST /vcon/external-ingress?ingress_list=partner";
    site.call_with(path, &partner, small(2).to_string()).await.expect(204);
    site.call_with("GET /vcon", &key, "").await.expect(200);
    site.call_with("GET /vcon/egress?egress_list=out", &key, "").await.expect(200);
    let path = site.folder.path().join("audit.jsonl");
    let mut text = String::new();
    for _ in 0..1000 {
        text = std::fs::read_to_string(&path).unwrap();
        if text.matches('\n').count() == 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let who: Vec<_> = lines.iter().map(|line| line["who"].as_str().unwrap()).collect();
    assert_eq!(who, ["o", "partner:partner", "o"], "{text}");
    assert_eq!((&lines[0]["request"], &lines[0]["status"]), (&json!("r-1"), &json!(201)));
    assert_eq!(lines[0]["vcon"], small(1)["uuid"]);
    assert!(lines[0]["at"].as_str().is_some_and(|at| at.ends_with('Z') && at.contains('T')), "{text}");
    assert!(!text.contains("key-operator"));
}

async fn heads_and_options_change_nothing(on: Backend) {
    let site = Site::new(on).await;
    site.post("/vcon?ingress_lists=in,out", &small(1)).await.expect(201);
    site.push("DLQ:in", &["018f2a4b-0000-8000-9dd8-000000000001"]).await;
    let before = site.everything().await;
    for call in CALLS {
        let path = call.path.replace("{vcon_uuid}", "018f2a4b-0000-8000-9dd8-000000000001");
        let path = path.replace("{name}", "main").replace("{file}", "page.js");
        let query = "egress_list=out&ingress_list=in&list_name=in&storage_name=archive&limit=9&vcon_uuids=";
        for method in ["HEAD", "OPTIONS"] {
            let answer = site.call_with(&format!("{method} {path}?{query}"), &[], "").await;
            let takes = call.method == "GET" && !call.changes && method == "HEAD";
            if !takes && !CALLS.iter().any(|other| other.path == call.path && !other.changes) {
                assert_eq!(answer.status, 405, "{method} {path}");
                assert_eq!(answer.header("allow"), call.method, "{method} {path}");
            }
            assert_eq!(site.everything().await, before, "{method} {path}");
        }
    }
}

async fn pages_of_other_origins_call_where_they_may(on: Backend) {
    let ask = [("origin", "https://a.example"), ("access-control-request-method", "GET")];
    let closed = Site::new(on).await.call_with("OPTIONS /vcon", &ask, "").await;
    assert_eq!(closed.header("access-control-allow-origin"), "");
    let config = format!("conserver: 1\n{CHAINS}\napi: {{cors: ['https://a.example']}}\n");
    let site = Site::with(on, &config, &[("REDIS_URL", "redis://here")]).await;
    let open = site.call_with("OPTIONS /vcon", &ask, "").await;
    assert_eq!(open.header("access-control-allow-origin"), "https://a.example");
    let other = site.call_with("OPTIONS /vcon", &[("origin", "https://b.example"), ask[1]], "").await;
    assert_eq!(other.header("access-control-allow-origin"), "");
}

#[test]
fn the_book_has_the_table() {
    let page = include_str!("../../../../docs/src/api/access.md");
    assert!(
        page.contains(&conserver_api::markdown()),
        "put this into the page:\n{}",
        conserver_api::markdown()
    );
}
