//! What a mistake stops, at a start and at a reload.

use conserver_core::config::{Loaded, Plan};

use crate::load_text;

const GOOD: &str = "
links:
  a: {module: mark, options: {marks: [x]}}
  b: {module: mark, options: {marks: [y]}}
storages:
  s: {module: folder, options: {path: x}}
chains:
  one: {links: [a], storages: [s], ingress_lists: [in], egress_lists: [out]}
  two: {links: [b], ingress_lists: [in2], egress_lists: [out2]}
";

fn ours(text: &str) -> Loaded {
    load_text(&format!("conserver: 1{text}"))
}

/// Name, links, and whether it runs: `runs`, `waits`, `as it was`.
fn chains(plan: &Plan) -> Vec<(String, Vec<String>, &'static str)> {
    plan.chains
        .iter()
        .map(|chain| {
            let how = match (&chain.blocked, &chain.stale) {
                (Some(_), _) => "waits",
                (None, Some(_)) => "as it was",
                (None, None) => "runs",
            };
            (chain.name.to_string(), chain.links.iter().map(ToString::to_string).collect(), how)
        })
        .collect()
}

fn expect(plan: &Plan, expected: &[(&str, &[&str], &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, links, how)| {
            ((*name).to_owned(), links.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>(), *how)
        })
        .collect();
    assert_eq!(chains(plan), expected);
}

/// A file of one mistake, and what it concerns: chain one, or everything.
const MISTAKES: &[(&str, &str, bool)] = &[
    ("links: [a], storages", "links: [aa], storages", true),
    ("links: [a], storages", "links: [a: {x: 1}], storages", true),
    ("storages: [s]", "storages: [t]", true),
    ("egress_lists: [out]}", "egress_lists: out}", true),
    ("a: {module: mark, options: {marks: [x]}}", "a: {module: mark, options: {marks: 5.5}}", true),
    ("a: {module: mark, options: {marks: [x]}}", "a: text", true),
    ("one: {links: [a], storages: [s], ingress_lists: [in], egress_lists: [out]}", "one: text", true),
    ("s: {module: folder, options: {path: x}}", "s: {module: nothing}", true),
    ("chains:", "limits: {max_document_bytes: many}\nchains:", false),
    ("chains:", "api: {keys: 5}\nchains:", false),
    ("chains:", "redis: [x]\nchains:", false),
    ("chains:", "chains: [", false),
];

#[test]
fn one_rule_says_what_a_mistake_stops() {
    let running = load_text(GOOD).for_start(false).expect("it is sound").clone();
    for (from, to, is_of_one_chain) in MISTAKES {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let loaded = load_text(&text);
        assert!(loaded.has_errors(), "{to}");
        assert_eq!(loaded.for_start(false).is_some(), *is_of_one_chain, "{to}: {:?}", loaded.problems);
        // Our dialect starts nothing that is not sound as a whole, unless it is asked to.
        assert!(ours(&text).for_start(false).is_none(), "{to}");
        assert_eq!(ours(&text).for_start(true).is_some(), *is_of_one_chain, "{to}");
        let reloaded = loaded.for_reload(&running);
        assert_eq!(reloaded.is_some(), *is_of_one_chain, "{to}");
        let Some(plan) = reloaded else { continue };
        let started = loaded.for_start(false).unwrap();
        assert!(started.chains.iter().all(|c| (c.name.as_str() == "two") != c.blocked.is_some()), "{to}");
        assert_eq!(started.mistakes.len(), 1, "{to}");
        let mut kept = chains(&plan);
        kept.sort();
        let how: Vec<_> = kept.iter().map(|(name, _, how)| (name.as_str(), *how)).collect();
        assert_eq!(how, [("one", "as it was"), ("two", "runs")], "{to}");
        // What it needs is there to be built.
        assert!(plan.links.iter().any(|link| link.name.as_str() == "a" && link.kind.is_some()), "{to}");
        assert!(plan.storages.iter().any(|s| s.adapter.name.as_str() == "s" && s.adapter.kind.is_some()));
    }
}

