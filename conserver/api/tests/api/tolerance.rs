//! What clients in the field send.

use std::io::Write;

use axum::body::Body;
use serde_json::{Value, json};

use crate::site::{Backend, CHAINS, Site, id, on_both, small};

on_both![
    lists_are_named_in_many_ways,
    sealed_documents_pass_as_they_come,
    the_same_request_again_does_nothing,
    packed_bodies_are_unpacked_within_bounds,
    hostile_bodies_get_clear_answers,
    a_batch_tells_about_each,
    a_body_that_is_not_there_or_no_json_is_told_by_what_is_wanted,
    a_document_needs_no_version,
    lines_are_read_as_they_come,
];

async fn lists_are_named_in_many_ways(on: Backend) {
    let site = Site::new(on).await;
    site.post("/vcon?ingress_lists=a,b", &small(1)).await.expect(201);
    site.post("/vcon?ingress_list=c", &small(1)).await.expect(201);
    let body = small(1).to_string();
    site.call_with("POST /vcon", &[("ingress_list", "d, e")], body).await.expect(201);
    for list in ["a", "b", "c", "d", "e"] {
        assert_eq!(site.list(list).await.len(), 1, "{list}");
    }
    let many: Vec<String> = (0..10_000).map(|n| format!("l{n}")).collect();
    site.post(&format!("/vcon?ingress_lists={}", many.join(",")), &small(1)).await.expect(422);
}

async fn a_body_that_is_not_there_or_no_json_is_told_by_what_is_wanted(on: Backend) {
    let site = Site::new(on).await;
    let told = async |path: &str, kind: &str, body: &'static str| {
        let answer = site.call_with(&format!("POST {path}"), &[("content-type", kind)], body).await;
        let error = answer.expect(422).json();
        let one = |problem: &Value| (problem["type"].clone(), problem["loc"].clone());
        error["detail"].as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    let body = |kind: &str| vec![(json!(kind), json!(["body"]))];
    for (path, kind) in [
        ("/vcon", "model_attributes_type"),
        ("/config", "dict_type"),
        ("/vcon/ingress?ingress_list=in", "list_type"),
    ] {
        for nothing in ["", "null", " null "] {
            assert_eq!(told(path, "application/json", nothing).await, body("missing"), "{path} {nothing:?}");
        }
        assert_eq!(told(path, "text/plain", "[{}]").await, body(kind), "{path}");
    }
    let both = told("/vcon/ingress", "application/json", "").await;
    assert_eq!(both, [(json!("missing"), json!(["query", "ingress_list"])), body("missing").remove(0)]);
}

async fn a_document_needs_no_version(on: Backend) {
    let site = Site::new(on).await;
    let mut document = small(1);
    document.as_object_mut().unwrap().remove("vcon");
    assert_eq!(site.post("/vcon", &document).await.expect(201).json()["vcon"], "0.4.0");
    assert_eq!(site.post("/vcons", &json!([document])).await.expect(200).json()[0]["status"], 201);
    let endless = small(2).to_string().replace("\"0.4.0\"", "\"0.4.0\",\"x\":1e999");
    site.call_with("POST /vcon", &[], endless).await.expect(422);
}

async fn sealed_documents_pass_as_they_come(on: Backend) {
    let site = Site::new(on).await;
    let signed = json!({"payload": "e30", "signatures": [{"header": {"uuid": id(1)}, "signature": "x"}]});
    let beside = json!({
        "payload": "e30", "signature": "x", "uuid": id(2), "vcon": "0.4.0", "created_at": "2026-01-02T03:04:05Z",
    });
    let encrypted = json!({"ciphertext": "x", "iv": "y", "unprotected": {"uuid": id(3)}});
    for (n, document) in [(1, signed), (2, beside), (3, encrypted)] {
        let answer = site.post("/vcon?ingress_lists=in", &document).await.expect(201);
        assert_eq!(answer.json(), document);
        assert_eq!(site.call(&format!("GET /vcon/{}", id(n))).await.expect(200).json(), document);
        assert_eq!(site.list("in").await.last(), Some(&id(n)));
    }
}

