//! Ids on lists and off them.

use conserver_api::{Guard, HeldUp, Outages, Rate, Standing};
use conserver_core::GuardKind;
use serde_json::json;

use crate::site::{Backend, CHAINS, Site, id, on_both, small};

on_both![
    ids_of_stored_vcons_are_put_on_a_list_in_order,
    egress_takes_the_newest_and_count_counts,
    a_full_list_is_told_with_a_time,
    queues_are_shown_and_stand_still_on_demand,
    a_key_of_the_store_is_no_list_wherever_one_is_named,
    a_list_that_no_chain_takes_from_is_told_or_refused,
];

async fn ids_of_stored_vcons_are_put_on_a_list_in_order(on: Backend) {
    let site = Site::new(on).await;
    for n in [1, 2] {
        site.post("/vcon", &small(n)).await.expect(201);
    }
    let answer =
        site.post("/vcon/ingress?ingress_list=in", &json!([id(2), id(9), id(1), id(2)])).await.expect(204);
    assert_eq!((answer.header("x-vcons-missing"), answer.body.len()), ("1", 0));
    assert_eq!(site.list("in").await, [id(2), id(1), id(2)]);
    site.post("/vcon/ingress?ingress_list=in", &json!([])).await.expect(204);
    for (body, kind) in [(json!({}), "list_type"), (json!(["x"]), "uuid_parsing"), (json!([1]), "uuid_type")]
    {
        let error = site.post("/vcon/ingress?ingress_list=in", &body).await.expect(422).json();
        assert_eq!(error["detail"][0]["type"], kind);
    }
    site.post("/vcon/ingress", &json!([])).await.expect(422);
}

async fn egress_takes_the_newest_and_count_counts(on: Backend) {
    let site = Site::new(on).await;
    site.push("out", &["a", "b", "c"]).await;
    assert_eq!(site.call("GET /vcon/count?egress_list=out").await.expect(200).json(), json!(3));
    assert_eq!(site.call("GET /vcon/egress?egress_list=out").await.expect(200).json(), json!(["c"]));
    assert_eq!(site.call("GET /vcon/egress?egress_list=out&limit=9").await.json(), json!(["b", "a"]));
    assert_eq!(site.call("GET /vcon/egress?egress_list=out&limit=-1").await.json(), json!([]));
    site.call("GET /vcon/egress").await.expect(422);
}

async fn a_key_of_the_store_is_no_list_wherever_one_is_named(on: Backend) {
    let site = Site::new(on).await;
    site.post("/vcon", &small(1)).await.expect(201);
    for list in ["cs:busy", "cs:infl:%7Bin%7D:w", "vcons", "vcon:a", "context:in:a"] {
        for path in [format!("/vcon?ingress_lists=in,{list}"), format!("/vcons?ingress_list={list}")] {
            let refused = site.post(&path, &small(2)).await.expect(422).json();
            let says = refused["detail"][0]["msg"].as_str().unwrap();
            assert!(says.contains("a key of the store itself"), "{path}: {says}");
        }
        site.post(&format!("/vcon/ingress?ingress_list={list}"), &json!([id(1)])).await.expect(422);
        for call in [
            "GET /vcon/egress?egress_list=",
            "GET /vcon/count?egress_list=",
            "GET /dlq?ingress_list=",
            "POST /dlq/replay?ingress_list=in&target=",
            "POST /queues/pause?list_name=",
        ] {
            site.call(&format!("{call}{list}")).await.expect(422);
        }
    }
    site.call("GET /vcon/egress?egress_list=").await.expect(422);
    assert_eq!(site.list("in").await, [""; 0]);
}