#[test]
fn a_chain_keeps_its_last_good_form_until_its_mistake_is_mended() {
    let running = load_text(GOOD).plan.unwrap();
    // Its mistake, and a change of another chain.
    let bad = GOOD.replace("links: [a], storages", "links: [aa], storages").replace("[b]", "[b, a]");
    let kept = load_text(&bad).for_reload(&running).unwrap();
    expect(&kept, &[("one", &["a"], "as it was"), ("two", &["b", "a"], "runs")]);
    // Another file with the same mistake: still kept. A chain that is gone is gone.
    let still = bad.replace("  two:", "  three:");
    let kept = load_text(&still).for_reload(&kept).unwrap();
    expect(&kept, &[("one", &["a"], "as it was"), ("three", &["b", "a"], "runs")]);
    // A new chain with a mistake never ran: it waits.
    let new = format!("{still}  four: {{links: [zz], ingress_lists: [in4]}}\n");
    let kept = load_text(&new).for_reload(&kept).unwrap();
    let how: Vec<_> = chains(&kept).into_iter().map(|(_, _, how)| how).collect();
    assert_eq!(how, ["as it was", "runs", "waits"]);
    let mended = load_text(GOOD).for_reload(&kept).unwrap();
    expect(&mended, &[("one", &["a"], "runs"), ("two", &["b"], "runs")]);
    assert_eq!(mended, running);
}

#[test]
fn a_list_that_a_sound_chain_takes_now_is_not_kept() {
    let running = load_text(GOOD).plan.unwrap();
    let moved = GOOD
        .replace("links: [a], storages: [s], ingress_lists: [in]", "links: [aa], ingress_lists: [new]")
        .replace("ingress_lists: [in2]", "ingress_lists: [in2, in]");
    let plan = load_text(&moved).for_reload(&running).unwrap();
    let lists: Vec<_> = plan.chains.iter().map(|chain| chain.ingress.len()).collect();
    assert_eq!(lists, [0, 2], "{:?}", plan.chains);
}

#[test]
fn a_file_without_content_is_a_mistake() {
    let running = load_text(GOOD).plan.unwrap();
    for text in ["", "\n\n", "# nothing\n", "---\n# nothing\n", "~\n"] {
        let loaded = load_text(text);
        assert!(loaded.for_start(true).is_none() && loaded.for_reload(&running).is_none(), "{text:?}");
    }
    assert!(!load_text("chains: {}").has_errors());
}

#[test]
fn who_only_looks_needs_to_know_where() {
    for (from, to, _) in MISTAKES {
        let text = GOOD.replacen(from, to, 1);
        let knows = !to.contains("redis:") && !to.contains("[\n") && !to.ends_with('[');
        assert_eq!(load_text(&text).for_looking().is_some(), knows, "{to}");
    }
}

#[test]
fn without_an_environment_what_variables_hold_is_not_missed() {
    let text = "
conserver: 1
workers: ${WORKERS}
links: {p: {module: post, options: {url: '${URL}', port: '${PORT}', api_key: '${KEY}'}}}
chains: {main: {links: [p], timeout: '${LIMIT}', egress_lists: ['${OUT}']}}
";
    let unknown = &conserver_core::config::env::Unknown;
    let loaded = conserver_core::config::load(text, "chains.yaml", unknown, &crate::kinds::registry());
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    assert!(load_text(text).has_errors());
    // What is wrong all the same is told.
    let wrong = text.replace("links: [p]", "links: [q]");
    let loaded = conserver_core::config::load(&wrong, "chains.yaml", unknown, &crate::kinds::registry());
    assert_eq!(loaded.problems.iter().filter(|problem| problem.is_error()).count(), 1);
}

#[test]
fn a_reference_without_quotes_in_braces_gets_a_way_out() {
    let loaded = load_text("storages: {a: {password: ${PW}}}\n");
    assert!(
        loaded.problems[0].hint.as_ref().is_some_and(|hint| hint.contains("in quotes")),
        "{:?}",
        loaded.problems
    );
}
