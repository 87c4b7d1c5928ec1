//! What became of a vCon is told: what went well, what a link ended, what failed and was tried again, and what died.

use conserver_testkit::vcons::Vcons;
use serde_json::{Value, json};

use crate::site::{Site, until};

const CONFIG: &str = "
conserver: 1
links:
  mark: {module: tag, options: {tags: {seen: yes}}}
  none: {module: sampler, options: {method: percentage, value: 0}}
storages:
  files: {module: file, options: {path: $DIR/files}}
  nowhere: {module: postgres, options: {host: 127.0.0.1, port: 1, database: d, user: u, password: hush}}
chains:
  main: {links: [mark], storages: [files], ingress_lists: [in], egress_lists: [out]}
  some: {links: [mark, none], ingress_lists: [sampled]}
  away: {links: [mark], storages: [nowhere], ingress_lists: [later], retry: {delay: 50ms, max_delay: 100ms}}
";

/// The runs of an id, as `story --json` tells them.
fn runs(site: &Site, id: &str) -> Vec<Value> {
    let (_, said, _) = site.command(&["story", id, "--json"]);
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn steps(run: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let steps = run["steps"].as_array().unwrap().iter();
    steps.map(|step| (text(&step["link"]) + &text(&step["storage"]), text(&step["result"]))).collect()
}

fn pair(name: &str, result: &str) -> (String, String) {
    (name.to_owned(), result.to_owned())
}

#[test]
fn every_end_of_a_run_is_told() {
    let site = Site::new(CONFIG);
    let daemon = site.run(1);
    let mut vcons = Vcons::new(9);
    let done = site.push("in", &vcons.call());
    let halted = site.push("sampled", &vcons.call());
    let waits = site.push("later", &vcons.call());
    site.db.push("in", &["gone"]);
    until("the first is told", || runs(&site, &done).len() == 1);
    let run = &runs(&site, &done)[0];
    assert_eq!(steps(run), [pair("mark", "ok"), pair("files", "ok")]);
    let facts = ["chain", "list", "end", "attempt"].map(|field| run[field].clone());
    assert_eq!(facts, [json!("main"), json!("in"), json!("done"), json!(1)]);
    assert!(run["at"].as_i64().unwrap() > 1_700_000_000_000 && run["why"].is_null(), "{run}");

    until("a link's end is told", || runs(&site, &halted).len() == 1);
    let run = &runs(&site, &halted)[0];
    assert_eq!(steps(run), [pair("mark", "ok"), pair("none", "halted")]);
    assert_eq!(run["end"], "halted");
    assert!(!run["why"].as_str().unwrap().is_empty(), "{run}");

    until("an outage is told", || !runs(&site, &waits).is_empty());
    let run = &runs(&site, &waits)[0];
    assert_eq!(steps(run), [pair("mark", "ok"), pair("nowhere", "failed")]);
    assert_eq!((&run["end"], &run["steps"][1]["error"]), (&json!("retry"), &json!("unavailable")));
    assert!(run["again_in_ms"].is_u64() && !run.to_string().contains("hush"), "{run}");

    until("a missing document is told", || runs(&site, "gone").len() == 1);
    assert_eq!(runs(&site, "gone")[0]["end"], "dead");

    let (code, said, _) = site.command(&["story", &done]);
    assert_eq!(code, 0);
    for part in ["chain `main` from `in`: done", "link mark", "storage files", "by worker"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    let (code, _, noted) = site.command(&["story", "nobody"]);
    assert!(code == 3 && noted.contains("nothing is remembered of `nobody`"), "{code} {noted}");
    drop(daemon);
}

#[test]
fn without_stories_nothing_is_kept() {
    let site = Site::new(&format!("{CONFIG}stories: {{runs: 0}}\n"));
    let daemon = site.run(1);
    let id = site.push("in", &Vcons::new(9).call());
    until("it is through", || site.db.len("out") == 1);
    drop(daemon);
    assert!(runs(&site, &id).is_empty());
    assert!(site.db.keys("cs:story:*").is_empty());
}