async fn a_list_that_no_chain_takes_from_is_told_or_refused(on: Backend) {
    let config = format!("conserver: 1\n{CHAINS}\ningress_auth: {{typo: key}}\n");
    let site = Site::with(on, &config, &[("REDIS_URL", "redis://here")]).await;
    site.post("/vcon", &small(1)).await.expect(201);
    let calls = [
        ("POST /vcon?ingress_lists=", small(2)),
        ("POST /vcons?ingress_lists=", json!([small(3)])),
        ("POST /vcon/ingress?ingress_list=", json!([id(1)])),
        ("POST /vcon/external-ingress?ingress_list=", small(4)),
        ("POST /queues/pause?list_name=", json!(null)),
        ("POST /dlq/reprocess?ingress_list=", json!(null)),
        ("POST /dlq/replay?ingress_list=in&target=", json!(null)),
    ];
    let key = [("x-conserver-api-token", "key")];
    for (call, body) in &calls {
        let fine = site.call_with(&format!("{call}in"), &[], body.to_string()).await;
        assert_eq!(fine.header("x-vcons-unserved"), "", "{call}");
        let told = site.call_with(&format!("{call}typo"), &key, body.to_string()).await;
        assert!(told.status.is_success(), "{call}: {:?}", told.body);
        assert_eq!(told.header("x-vcons-unserved"), "typo", "{call}");
    }
    let two = site.post("/vcon?ingress_lists=typo,in,inn", &small(2)).await.expect(201);
    assert_eq!(two.header("x-vcons-unserved"), "typo, inn");
    let paused = site.call("POST /queues/pause?list_name=inn").await.expect(200).json();
    assert_eq!(paused["hint"], "no chain takes from `inn`; did you mean `in`?");
    let text = std::fs::read_to_string(&site.file.path).unwrap();
    std::fs::write(&site.file.path, format!("{text}\napi: {{unknown_lists: refuse}}\n")).unwrap();
    site.renew();
    let before = site.list("typo").await;
    for (call, body) in &calls {
        let refused = site.call_with(&format!("{call}typo"), &key, body.to_string()).await.expect(422).json();
        assert!(
            refused["hint"].as_str().unwrap().contains("no chain takes from `typo`"),
            "{call}: {refused}"
        );
    }
    assert_eq!(site.list("typo").await, before);
}

#[tokio::test]
async fn a_key_that_holds_something_else_costs_nobody_else_anything() {
    let site = Site::new(Backend::Redis).await;
    site.post("/vcon", &small(1)).await.expect(201);
    site.redis::<()>(&format!("RPUSH vcon:{} x", id(6))).await;
    let both = site.call(&format!("GET /vcons?vcon_uuids={},{}", id(6), id(1))).await.expect(200).json();
    assert_eq!((&both[0], &both[1]["uuid"]), (&json!(null), &json!(id(1))));
    site.call(&format!("GET /vcon/{}", id(6))).await.expect(409);
    let put = site.post("/vcon/ingress?ingress_list=in", &json!([id(6), id(1)])).await.expect(204);
    assert_eq!((put.header("x-vcons-missing"), site.list("in").await), ("1", vec![id(1)]));
}

#[tokio::test]
async fn whoever_probes_has_an_answer_although_redis_hangs() {
    let mut site = Site::new(Backend::Redis).await;
    site.call("GET /ready").await;
    site.server().pause();
    let began = std::time::Instant::now();
    let answer = site.call("GET /ready").await;
    site.server().resume();
    assert_eq!(answer.status.as_u16(), 503);
    assert!(began.elapsed().as_secs() < 60);
    assert!(answer.json()["detail"].as_str().unwrap().contains("did not answer"), "{:?}", answer.body);
}

#[tokio::test]
async fn something_that_is_no_list_is_told_and_left_alone() {
    let site = Site::new(Backend::Redis).await;
    site.redis::<()>("SET in text").await;
    site.call("GET /stats/queue?list_name=in").await.expect(409);
    site.call("GET /vcon/egress?egress_list=in").await.expect(409);
    let error = site.post("/vcon?ingress_lists=other,in", &small(1)).await.expect(409).json();
    assert!(error["hint"].as_str().unwrap().contains("`in`"), "{error}");
    assert_eq!(site.redis::<Vec<String>>("KEYS *").await, ["in"]);
}

