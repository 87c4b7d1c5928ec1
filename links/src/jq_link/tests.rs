use std::time::Duration;

use conserver_core::link::Flow;
use conserver_testkit::link_suite::{LinkFixture, context};
use conserver_testkit::vcons::{Vcons, vcon};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::*;

/// Far beyond what any of these takes.
const HANG: Duration = Duration::from_secs(120);

#[test]
fn this_process_serves_when_asked() {
    if std::env::args().any(|argument| argument == host::ARGUMENT) {
        host::serve();
    }
}

fn options(json: Value) -> JqLinkOptions {
    serde_json::from_value(json).unwrap()
}

fn link(json: Value) -> Arc<dyn Link> {
    JqLink::build(options(json), &BuildContext::new("filter")).unwrap()
}

async fn run(link: &Arc<dyn Link>, document: &Value) -> Result<Flow> {
    let vcon = vcon(document);
    let outcome = timeout(HANG, link.run(&context(&vcon), Some(vcon.clone()))).await.expect("no hang")?;
    assert!(outcome.vcon.unwrap().same_as(&vcon));
    Ok(outcome.flow)
}

async fn passes(filter: &str, document: &Value) -> bool {
    run(&link(json!({"filter": filter})), document).await.unwrap() == Flow::Continue
}

mod suite {
    use super::*;

    conserver_testkit::link_suite!(LinkFixture {
        link: link(json!({"filter": ".parties | length > 0"})),
        document: Vcons::new(1).call(),
        changes: false,
    });
}

#[tokio::test]
async fn the_first_output_decides_by_the_truth_of_python() {
    let call = Vcons::new(1).call();
    for (filter, expected) in [
        (".", true),
        ("1", true),
        ("\"0\"", true),
        ("nan", true),
        ("[0]", true),
        ("{a: 1}", true),
        ("true, false", true),
        ("null", false),
        ("false", false),
        ("false, true", false),
        ("0", false),
        ("0.0", false),
        ("-0.0", false),
        ("\"\"", false),
        ("[]", false),
        ("{}", false),
        ("empty", false),
        (".no.such.member", false),
    ] {
        assert_eq!(passes(filter, &call).await, expected, "{filter}");
    }
}

