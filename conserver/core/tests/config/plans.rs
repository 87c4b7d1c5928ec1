//! What a file that is in order comes to.

use std::collections::BTreeMap;
use std::time::Duration;

use conserver_core::config::plan::{Dialect, OnError, OnStorageError};
use conserver_core::config::settings::{ClaimOrder, Delivery, Role};
use conserver_core::config::{Plan, load};
use conserver_core::registry::BuildContext;
use conserver_core::vcon::BodyShape;
use serde_json::json;

use crate::{environment, kinds, load_text};

fn plan(text: &str) -> Plan {
    let loaded = load_text(text);
    let texts: Vec<_> = loaded.problems.iter().map(|problem| format!("{problem:#}")).collect();
    loaded.plan.unwrap_or_else(|| panic!("no plan: {texts:#?}"))
}

fn with(text: &str, variables: &[(&str, &str)]) -> conserver_core::config::Loaded {
    let mut vars: BTreeMap<String, String> = environment();
    vars.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    load(text, "chains.yaml", &vars, &kinds::registry())
}

#[test]
fn our_dialect_has_its_own_defaults() {
    let plan = plan("conserver: 1\nlinks: {mark: }\nchains: {main: {links: [mark]}}\n");
    assert_eq!(plan.dialect, Dialect::Ours);
    assert_eq!(plan.settings.redis_url, None);
    let [chain] = plan.chains.as_slice() else { panic!("{:?}", plan.chains) };
    assert_eq!(chain.ingress, ["main_ingress".into()]);
    assert_eq!(chain.egress, ["main_egress".into()]);
    assert_eq!((chain.concurrency, chain.weight, chain.timeout), (64, 1, None));
    assert_eq!(chain.retry.attempts, 5);
    assert_eq!(plan.links[0].kind, Some("mark"));
}

#[test]
fn without_redis_there_is_a_folder_and_nothing_is_popped_for_good() {
    let chain = "chains: {main: {links: []}}\n";
    let by_default = plan(&format!("conserver: 1\n{chain}"));
    assert_eq!(by_default.settings.data_dir.to_str(), Some("./conserver-data"));
    let by_variable = with(&format!("conserver: 1\n{chain}"), &[("CONSERVER_DATA_DIR", "/data")]);
    assert_eq!(by_variable.plan.unwrap().settings.data_dir.to_str(), Some("/data"));
    let by_key = plan(&format!("conserver: 1\ndata_dir: /var/lib/x\n{chain}"));
    assert_eq!(by_key.settings.data_dir.to_str(), Some("/var/lib/x"));
    let beside = with(&format!("conserver: 1\ndata_dir: /data\nredis: redis://db\n{chain}"), &[]);
    assert!(beside.problems.iter().any(|problem| problem.path == "data_dir" && !problem.is_error()));
    let popped = with(&format!("conserver: 1\ndelivery: at-most-once\n{chain}"), &[]);
    assert!(popped.problems.iter().any(|problem| problem.path == "delivery" && problem.is_error()));
}

#[test]
fn the_reference_dialect_means_redis_and_one_at_a_time() {
    let text = "links: {a: {module: links.mark}}\nchains: {main: {ingress_lists: [in], links: [a]}}\n";
    let plan = plan(text);
    assert_eq!(plan.dialect, Dialect::Reference);
    assert_eq!(plan.settings.redis_url.as_ref().unwrap().expose(), "redis://localhost");
    assert_eq!(plan.chains[0].concurrency, 1);
    assert_eq!(plan.chains[0].egress, []);
    let eight = with(text, &[("CONSERVER_VCON_CONCURRENCY", "8")]);
    assert_eq!(eight.plan.unwrap().chains[0].concurrency, 8);
}

