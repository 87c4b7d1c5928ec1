//! Commands that need no server: what a chain does to files, what is wrong with files, what a configuration looks like.

use std::fs;
use std::path::Path;

use conserver_testkit::vcons::Vcons;
use serde_json::{Value, json};

use super::{site, snapshots, transcript};
use crate::site::Site;

const CONFIG: &str = r#"
conserver: 1
redis: redis://127.0.0.1:1
links:
  mark: {module: tag, options: {tags: [topic:billing]}}
  route: {module: tag_router, options: {tag_routes: {topic: "review \"now\""}}}
  enough: {module: sampler, options: {method: percentage, value: 0}}
  strict: {module: validate, options: {profile: core-04}}
storages:
  archive: {module: file, options: {path: $DIR/archive}}
chains:
  intake: {links: [mark, route], storages: [archive], ingress_lists: [in], egress_lists: [out]}
  second: {links: [enough, mark], ingress_lists: ["review \"now\""], egress_lists: [out], dlq: dead}
  door: {links: [strict], ingress_lists: [door], egress_lists: [in]}
"#;

/// Snapshots of these commands, one after the other.
macro_rules! show {
    ($site:expr, $name:literal, $([$($arg:expr),*]),* $(,)?) => {
        let said = [$(transcript(&$site, &[$($arg),*])),*].join("\n");
        snapshots().bind(|| insta::assert_snapshot!($name, said));
    };
}

/// A site with a call, one that lacks what a pipeline needs, and something that is no vCon at all. No server runs.
fn files() -> Site {
    let site = site(CONFIG);
    let mut vcons = Vcons::new(60);
    fs::write(site.path("call.vcon.json"), vcons.call().to_string()).unwrap();
    let lacking = json!({"uuid": "018f2a4b-0000-8000-9dd8-dd37220d739c", "parties": [], "dialog": [{"duration": "long"}]});
    fs::write(site.path("lacking.vcon.json"), lacking.to_string()).unwrap();
    fs::write(site.path("broken.json"), "{\"uuid\":").unwrap();
    site
}

#[test]
fn try_shows_what_each_link_changes_and_touches_nothing() {
    let site = files();
    show!(
        site,
        "try",
        ["try", "intake", "call.vcon.json"],
        ["try", "second", "call.vcon.json"],
        ["try", "door", "lacking.vcon.json"],
        ["try", "intake", "call.vcon.json", "broken.json", "missing.json"],
        ["try", "intake", "--until", "mark", "call.vcon.json"],
        ["try", "intake", "--until", "nobody", "call.vcon.json"],
        ["try", "nobody", "call.vcon.json"],
    );
    assert!(!site.path("archive").exists(), "a trial wrote a storage");
    let (code, said, noted) = site.command(&["try", "intake", "--store", "--json", "call.vcon.json"]);
    assert_eq!(code, 0, "{noted}");
    let trial: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(trial["steps"][0]["changed"], true, "{trial}");
    assert_eq!(trial["steps"][1]["effects"][0]["list"], "review \"now\"", "{trial}");
    let tagged = trial["document"]["attachments"].as_array().unwrap().iter().any(|a| a["purpose"] == "tags");
    assert!(tagged, "{trial}");
    assert!(site.path("archive").exists(), "`--store` wrote no storage");
}

#[test]
fn validate_explains_every_finding() {
    let site = files();
    show!(
        site,
        "validate",
        ["validate", "call.vcon.json"],
        ["validate", "call.vcon.json", "lacking.vcon.json", "broken.json", "missing.json"],
        ["validate", "-q", "--profile", "core-04", "call.vcon.json", "lacking.vcon.json"],
        ["validate", "empty"],
        ["validate", "lacking.vcon.json", "--json"],
    );
    // A folder is walked.
    fs::create_dir_all(site.path("calls/deep")).unwrap();
    fs::copy(site.path("call.vcon.json"), site.path("calls/deep/call.vcon.json")).unwrap();
    fs::copy(site.path("call.vcon.json"), site.path("calls/note.txt")).unwrap();
    let (code, said, _) = site.command(&["validate", "--json", "calls"]);
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["summary"]["files"]), (0, &Value::from(1)), "{report}");
}