#[tokio::test]
async fn filters_see_the_vcon_in_the_names_of_today() {
    let call = Vcons::new(1).call();
    for filter in [
        r#".parties | length == 2"#,
        r#"any(.analysis[]; .type == "summary")"#,
        r#".attachments[] | select(.purpose == "tags") | .body | any(startswith("topic:"))"#,
        r#"[.dialog[] | select(.duration > 0)] | length > 0 and (.[0].type == "recording")"#,
        r#".analysis[0].body.transcript | test("[a-z]+"; "i")"#,
    ] {
        assert!(passes(filter, &call).await, "{filter}");
    }
    let legacy = Vcons::new(1).legacy();
    assert!(passes(r#"all(.attachments[]; has("type") | not)"#, &legacy).await);
    assert!(passes("$ENV == {} and (env | has(\"PATH\") | not)", &call).await, "the environment is hidden");
}

#[tokio::test]
async fn those_that_do_not_match_may_go_on_instead() {
    let call = Vcons::new(1).call();
    for (forward, filter, expected) in [
        (json!(false), ".no", Flow::Continue),
        (json!("false"), ".no", Flow::Continue),
        (json!(0), ".uuid", Flow::Halt { reason: "the filter matches".to_owned() }),
        (json!(true), ".no", Flow::Halt { reason: "the filter does not match".to_owned() }),
    ] {
        let link = link(json!({"filter": filter, "forward_matches": forward}));
        assert_eq!(run(&link, &call).await.unwrap(), expected, "{filter} {forward}");
    }
}

#[tokio::test]
async fn a_failing_filter_makes_a_dead_letter_that_quotes_nothing_of_the_vcon() {
    let mut call = Vcons::new(1).call();
    call["subject"] = json!("hush");
    for filter in [
        ".subject.a",
        ".subject | error",
        "true, (.subject | tonumber)",
        "halt",
        ".subject * {}",
        r#""a" * 1e9"#,
    ] {
        let error = run(&link(json!({"filter": filter})), &call).await.unwrap_err();
        assert!(error.is_permanent() && error.kind() == ErrorKind::Invalid, "{error:?}");
        assert!(error.chain().contains("the filter fails") && !error.chain().contains("hush"), "{error:?}");
        for forward in [true, false] {
            let options = json!({"filter": filter, "on_filter_error": "halt", "forward_matches": forward});
            assert!(matches!(run(&link(options), &call).await.unwrap(), Flow::Halt { .. }), "{filter}");
        }
    }
}

#[tokio::test]
async fn bodies_that_mix_texts_with_others_are_searched_by_their_texts() {
    let mut call = Vcons::new(1).call();
    call["attachments"][0]["body"] = json!([5, null, {"a": 1}, "topic:billing"]);
    assert!(passes(r#"any(.attachments[].body[]; startswith("topic:"))"#, &call).await);
    assert!(!passes(r#"any(.attachments[].body[]; startswith("other:"))"#, &call).await);
}

/// What cannot be stopped from inside is stopped by the kernel, and costs only the one vCon.
#[tokio::test]
async fn a_filter_without_an_end_is_stopped() {
    for filter in
        ["def f: f; f", "repeat(1) | empty", "[limit(1e9; repeat(1))] | length", "last(range(1e12))"]
    {
        let link = link(json!({"filter": filter, "max_cpu_seconds": 1, "max_memory": "64MiB"}));
        let error = run(&link, &Vcons::new(1).call()).await.unwrap_err();
        assert!(error.is_permanent() && error.kind() == ErrorKind::Invalid, "{filter}: {error:?}");
        assert!(error.to_string().contains("`max_"), "{filter}: {error}");
    }
}

#[tokio::test]
async fn a_filter_that_takes_all_memory_is_stopped() {
    for filter in [
        "[range(1e9)] | length",
        r#""a" * 1000000000 | length"#,
        r#"reduce range(40) as $i ("a"; . + .) | length"#,
        "def f: 1 + f; f",
        "def f: [f]; f",
        "[recurse([.])] | length",
        "reduce range(1e7) as $i (null; [.]) | tojson",
    ] {
        let link = link(json!({"filter": filter, "max_cpu_seconds": 20, "max_memory": "64MiB"}));
        let error = run(&link, &Vcons::new(1).call()).await.unwrap_err();
        assert!(error.is_permanent() && error.kind() == ErrorKind::Invalid, "{filter}: {error:?}");
        assert!(error.to_string().contains("64 MiB"), "{filter}: {error}");
    }
}

#[tokio::test]
async fn the_limit_of_memory_is_where_it_is_said_to_be() {
    let call = Vcons::new(1).call();
    let filter = r#""a" * 100000000 | length"#;
    assert!(run(&link(json!({"filter": filter, "max_memory": "64MiB"})), &call).await.is_err());
    assert_eq!(
        run(&link(json!({"filter": filter, "max_memory": "512MiB"})), &call).await.unwrap(),
        Flow::Continue
    );
}

#[tokio::test]
async fn a_filter_that_was_stopped_goes_on_with_the_next_vcon() {
    let filter = r#"if .subject == "boom" then [range(1e9)] else true end"#;
    let link = link(json!({"filter": filter, "max_memory": "64MiB"}));
    let (good, mut bad) = (Vcons::new(1).call(), Vcons::new(2).call());
    bad["subject"] = json!("boom");
    for _ in 0..3 {
        assert_eq!(run(&link, &good).await.unwrap(), Flow::Continue);
        assert!(run(&link, &bad).await.is_err());
    }
    assert_eq!(run(&link, &good).await.unwrap(), Flow::Continue);
}

#[tokio::test]
async fn large_documents_and_many_of_them_pass_through_one_process() {
    let mut call = Vcons::new(1).call();
    call["dialog"][0]["body"] = json!("A".repeat(30 << 20));
    let link = link(json!({"filter": ".dialog[0].body | length > 100", "max_memory": "16MiB"}));
    for _ in 0..4 {
        assert_eq!(run(&link, &call).await.unwrap(), Flow::Continue);
        assert!(matches!(run(&link, &Vcons::new(2).call()).await.unwrap(), Flow::Halt { .. }));
    }
}

#[tokio::test]
async fn work_that_nobody_waits_for_is_ended() {
    let link = link(json!({"filter": "if .subject == \"boom\" then def f: f; f else true end"}));
    let (good, mut bad) = (Vcons::new(1).call(), Vcons::new(2).call());
    bad["subject"] = json!("boom");
    let vcon = vcon(&bad);
    for _ in 0..2 * std::thread::available_parallelism().unwrap().get() {
        let gone = timeout(Duration::from_millis(50), link.run(&context(&vcon), Some(vcon.clone()))).await;
        assert!(gone.is_err());
    }
    assert_eq!(run(&link, &good).await.unwrap(), Flow::Continue);
}

#[test]
fn a_wrong_filter_is_told_with_its_place() {
    for (filter, expected) in [
        (".parties |", "line 1, column 11 of the filter, where it ends"),
        (".a\n| nosuch(1)", "there is no filter `nosuch` (line 2, column 3"),
        ("$name", "there is no variable `$name`"),
        (".a | \"open", "line 1, column"),
        ("if . then 1", "expected"),
        ("", "this is no jq filter"),
        ("include \"x\"; .", "a filter can include no modules"),
    ] {
        let error =
            serde_json::from_value::<JqLinkOptions>(json!({"filter": filter})).unwrap_err().to_string();
        assert!(error.contains(expected), "{filter}: {error}");
    }
    for filter in ["[".repeat(16_000), "(".repeat(8_000) + "1" + &")".repeat(7_999), "-".repeat(16_000)] {
        assert!(serde_json::from_value::<JqLinkOptions>(json!({"filter": filter})).is_err());
    }
    assert!(serde_json::from_value::<JqLinkOptions>(json!({"filter": "1+".repeat(20_000)})).is_err());
}

#[test]
fn limits_that_make_no_sense_are_told() {
    assert!(JqLink::check(&options(json!({}))).is_empty());
    assert_eq!(JqLink::check(&options(json!({"max_cpu_seconds": 0, "max_memory": "1kB"}))).len(), 2);
}

/// What a filter costs; run with `--ignored --nocapture` and a release build.
#[tokio::test]
#[ignore = "a measurement"]
async fn the_cost_of_a_filter() {
    let link = link(json!({"filter": r#"any(.analysis[]; .type == "summary")"#}));
    let mut large = Vcons::new(1).call();
    large["dialog"][0]["body"] = json!("A".repeat(10 << 20));
    for (name, document, times) in [("4.4 kB", Vcons::new(1).call(), 20_000_u32), ("10 MB", large, 50)] {
        let vcon = vcon(&document);
        link.run(&context(&vcon), Some(vcon.clone())).await.unwrap();
        let start = std::time::Instant::now();
        for _ in 0..times {
            link.run(&context(&vcon), Some(vcon.clone())).await.unwrap();
        }
        println!("{name}: {:?}", start.elapsed() / times);
    }
}