async fn a_full_list_is_told_with_a_time(on: Backend) {
    let config = format!("conserver: 1\n{CHAINS}\napi: {{max_queue_length: 1}}\n");
    let site = Site::with(on, &config, &[("REDIS_URL", "redis://here")]).await;
    site.post("/vcon?ingress_lists=in", &small(1)).await.expect(201);
    for (chosen, status) in [("", 503), (", overload_status: 429", 429), (", overload_status: 503", 503)] {
        let changed = config.replace("length: 1", &format!("length: 1{chosen}"));
        std::fs::write(&site.file.path, changed.replace("$DIR", &site.folder.path().display().to_string()))
            .unwrap();
        site.renew();
        let full = site.post("/vcon?ingress_lists=in", &small(2)).await.expect(status);
        assert_eq!(full.header("retry-after"), "5");
        let many = site.post("/vcons?ingress_lists=in", &json!([small(2)])).await.expect(200).json();
        assert_eq!(many[0]["status"], status);
        site.post("/vcon/ingress?ingress_list=in", &json!([id(1)])).await.expect(status);
    }
    assert!(!site.has(2).await);
}

#[tokio::test]
async fn a_chain_stands_still_with_all_its_lists_and_leaves_those_of_others_alone() {
    let config = "
chains:
  early: {ingress_lists: [a, b, theirs]}
  late: {ingress_lists: [theirs]}
";
    let mut site = Site::with(Backend::Redis, config, &[]).await;
    site.call("POST /queues/pause?list_name=b").await.expect(200);
    let paused = site.call("POST /chains/early/pause").await.expect(200).json();
    let row = |list: &str, changed: bool| json!({"list_name": list, "paused": true, "changed": changed});
    let expected = json!({
        "chain": "early", "paused": true, "lists": [row("a", true), row("b", false)],
        "elsewhere": [{"list_name": "theirs", "chain": "late"}],
    });
    assert_eq!(paused, expected);
    let again = site.call("POST /chains/early/pause").await.expect(200).json();
    assert_eq!(again["lists"], json!([row("a", false), row("b", false)]));
    let mut stopped = site.redis::<Vec<String>>("SMEMBERS cs:paused").await;
    stopped.sort();
    assert_eq!(stopped, ["a", "b"]);
    let resumed = site.call("POST /chains/early/resume").await.expect(200).json();
    assert_eq!(
        (&resumed["lists"][1]["paused"], &resumed["lists"][1]["changed"]),
        (&json!(false), &json!(true))
    );
    assert!(!site.redis::<bool>("EXISTS cs:paused").await);

    for name in ["nobody", "%ff", "a%2Fb"] {
        site.call(&format!("POST /chains/{name}/pause")).await.expect(404);
    }
    site.server().stop();
    let failed = site.call("POST /chains/early/pause").await.expect(503).json();
    assert_eq!(failed["lists"][0], json!({"list_name": "a", "paused": null, "changed": null}));
}

#[tokio::test]
async fn queues_tell_how_fast_they_move_and_how_old_they_are() {
    let site = Site::new(Backend::Redis).await;
    let row = async |list: usize| site.call("GET /queues").await.expect(200).json()[list].clone();
    let empty = row(0).await;
    assert_eq!(
        (&empty["rate"], &empty["oldest"]),
        (&json!(null), &json!(null)),
        "nobody told, nothing waits"
    );

    site.push("in", &["unknown"]).await;
    let unknown = json!({"id": "unknown", "age_ms": null, "since": "created"});
    assert_eq!(row(0).await["oldest"], unknown);
    site.redis::<String>("LPOP in").await;
    site.post("/vcon?ingress_lists=in", &small(1)).await.expect(201);
    let oldest = row(0).await["oldest"].clone();
    assert_eq!((&oldest["id"], &oldest["since"]), (&json!(id(1)), &json!("created")));
    assert!(oldest["age_ms"].as_u64().unwrap() > 1000, "{oldest}");

    let mut standing = Standing::default();
    standing.rates.lists.insert("in".to_owned(), Rate { taken: 12.5, settled: 10.0 });
    site.feed.tell(standing);
    assert_eq!(row(0).await["rate"], json!({"taken": 12.5, "settled": 10.0}));
    assert_eq!(row(1).await["rate"], json!(null), "nobody takes from an egress list");
}