/// `CONSERVER_CORPUS`: see the tests of the document, which hold the verdicts one by one.
#[test]
fn validate_judges_a_corpus_of_real_vcons() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = std::env::var("CONSERVER_CORPUS").unwrap_or_else(|_| "../shared/vcons".to_owned());
    let folder = root.join(place);
    if !folder.is_dir() {
        println!("SKIPPED: no corpus at {}; set CONSERVER_CORPUS", folder.display());
        return;
    }
    let site = files();
    let (code, said, _) = site.command(&["validate", "--json", &folder.display().to_string()]);
    let report: Value = serde_json::from_str(&said).unwrap();
    let summary = &report["summary"];
    assert!(summary["files"].as_u64() > Some(100) && code == 1, "{summary}");
    for finding in
        report["files"].as_array().unwrap().iter().flat_map(|file| file["findings"].as_array().unwrap())
    {
        assert!(
            ["path", "rule", "section", "message"].iter().all(|part| finding[part].is_string()),
            "{finding}"
        );
    }
}

#[test]
fn graph_draws_lists_chains_and_what_feeds_what() {
    let site = files();
    show!(site, "graph", ["graph"], ["graph", "--format", "dot"]);
}

#[test]
fn shells_and_man_get_the_whole_grammar() {
    let site = files();
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = site.command(&["completions", shell]);
        assert!(code == 0 && script.contains("replay"), "{shell}");
    }
    let (code, page, _) = site.command(&["man"]);
    assert!(code == 0 && page.contains(".TH conserver"), "{page}");
    let (code, ..) = site.command(&["man", "pages"]);
    assert!(code == 0 && site.path("pages/conserver-dlq-replay.1").exists());
}

/// Names that mean something to Mermaid or Graphviz, or look as if they did. All of these were drawn by both.
const HARD_NAMES: &str = r##"
conserver: 1
redis: redis://127.0.0.1:1
links:
  end: {module: tag, options: {tags: [a:b]}}
  'graph TD; A-->B': {module: tag, options: {tags: [a:b]}}
  'say "now" [here] (there) {where}': {module: tag, options: {tags: [a:b]}}
  'a|b': {module: tag, options: {tags: [a:b]}}
  '<b>bold</b> & <script>alert(1)</script>': {module: tag, options: {tags: [a:b]}}
  '#35;hash': {module: tag, options: {tags: [a:b]}}
  '`markdown` **bold**': {module: tag, options: {tags: [a:b]}}
  '- item': {module: tag, options: {tags: [a:b]}}
  '$$x^2$$': {module: tag, options: {tags: [a:b]}}
  'fa:fa-car': {module: tag, options: {tags: [a:b]}}
  'back\slash\N': {module: tag, options: {tags: [a:b]}}
  '名前 – Zoë': {module: tag, options: {tags: [a:b]}}
storages:
  class: {module: file, options: {path: $DIR/archive}}
chains:
  end:
    links:
      - end
      - 'graph TD; A-->B'
      - 'say "now" [here] (there) {where}'
      - 'a|b'
      - '<b>bold</b> & <script>alert(1)</script>'
      - '#35;hash'
      - '`markdown` **bold**'
      - '- item'
      - '$$x^2$$'
      - 'fa:fa-car'
      - 'back\slash\N'
      - '名前 – Zoë'
    ingress_lists: [o-list, x-ray]
    egress_lists: [subgraph]
  'quotes "in" a chain; # [x]': {storages: [class], ingress_lists: [subgraph], egress_lists: ['%%comment']}
"##;

#[test]
fn graph_draws_any_name_as_it_is_written() {
    let site = site(HARD_NAMES);
    show!(site, "graph-of-hard-names", ["graph"], ["graph", "--format", "dot"]);
}

#[test]
fn what_cannot_be_built_is_told_before_anything_starts() {
    let site = site(
        "
conserver: 1
storages:
  db: {module: storage.postgres, options: {sslmode: always}}
chains:
  main: {links: [], storages: [db], ingress_lists: [in]}
",
    );
    show!(site, "unbuildable", ["check"], ["run"]);
}