#[test]
fn an_explicit_empty_list_is_no_list() {
    let plan = plan(
        "conserver: 1\nchains: {a: {ingress_lists: [x]}, b: {egress_lists: [y]}, c: {egress_lists: []}}\n",
    );
    let lists: Vec<_> = plan.chains.iter().map(|c| format!("{:?} {:?}", c.ingress, c.egress)).collect();
    assert_eq!(lists, [r#"["x"] []"#, r#"["b_ingress"] ["y"]"#, r#"["c_ingress"] []"#]);
}

#[test]
fn everything_that_ours_adds_arrives_in_the_plan() {
    let text = "
conserver: 1
redis: ${R:-redis://:secret@db:6379/1}
workers: ${CASE_WORKERS}
threads: 2
concurrency: 16
body_shape: text
delivery: at-most-once
claim_order: strict
drain_timeout: 90s
limits: {max_document_bytes: 1MiB, max_bytes_in_flight: 8MB}
api:
  listen: 127.0.0.1:9000
  root_path: v1/
  header: X-Key
  keys: [{name: ops, key: '${CASE_SECRET}', role: operator}, {key: other}]
ingress_auth: {partner: [k1, k2], single: '012345'}
links:
  a:
    module: post
    options: {url: https://example.org, port: '443', api_key: '${CASE_SECRET}'}
    timeout: 5s
    retry: {attempts: 7, delay: 50ms, max_delay: 1s}
    breaker: {failures: 2, cooldown: 1m}
    rate_limit: 2.5
    in_flight: 4
    on_error: continue
storages:
  s: {module: storage.file, options: {path: /srv/vcons, file_permissions: 0o600}, required: no}
chains:
  main:
    links: [a]
    storages: [s]
    timeout: 2m
    concurrency: 3
    weight: 5
    retry: {attempts: 2, delay: 2s, max_delay: 1h, give_up_after: 2d}
    dlq: broken
    on_storage_error: dead_letter
  off: {enabled: false}
";
    let loaded = load_text(text);
    assert_eq!(loaded.problems, []);
    let plan = loaded.plan.unwrap();
    let settings = &plan.settings;
    assert_eq!(settings.redis_url.as_ref().unwrap().expose(), "redis://:secret@db:6379/1");
    assert_eq!((settings.workers, settings.threads, settings.concurrency), (3, Some(2), 16));
    assert_eq!(settings.body_shape, BodyShape::Text);
    assert_eq!((settings.delivery, settings.claim_order), (Delivery::AtMostOnce, ClaimOrder::Strict));
    assert_eq!(settings.drain_timeout, Duration::from_secs(90));
    assert_eq!((settings.max_document_bytes, settings.max_bytes_in_flight), (1 << 20, 8_000_000));
    let api = &settings.api;
    assert_eq!(
        (api.listen.as_str(), api.root_path.as_str(), api.header.as_str()),
        ("127.0.0.1:9000", "/v1", "x-key")
    );
    let keys: Vec<_> = api.keys.iter().map(|k| (k.name.as_str(), k.key.expose(), k.role)).collect();
    assert_eq!(
        keys,
        [
            ("CONSERVER_API_TOKEN", "open-sesame", Role::Admin),
            ("ops", "hunter2", Role::Operator),
            ("api.keys[1]", "other", Role::Admin)
        ]
    );
    assert_eq!(api.ingress_auth["partner"].len(), 2);
    assert_eq!(api.ingress_auth["single"][0].expose(), "012345");

    let link = &plan.links[0];
    assert_eq!(link.options["api_key"], json!("hunter2"));
    assert_eq!((link.policy.timeout, link.policy.retry.attempts), (Duration::from_secs(5), 7));
    assert_eq!((link.policy.breaker.failures, link.policy.breaker.cooldown), (2, Duration::from_secs(60)));
    assert_eq!((link.policy.rate_limit, link.policy.in_flight), (Some(2.5), Some(4)));
    assert_eq!(link.on_error, OnError::Continue);
    assert!(!plan.storages[0].required);

    let [chain] = plan.chains.as_slice() else { panic!("{:?}", plan.chains) };
    assert_eq!((chain.timeout, chain.concurrency, chain.weight), (Some(Duration::from_secs(120)), 3, 5));
    assert_eq!((chain.retry.attempts, chain.retry.give_up_after), (2, Duration::from_secs(2 * 86400)));
    assert_eq!(
        (chain.dlq.as_ref().unwrap().as_str(), chain.on_storage_error),
        ("broken", OnStorageError::DeadLetter)
    );

    let shown = format!("{plan:?} {}", loaded.shown);
    assert!(!shown.contains("hunter2") && !shown.contains("secret@"), "{shown}");
}

#[test]
fn what_a_plan_names_can_be_built_with_its_options() {
    let plan = plan(
        "links: {a: {module: links.marker}, b: {module: mark, options: {marks: []}}}\n\
         storages: {s: {module: folder, options: {path: /srv/vcons, file_permissions: 0o600}}, p: {module: postgres}}\n\
         chains: {c: {ingress_lists: [i], links: [a, b], storages: [s]}}\n",
    );
    let registry = kinds::registry();
    let context = BuildContext::new("x");
    assert!(registry.build_link(&plan.links[0], &context).is_ok());
    let Err(error) = registry.build_link(&plan.links[1], &context) else { panic!("was built") };
    assert_eq!(error.to_string(), "build `b`: `x` has no marks");
    let storage = registry.build_storage(&plan.storages[0].adapter, &context).unwrap();
    assert_eq!(storage.info().max_batch, 0o600);
    let Err(error) = registry.build_storage(&plan.storages[1].adapter, &context) else { panic!("was built") };
    assert_eq!(error.to_string(), "this build lacks the module of `p`");
}

#[test]
fn a_reload_can_tell_what_changed() {
    let text = "links: {a: {module: mark, options: {marks: '${CASE_SECRET}'}}}\nchains: {c: {ingress_lists: [i], links: [a]}}\n";
    assert_eq!(plan(text), plan(&format!("# a comment\n{text}")));
    assert_ne!(plan(text), plan(&text.replace("mark,", "mark, on_error: continue,")));
    let changed = with(text, &[("CASE_SECRET", "hunter3")]).plan.unwrap();
    assert_ne!(plan(text), changed);
}

#[test]
fn settings_come_from_the_environment() {
    let directory = std::env::temp_dir().join(format!("conserver-tokens-{}", std::process::id()));
    std::fs::write(&directory, "one\n\n two \n").unwrap();
    let loaded = with(
        "chains: {}",
        &[
            ("REDIS_URL", "rediss://u:p@h:1/2"),
            ("CONSERVER_WORKERS", " 4 "),
            ("CONSERVER_API_TOKEN_FILE", directory.to_str().unwrap()),
            ("CONSERVER_HEADER_NAME", "Authorization"),
            ("API_ROOT_PATH", "/v2/"),
            ("EGRESS_FORMAT_VERSION", "0.0.1"),
            ("VCON_REDIS_EXPIRY", "60"),
            ("VCON_DLQ_EXPIRY", "0"),
            ("VCON_SORTED_SET_NAME", "all"),
            ("VCON_STORAGE_FALLBACK_ENABLED", "No"),
            ("VCON_BODY_SHAPE", "text"),
            ("CONSERVER_DRAIN_TIMEOUT", "5m"),
            ("VCON_SERVER_VERSION", "1.2.3"),
        ],
    );
    std::fs::remove_file(&directory).unwrap();
    let settings = loaded.plan.unwrap().settings;
    assert_eq!(settings.redis_url.unwrap().expose(), "rediss://u:p@h:1/2");
    assert_eq!(settings.workers, 4);
    let keys: Vec<_> = settings.api.keys.iter().map(|key| key.key.expose()).collect();
    assert_eq!(keys, ["open-sesame", "one", "two"]);
    assert_eq!((settings.api.header.as_str(), settings.api.root_path.as_str()), ("authorization", "/v2"));
    assert_eq!((settings.vcon_expiry, settings.dlq_expiry), (Some(Duration::from_secs(60)), None));
    assert_eq!((settings.sorted_set.as_str(), settings.storage_fallback), ("all", false));
    assert_eq!((settings.body_shape, settings.legacy_egress), (BodyShape::Text, true));
    assert_eq!(settings.drain_timeout, Duration::from_secs(300));
    assert_eq!(settings.version.version, "1.2.3");
}

#[test]
fn a_wrong_variable_is_a_problem_and_never_a_panic() {
    let loaded = with(
        "chains: {}",
        &[
            ("CONSERVER_WORKERS", "many"),
            ("CONSERVER_VCON_CONCURRENCY", "0"),
            ("CONSERVER_LISTEN", "nowhere"),
            ("CONSERVER_API_TOKEN_FILE", "/nonexistent/keys"),
            ("CONSERVER_PARALLEL_STORAGE", "false"),
            ("VCON_STORAGE_FALLBACK_ENABLED", "maybe"),
            ("LOG_LEVEL", "DEBUG"),
            ("VCON_BODY_SHAPE", "round"),
            ("EGRESS_FORMAT_VERSION", "0.2.0"),
        ],
    );
    assert!(loaded.plan.is_none());
    let texts: Vec<_> = loaded
        .problems
        .iter()
        .filter(|problem| problem.file == "environment")
        .map(|problem| format!("{problem:#}"))
        .collect();
    assert_eq!(
        texts,
        [
            "environment: error: CONSERVER_WORKERS: `many` is no whole number that fits here",
            "environment: warning: CONSERVER_VCON_CONCURRENCY: 0 is taken as 1",
            "environment: warning: CONSERVER_PARALLEL_STORAGE: has no effect: storages are always written in parallel",
            "environment: warning: VCON_STORAGE_FALLBACK_ENABLED: `maybe` is taken as false; write `true` or `false`",
            "environment: error: VCON_BODY_SHAPE: is neither `native` nor `text`",
            "environment: error: EGRESS_FORMAT_VERSION: is not `0.0.1`, the only format there is beside the current one; write `0.0.1`, or unset it for the current format",
            "environment: error: CONSERVER_LISTEN: is no address with a port; write `127.0.0.1:8000`",
            "environment: error: CONSERVER_API_TOKEN_FILE: cannot read the file `/nonexistent/keys`: entity not found",
            "environment: warning: LOG_LEVEL: has no effect; set `CONSERVER_LOG`",
        ]
    );
}

#[test]
fn a_file_reference_is_read_beside_the_configuration() {
    let directory = std::env::temp_dir().join(format!("conserver-file-reference-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("key"), "s3cret\n").unwrap();
    let file = directory.join("chains.yaml");
    let text = "links: {a: {module: post, options: {url: x, api_key: 'file:key'}}}\nchains: {c: {ingress_lists: [i], links: [a]}}\n";
    let loaded = load(text, file.to_str().unwrap(), &environment(), &kinds::registry());
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(loaded.problems, []);
    assert_eq!(loaded.plan.unwrap().links[0].options["api_key"], json!("s3cret"));
    assert!(!loaded.shown.to_string().contains("s3cret"));
}