#[tokio::test]
async fn chains_tell_what_they_wait_for() {
    let config = "
conserver: 1
links: {}
chains:
  main: {links: [], ingress_lists: [in, more], storages: [archive, spare]}
storages:
  archive: {module: file, options: {path: $DIR/archive}}
  spare: {module: file, required: false, options: {path: $DIR/spare}}
";
    let mut site = Site::with(Backend::Redis, config, &[("REDIS_URL", "redis://here")]).await;
    let chain = async |site: &Site| site.call("GET /chains").await.expect(200).json()[0].clone();
    let alone = chain(&site).await;
    for unknown in ["held_up", "held_up_by", "held_up_in", "rate", "workers"] {
        assert_eq!(alone[unknown], json!(null), "nobody told");
    }
    assert_eq!((&alone["breakers"][0]["state"], &alone["paused"]), (&json!(null), &json!(false)));

    let open = Guard {
        kind: GuardKind::Storage,
        name: "archive".to_owned(),
        probing: false,
        open_in: 2,
        open_ms: 9000,
        probe_in_ms: 1000,
        error: "unavailable".to_owned(),
        why: "no answer".to_owned(),
    };
    let held = HeldUp { chain: "main".to_owned(), by: "archive".to_owned(), workers: 2 };
    let outages = Outages { workers: 2, guards: vec![open], held_up: vec![held] };
    site.feed.tell(Standing { outages, ..Standing::default() });
    site.call("POST /queues/pause?list_name=more").await.expect(200);
    let told = chain(&site).await;
    assert_eq!((&told["held_up"], &told["held_up_by"]), (&json!(true), &json!("archive")));
    assert_eq!((&told["held_up_in"], &told["workers"], &told["rate"]), (&json!(2), &json!(2), &json!(0.0)));
    assert_eq!((&told["paused"], &told["paused_lists"]), (&json!(false), &json!(["more"])));
    let breakers = json!([
        {"kind": "storage", "name": "archive", "required": true, "state": "open", "open_in": 2, "open_ms": 9000,
         "probe_in_ms": 1000, "error": "unavailable"},
        {"kind": "storage", "name": "spare", "required": false, "state": "closed", "open_in": 0, "open_ms": null,
         "probe_in_ms": null, "error": null},
    ]);
    assert_eq!(told["breakers"], breakers);

    site.call("POST /chains/main/pause").await.expect(200);
    assert_eq!(chain(&site).await["paused"], json!(true));
    site.server().stop();
    assert_eq!(chain(&site).await["paused"], json!(null), "told without the backend all the same");
}

async fn queues_are_shown_and_stand_still_on_demand(on: Backend) {
    let site = Site::new(on).await;
    site.push("in", &["a", "b"]).await;
    assert_eq!(site.call("POST /queues/pause?list_name=in").await.expect(200).json()["changed"], true);
    let queues = site.call("GET /queues").await.expect(200).json();
    assert_eq!(
        (&queues[0]["list"], &queues[0]["queued"], &queues[0]["paused"]),
        (&json!("in"), &json!(2), &json!(true))
    );
    assert_eq!(queues[1]["list"], "out");
    assert_eq!(site.call("POST /queues/resume?list_name=in").await.json()["changed"], true);
    assert_eq!(site.call("GET /workers").await.expect(200).json(), json!([]));
    assert_eq!(site.call("GET /chains").await.expect(200).json()[0]["storages"], json!(["archive"]));
}