async fn the_same_request_again_does_nothing(on: Backend) {
    let site = Site::new(on).await;
    let send = async |key: &str, n: u32| {
        let headers = [("idempotency-key", key)];
        site.call_with("POST /vcon?ingress_lists=in", &headers, small(n).to_string()).await
    };
    let first = send("one", 1).await.expect(201);
    assert_eq!(send("one", 1).await.expect(201).body, first.body);
    send("two", 1).await.expect(201);
    send("one", 2).await.expect(409);
    send("", 3).await.expect(400);
    assert_eq!(site.list("in").await, [id(1), id(1)]);
}

#[tokio::test]
async fn a_trace_goes_along_to_the_list() {
    let site = Site::new(Backend::Redis).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("traceparent", parent)];
    site.call_with("POST /vcon?ingress_lists=in", &headers, small(1).to_string()).await.expect(201);
    let context: String = site.redis(&format!("LPOP context:in:{}", id(1))).await;
    assert_eq!(
        serde_json::from_str::<Value>(&context).unwrap(),
        json!({"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "trace_flags": 1, "is_sampled": true})
    );
    for broken in ["", "nonsense", "00-0-0-0", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
        site.call_with("POST /vcon?ingress_lists=in", &[("traceparent", broken)], small(2).to_string())
            .await
            .expect(201);
    }
    assert!(!site.redis::<bool>(&format!("EXISTS context:in:{}", id(2))).await);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

async fn packed_bodies_are_unpacked_within_bounds(on: Backend) {
    let config = format!("conserver: 1\n{CHAINS}\nlimits: {{max_document_bytes: 100kB}}\n");
    let site = Site::with(on, &config, &[("REDIS_URL", "redis://here")]).await;
    let headers = [("content-encoding", "gzip")];
    site.call_with("POST /vcon", &headers, gzip(small(1).to_string().as_bytes())).await.expect(201);
    let bomb = gzip(&vec![b' '; 50_000_000]);
    assert!(bomb.len() < 400_000);
    site.call_with("POST /vcon", &headers, gzip(&vec![b' '; 200_000])).await.expect(413);
    site.call_with("POST /vcon", &headers, bomb).await.expect(413);
    site.call_with("POST /vcon", &headers, "no gzip").await.expect(400);
    site.call_with("POST /vcon", &[("content-encoding", "br")], "x").await.expect(415);
    site.call_with("POST /vcon", &[], vec![b' '; 200_000]).await.expect(413);
}

async fn hostile_bodies_get_clear_answers(on: Backend) {
    let site = Site::new(on).await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: [(Vec<u8>, u16); 8] = [
        (b"\xff\xfe\xff".to_vec(), 422),
        (b"{\"a\": \"\xff\"}".to_vec(), 400),
        (format!("{{\"a\":{deep}}}").into_bytes(), 400),
        (b"{\"vcon\": 1, \"vcon\": 2}".to_vec(), 422),
        (b"".to_vec(), 422),
        (b"null".to_vec(), 422),
        (b"{\"vcon\": NaN}".to_vec(), 422),
        (b"{\"vcon\": \"0.4.0\"".to_vec(), 422),
    ];
    for (body, status) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(30)]).into_owned();
        let answer = site.call_with("POST /vcon", &[], body).await;
        assert_eq!(answer.status.as_u16(), status, "{shown}: {:?}", answer.body);
        answer.expect(status);
    }
    let wide: Vec<u8> = small(3).to_string().encode_utf16().flat_map(u16::to_le_bytes).collect();
    site.call_with("POST /vcon", &[], wide).await.expect(201);
    let marked = format!("\u{feff}{}", small(4));
    site.call_with("POST /vcon", &[], marked).await.expect(201);
    site.call_with("POST /vcon", &[("content-type", "text/plain")], small(5).to_string()).await.expect(422);
}

