//! What clients in the field send.

use std::io::Write;

use serde_json::{Value, json};

use crate::site::{CHAINS, Site, id, small};

#[tokio::test]
async fn lists_are_named_in_many_ways() {
    let site = Site::new().await;
    site.post("/vcon?ingress_lists=a,b", &small(1)).await.expect(201);
    site.post("/vcon?ingress_list=c", &small(1)).await.expect(201);
    let body = small(1).to_string();
    site.call_with("POST /vcon", &[("ingress_list", "d, e")], body).await.expect(201);
    for list in ["a", "b", "c", "d", "e"] {
        assert_eq!(site.redis::<i64>(&format!("LLEN {list}")).await, 1, "{list}");
    }
    let many: Vec<String> = (0..10_000).map(|n| format!("l{n}")).collect();
    site.post(&format!("/vcon?ingress_lists={}", many.join(",")), &small(1)).await.expect(422);
}

#[tokio::test]
async fn the_same_request_again_does_nothing() {
    let site = Site::new().await;
    let send = async |key: &str, n: u32| {
        let headers = [("idempotency-key", key)];
        site.call_with("POST /vcon?ingress_lists=in", &headers, small(n).to_string()).await
    };
    let first = send("one", 1).await.expect(201);
    assert_eq!(send("one", 1).await.expect(201).body, first.body);
    send("two", 1).await.expect(201);
    send("one", 2).await.expect(409);
    send("", 3).await.expect(400);
    assert_eq!(site.redis::<Vec<String>>("LRANGE in 0 -1").await, [id(1), id(1)]);
}

#[tokio::test]
async fn a_trace_goes_along_to_the_list() {
    let site = Site::new().await;
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

#[tokio::test]
async fn packed_bodies_are_unpacked_within_bounds() {
    let config = format!("conserver: 1\n{CHAINS}\nlimits: {{max_document_bytes: 100kB}}\n");
    let site = Site::with(&config, &[("REDIS_URL", "redis://here")]).await;
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

#[tokio::test]
async fn hostile_bodies_get_clear_answers() {
    let site = Site::new().await;
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

#[tokio::test]
async fn a_batch_tells_about_each() {
    let site = Site::new().await;
    let mut broken = small(2);
    broken["uuid"] = json!("x");
    let array = json!([small(1), broken, 5, small(3)]);
    let items = site.post("/vcons?ingress_lists=in", &array).await.expect(200).json();
    let statuses: Vec<u64> =
        items.as_array().unwrap().iter().map(|item| item["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [201, 422, 422, 201]);
    assert_eq!(items[1]["detail"][0]["type"], "uuid_parsing");
    assert_eq!(site.redis::<Vec<String>>("LRANGE in 0 -1").await, [id(1), id(3)]);
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