async fn a_batch_tells_about_each(on: Backend) {
    let site = Site::new(on).await;
    let mut broken = small(2);
    broken["uuid"] = json!("x");
    let array = json!([small(1), broken, 5, small(3)]);
    let items = site.post("/vcons?ingress_lists=in", &array).await.expect(200).json();
    let statuses: Vec<u64> =
        items.as_array().unwrap().iter().map(|item| item["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 422, 422, 201]);
    assert_eq!(items[1]["detail"][0]["type"], "uuid_parsing");
    assert_eq!(site.list("in").await, [id(1), id(3)]);
    let lines = format!("{}\n\n{{broken\n{}\n", small(4), small(5));
    let headers = [("content-type", "application/x-ndjson"), ("idempotency-key", "b")];
    for expected in [[201, 422, 201], [200, 422, 200]] {
        let items =
            site.call_with("POST /vcons?ingress_lists=in", &headers, lines.clone()).await.expect(200).json();
        let statuses: Vec<u64> =
            items.as_array().unwrap().iter().map(|i| i["status"].as_u64().unwrap()).collect();
        assert_eq!(statuses, expected);
    }
    let many: Vec<Value> = (100..450).map(small).collect();
    let items = site.post("/vcons", &json!(many)).await.expect(200).json();
    assert!(items.as_array().unwrap().iter().all(|item| item["status"] == 201));
    assert_eq!(items[349]["uuid"], id(449));
}

/// A body that comes in pieces of this many bytes.
fn in_pieces(bytes: &[u8], size: usize) -> Body {
    let pieces: Vec<_> = bytes
        .chunks(size)
        .map(|piece| Ok::<_, std::io::Error>(bytes::Bytes::copy_from_slice(piece)))
        .collect();
    Body::from_stream(futures::stream::iter(pieces))
}

async fn lines_are_read_as_they_come(on: Backend) {
    let config = format!("conserver: 1\n{CHAINS}\nlimits: {{max_document_bytes: 10kB}}\n");
    let site = Site::with(on, &config, &[("REDIS_URL", "redis://here")]).await;
    let mut lines: Vec<Vec<u8>> = (0..300).map(|n| small(n).to_string().into_bytes()).collect();
    lines[7] = b"{\"vcon\": \"0.4.0\", \"subject\": \"\xff\"}".to_vec();
    lines[150] = vec![b'x'; 200_000];
    lines[299] = vec![b' '; 20_000];
    lines[299].extend(b"5");
    let body = lines.join(&b"\r\n"[..]);
    let ndjson = ("content-type", "application/x-ndjson; charset=utf-8");
    for (headers, body) in [
        (vec![ndjson], in_pieces(&body, 777)),
        (vec![ndjson, ("content-encoding", "gzip")], in_pieces(&gzip(&body), 300)),
    ] {
        let items = site.call_with("POST /vcons?ingress_lists=in", &headers, body).await.expect(200).json();
        for (n, item) in items.as_array().unwrap().iter().enumerate() {
            let expected = if n == 7 {
                422
            } else if matches!(n, 150 | 299) {
                413
            } else {
                201
            };
            assert_eq!(item["status"], expected, "{n}: {item}");
        }
        assert_eq!(items.as_array().unwrap().len(), 300);
    }
    assert_eq!(site.list("in").await.len(), 2 * 297);
    // What was stored before the packing broke is told.
    let mut broken = gzip(&body[..20_000]);
    broken.extend(b"no gzip");
    let headers = [ndjson, ("content-encoding", "gzip")];
    let error =
        site.call_with("POST /vcons?ingress_lists=in", &headers, in_pieces(&broken, 100)).await.expect(400);
    let items = error.json()["items"].as_array().unwrap().len();
    assert_eq!(site.list("in").await.len(), 2 * 297 + items - 1, "one of them was broken");
    assert!(items >= 100);
    assert_eq!(site.call_with("POST /vcons", &[ndjson], "").await.expect(200).json(), json!([]));
}
